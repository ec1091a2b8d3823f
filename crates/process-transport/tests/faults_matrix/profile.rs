//! The profile of a child, as seen from outside: enough of /proc to tell a child that runs as asked
//! from one that does not.

use std::fs;

/// The name of the scope of the test.
pub(crate) const SCOPE: &str = "launch-matrix";

/// Returns the children of a process.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.filter_map(|task| {
        let path = task.ok()?.path().join("children");
        fs::read_to_string(path).ok()
    });
    let text = lists.collect::<Vec<_>>().join(" ");
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Returns the descriptors of a process and what they refer to. Pipes and sockets appear without
/// their numbers.
pub(crate) fn fds_of(pid: u32) -> Vec<(i32, String)> {
    let Ok(list) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let mut fds: Vec<(i32, String)> = list
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let link = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
            let kind = link.split(":[").next().unwrap_or(&link);
            // Each terminal has a different number, so the number is cut off.
            let kind = kind.trim_end_matches(|c: char| c.is_ascii_digit());
            Some((entry.file_name().to_str()?.parse().ok()?, kind.to_owned()))
        })
        .collect();
    fds.sort_unstable();
    fds
}

/// Returns the letter of a process's state, or `X` if there is no such process.
pub(crate) fn state_of(pid: u32) -> char {
    let stat = stat(pid);
    stat.first().and_then(|state| state.chars().next()).unwrap_or('X')
}

/// Returns whether a process is inside `pause(2)`.
pub(crate) fn pauses(pid: u32) -> bool {
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    call.split_ascii_whitespace().next() == Some(&libc::SYS_pause.to_string())
}

/// Returns the fields of `/proc/PID/stat` after the name: state, parent, group, session, terminal
/// and so on.
fn stat(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Returns the profile of a child. It is the same for every child of one command.
pub(crate) fn profile(pid: u32) -> String {
    let stat = stat(pid);
    let field = |index: usize| stat.get(index).map_or("", String::as_str);
    let own = |number: &str| if number == pid.to_string() { "own" } else { "other" };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let names = [
        "Umask",
        "Uid",
        "Gid",
        "Groups",
        "SigBlk",
        "SigIgn",
        "SigCgt",
        "CapAmb",
        "Cpus_allowed_list",
    ];
    let lines = status
        .lines()
        .filter(|line| line.split_once(':').is_some_and(|(name, _)| names.contains(&name)));
    let lines: Vec<String> =
        lines.map(|line| line.split_ascii_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let files = limits.lines().find(|line| line.starts_with("Max open files"));
    let files = files.map(|line| line.split_ascii_whitespace().nth(3).unwrap_or("")).unwrap_or("");
    let score = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap_or_default();
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let is_scoped = cgroup.lines().any(|line| line.starts_with("0::") && line.contains(SCOPE));
    format!(
        "scope {} exe {} cwd {} group {} session {} terminal {} nice {} files {files} score {} {} fds {:?}",
        if is_scoped { "own" } else { "none" },
        link("exe").file_name().unwrap_or_default().display(),
        link("cwd").display(),
        own(field(2)),
        own(field(3)),
        if field(4) == "0" { "none" } else { "one" },
        field(16),
        score.trim(),
        lines.join(" "),
        fds_of(pid),
    )
}

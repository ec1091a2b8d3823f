//! What may be left behind by a process: descriptors, children; and the memory that it took.

use std::collections::BTreeMap;
use std::fs;

/// The open descriptors of this process and what they are (`pipe:[4711]`).
pub(crate) fn open_fds() -> BTreeMap<i32, String> {
    let entries = fs::read_dir("/proc/self/fd").expect("/proc is mounted");
    let numbers: Vec<i32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // The directory's own descriptor is closed by now, and so drops out.
    let target = |number| fs::read_link(format!("/proc/self/fd/{number}")).ok();
    numbers
        .into_iter()
        .filter_map(|number| Some((number, target(number)?.to_string_lossy().into_owned())))
        .collect()
}

/// The children of this process: pid, name and state, `Z` for a zombie.
pub(crate) fn children() -> Vec<(u32, String, char)> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| {
        let (name, state, parent) = stat(pid)?;
        (parent == std::process::id()).then_some((pid, name, state))
    })
    .collect()
}

/// The state letter of a process, `X` for one that is gone: `Z` and `X` are dead.
pub(crate) fn process_state(pid: u32) -> char {
    stat(pid).map_or('X', |(_, state, _)| state)
}

/// Name, state and parent of a process, from `/proc/PID/stat`.
fn stat(pid: u32) -> Option<(String, char, u32)> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name stands in parentheses and may contain some.
    let (head, rest) = text.rsplit_once(") ")?;
    let (_, name) = head.split_once(" (")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    Some((name.to_owned(), state, parent))
}

/// The memory of this process that is resident now.
pub(crate) fn rss_bytes() -> usize {
    status_kib("VmRSS:") * 1024
}

/// The most that was resident at any time.
pub(crate) fn rss_peak_bytes() -> usize {
    status_kib("VmHWM:") * 1024
}

fn status_kib(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find(|line| line.starts_with(key)).expect("Linux has this line");
    let number = line.split_ascii_whitespace().nth(1).expect("it has a number");
    number.parse().expect("it is a number")
}

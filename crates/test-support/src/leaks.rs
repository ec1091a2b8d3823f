//! Finds what a test left behind: open descriptors, and children, zombie or alive. Also measures
//! memory.
//!
//! These are properties of a whole process, so only tests that are [`crate::isolated`] may use
//! them.

use std::collections::BTreeMap;
use std::fs;

/// Returns the open descriptors of this process and their links in /proc (`pipe:[4711]`).
pub fn open_fds() -> BTreeMap<i32, String> {
    let entries = fs::read_dir("/proc/self/fd").expect("/proc is mounted");
    let numbers: Vec<i32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // The descriptor of the directory itself is closed by now, so it is not in the list.
    let target = |number| fs::read_link(format!("/proc/self/fd/{number}")).ok();
    numbers
        .into_iter()
        .filter_map(|number| Some((number, target(number)?.to_string_lossy().into_owned())))
        .collect()
}

/// Returns the children of this process: pid, name, and state letter, which is `Z` for a zombie.
///
/// It reads /proc, because `waitid` does not see a child that sends no signal at its exit.
pub fn children() -> Vec<(u32, String, char)> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| {
        let (name, state, parent) = stat(pid)?;
        (parent == std::process::id()).then_some((pid, name, state))
    })
    .collect()
}

/// Returns the state letter of a process, and `X` if there is no such process. `Z` and `X` mean
/// dead.
pub fn process_state(pid: u32) -> char {
    stat(pid).map_or('X', |(_, state, _)| state)
}

/// Returns the name, state and parent of a process, from `/proc/PID/stat`.
fn stat(pid: u32) -> Option<(String, char, u32)> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name is in parentheses and may contain parentheses.
    let (head, rest) = text.rsplit_once(") ")?;
    let (_, name) = head.split_once(" (")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    Some((name.to_owned(), state, parent))
}

/// Returns how much memory of this process is resident now.
pub fn rss_bytes() -> usize {
    status_kib("VmRSS:") * 1024
}

/// Returns the peak of the resident memory of this process.
pub fn rss_peak_bytes() -> usize {
    status_kib("VmHWM:") * 1024
}

fn status_kib(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find(|line| line.starts_with(key)).expect("Linux has this line");
    let number = line.split_ascii_whitespace().nth(1).expect("it has a number");
    number.parse().expect("it is a number")
}

/// A baseline of open descriptors, with checks that nothing else is left.
#[derive(Debug)]
pub struct Leaks {
    fds: BTreeMap<i32, String>,
}

impl Leaks {
    /// Takes the baseline. Do this after a first spawn, because that may open descriptors that stay
    /// open.
    pub fn baseline() -> Self {
        Self { fds: open_fds() }
    }

    /// Checks that exactly the descriptors of the baseline are open.
    pub fn assert_no_fds(&self) {
        let now = open_fds();
        let more: Vec<_> = now.iter().filter(|(fd, link)| self.fds.get(fd) != Some(link)).collect();
        let gone: Vec<_> = self.fds.iter().filter(|(fd, link)| now.get(fd) != Some(link)).collect();
        assert!(
            more.is_empty() && gone.is_empty(),
            "descriptors that were not open before: {more:?}; no longer open: {gone:?}",
        );
    }

    /// Checks that no file with a path is open beyond the baseline. Pipes and sockets do not count.
    pub fn assert_no_regular_files(&self) {
        let is_new = |fd: &i32, link: &String| self.fds.get(fd) != Some(link);
        let files: Vec<_> = open_fds()
            .into_iter()
            .filter(|(fd, link)| link.starts_with('/') && is_new(fd, link))
            .collect();
        assert!(files.is_empty(), "files that are open in the parent: {files:?}");
    }

    /// Checks that this process has no child, neither a zombie nor a living one.
    pub fn assert_no_children() {
        let left = children();
        assert!(left.is_empty(), "children left behind (pid, name, state): {left:?}");
    }

    /// Checks that no child is left and that exactly the descriptors of the baseline are open.
    pub fn assert_none(&self) {
        Self::assert_no_children();
        self.assert_no_fds();
    }
}

//! What may be left behind: descriptors of this process and its children, dead or alive; and the memory
//! that it takes.
//!
//! All are properties of a whole process: only for tests that are [`crate::isolated`].

use std::collections::BTreeMap;
use std::fs;

/// The open descriptors of this process and what they are (`pipe:[4711]`).
pub fn open_fds() -> BTreeMap<i32, String> {
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
///
/// Read from /proc and not with `waitid`, which does not see a child that signals no exit.
pub fn children() -> Vec<(u32, String, char)> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| {
        let (name, state, parent) = stat(pid)?;
        (parent == std::process::id()).then_some((pid, name, state))
    })
    .collect()
}

/// The state letter of a process, `X` for one that is gone: `Z` and `X` are dead.
pub fn process_state(pid: u32) -> char {
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
pub fn rss_bytes() -> usize {
    status_kib("VmRSS:") * 1024
}

/// The most that was resident at any time.
pub fn rss_peak_bytes() -> usize {
    status_kib("VmHWM:") * 1024
}

fn status_kib(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find(|line| line.starts_with(key)).expect("Linux has this line");
    let number = line.split_ascii_whitespace().nth(1).expect("it has a number");
    number.parse().expect("it is a number")
}

/// A baseline of descriptors, and the claim that nothing is left beyond it.
#[derive(Debug)]
pub struct Leaks {
    fds: BTreeMap<i32, String>,
}

impl Leaks {
    /// Takes the baseline: after a first spawn, which may keep a descriptor for good.
    pub fn baseline() -> Self {
        Self { fds: open_fds() }
    }

    /// Asserts that exactly the descriptors of the baseline are open.
    pub fn assert_no_fds(&self) {
        let now = open_fds();
        let more: Vec<_> = now.iter().filter(|(fd, link)| self.fds.get(fd) != Some(link)).collect();
        let gone: Vec<_> = self.fds.iter().filter(|(fd, link)| now.get(fd) != Some(link)).collect();
        assert!(
            more.is_empty() && gone.is_empty(),
            "descriptors that were not open before: {more:?}; no longer open: {gone:?}",
        );
    }

    /// Asserts that no file by name is open beyond the baseline, pipes and sockets aside.
    pub fn assert_no_regular_files(&self) {
        let is_new = |fd: &i32, link: &String| self.fds.get(fd) != Some(link);
        let files: Vec<_> = open_fds()
            .into_iter()
            .filter(|(fd, link)| link.starts_with('/') && is_new(fd, link))
            .collect();
        assert!(files.is_empty(), "files that are open in the parent: {files:?}");
    }

    /// Asserts that this process has no child, neither a zombie nor a living one.
    pub fn assert_no_children() {
        let left = children();
        assert!(left.is_empty(), "children left behind (pid, name, state): {left:?}");
    }

    /// Asserts both.
    pub fn assert_none(&self) {
        Self::assert_no_children();
        self.assert_no_fds();
    }
}

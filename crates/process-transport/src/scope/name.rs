//! The names of scopes: which are valid, and which this program uses.

use std::collections::BTreeSet;
use std::process;

use super::error::ScopeError;
use crate::sys::ProcessMutex;

/// The longest name, in bytes. The folder's name has more, and at most 255.
const MOST_BYTES: usize = 200;

/// The beginnings of the names of the kernel's own files in a cgroup, before a dot.
const RESERVED: [&str; 18] = [
    "blkio",
    "cgroup",
    "cpu",
    "cpuacct",
    "cpuset",
    "debug",
    "devices",
    "dmem",
    "freezer",
    "hugetlb",
    "io",
    "memory",
    "misc",
    "net_cls",
    "net_prio",
    "perf_event",
    "pids",
    "rdma",
];

/// The names that this process uses. The scopes that a forked copy has inherited are its parent's.
static USED: ProcessMutex<BTreeSet<String>> = ProcessMutex::new();

/// A name in use, until its drop.
#[derive(Debug)]
pub(super) struct UsedName {
    owner: u32,
    name: String,
}

impl UsedName {
    pub(super) fn new(name: &str) -> Result<Self, ScopeError> {
        if let Some(why) = defect(name) {
            return Err(ScopeError::Name { name: name.to_owned(), why });
        }
        let owner = process::id();
        if !USED.lock().insert(name.to_owned()) {
            return Err(ScopeError::Exists(name.to_owned()));
        }
        Ok(Self { owner, name: name.to_owned() })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.name
    }

    /// Returns whether this process made the scope, and is no forked copy.
    pub(super) fn is_own(&self) -> bool {
        self.owner == process::id()
    }
}

impl Drop for UsedName {
    fn drop(&mut self) {
        if self.is_own() {
            USED.lock().remove(&self.name);
        }
    }
}

/// Returns what is wrong with a name.
fn defect(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.len() > MOST_BYTES {
        return Some("it has more than 200 bytes");
    }
    if name == "." || name == ".." {
        return Some("it names a folder above");
    }
    if name.contains('/') {
        return Some("it has a slash");
    }
    if name.chars().any(char::is_control) {
        return Some("it has a control character");
    }
    let first = name.split_once('.').map(|(first, _)| first);
    if first.is_some_and(|first| RESERVED.contains(&first)) {
        return Some("it begins as the kernel's files in a cgroup do");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_folder_that_no_file_of_the_kernel_has() {
        for good in ["job-17", "a b", "memory", "cgroupx.y", "é", "...", ".x", &"n".repeat(200)] {
            assert_eq!(defect(good), None, "{good}");
        }
        let long = "n".repeat(201);
        for bad in ["", ".", "..", "a/b", "/", "a\0b", "a\nb", "cgroup.procs", "memory.x", &long] {
            assert!(defect(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_free_again_after_its_drop() {
        let name = UsedName::new("unit-test").unwrap();
        assert!(matches!(UsedName::new("unit-test"), Err(ScopeError::Exists(_))));
        drop(name);
        UsedName::new("unit-test").unwrap();
    }
}

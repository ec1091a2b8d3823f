//! Scopes for tests: made where the system has cgroups that a test may use, and gone after the test.

use std::fs;
use std::path::{Path, PathBuf};

use procession_process_transport::{Scope, ScopeMechanism};
use procession_test_support::{Leaks, bound, ms, skip_here};
use rustix::event::{Timespec, poll};

/// Makes a scope that is a cgroup; skips the test if it is none.
pub(crate) fn cgroup_or_skip(test: &str) -> Option<Scope> {
    let scope = Scope::new(test).expect("a valid name");
    if scope.mechanism() == ScopeMechanism::Cgroup {
        return Some(scope);
    }
    skip_here(test, "it takes cgroups of version 2 in which it may make one");
    None
}

/// Ends a scope, and checks that its folder is gone.
pub(crate) fn ends_without_a_trace(scope: Scope) {
    let folder = folder(&scope);
    drop(scope);
    assert!(!folder.exists(), "{} is left", folder.display());
}

/// Returns the folder of a scope that is a cgroup.
pub(crate) fn folder(scope: &Scope) -> PathBuf {
    scope.path().expect("it is a cgroup").to_owned()
}

/// Returns the path of a process's cgroup of version 2, within its hierarchy.
pub(crate) fn cgroup_of(pid: u32) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_owned()
}

/// Returns whether a path of a cgroup, or the text of `/proc/PID/cgroup`, names that folder or one in
/// it.
pub(crate) fn is_in(folder: &Path, cgroup: &str) -> bool {
    let name = folder.file_name().expect("a name").to_str().expect("text");
    cgroup.split(['/', '\n']).any(|part| part == name)
}

/// Waits until a condition holds; fails after ten seconds.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..bound(ms(10_000)).as_millis() {
        if is_so() {
            return;
        }
        poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 })).ok();
    }
    panic!("not within ten seconds: {what}");
}

/// Checks that nothing is left of a test but what it had at the beginning.
pub(crate) fn nothing_is_left(leaks: &Leaks) {
    leaks.assert_none();
}

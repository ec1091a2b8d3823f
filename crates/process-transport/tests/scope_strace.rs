//! Area SC: how a child comes into its scope, seen by strace. Without strace, the test reports that it
//! skips.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;
#[path = "spawn_paths/paths.rs"]
mod paths;
#[path = "spawn_paths/trace.rs"]
mod trace;
#[path = "spawn_paths/traced.rs"]
mod traced;
#[path = "spawn_paths/watch.rs"]
mod watch;

use procession_process_transport::Fd;
use procession_protocol::SpawnPath;

use crate::filter::{Calls, answer};
use crate::paths::{by, paths};
use crate::trace::Call;
use crate::traced::{mark, place, traced};
use crate::util::scopes::{cgroup_or_skip, ends_without_a_trace};
use crate::util::{isolated, skip_here};

/// Whether the library has the call: see `sys/clone_into.rs`.
const HAS_CLONE3: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// Starts a child in a scope by each path, with a mark for each.
fn starts_one_by_each_path(name: &str, refused: bool) {
    let Some(scope) = cgroup_or_skip(name) else { return };
    if refused {
        answer(libc::SYS_clone3, Calls::All, libc::ENOSYS);
    }
    for path in paths() {
        let command = by(path, "/bin/true").scope(&scope).child_fd(1, Fd::null());
        mark(&format!("{path:?}"));
        let ended = command.spawn().expect("it starts").wait().expect("it is ours");
        assert!(ended.is_ok(), "{ended:?}");
    }
    mark("end");
    ends_without_a_trace(scope);
}

/// The calls of the parent and of the child in one launch.
struct Launch<'a> {
    parent: Vec<&'a Call>,
    child: Vec<&'a Call>,
}

/// Returns the calls after the mark of a path: those of the parent, and those of the child up to its
/// exec.
fn launch(log: &[Call], path: SpawnPath) -> Launch<'_> {
    let begin = place(log, &format!("{path:?}"));
    let parent_pid = log[begin].pid;
    let known: Vec<u32> = log[..begin].iter().map(|call| call.pid).collect();
    let marked = log[begin + 1..].iter().take_while(|call| !call.text.contains("/procession/"));
    let (parent, others): (Vec<_>, Vec<_>) = marked.partition(|call| call.pid == parent_pid);
    let child: Vec<_> = others.into_iter().filter(|call| !known.contains(&call.pid)).collect();
    let exec = child.iter().position(|call| call.name() == "execve").expect("an exec");
    Launch { parent, child: child[..=exec].to_vec() }
}

/// Returns whether the log has the marks; a scope that is no cgroup makes none.
fn is_marked(log: &[Call]) -> bool {
    log.iter().any(|call| call.text.contains("/procession/end"))
}

/// Case SC-25. The kernel puts the child there, and nobody writes its number.
#[test]
fn a_child_is_put_into_its_scope_by_its_clone() {
    let name = "a_child_is_put_into_its_scope_by_its_clone";
    if !HAS_CLONE3 {
        return skip_here(name, "this architecture has no such clone here");
    }
    isolated(name, || {
        let log = traced(name, || starts_one_by_each_path(name, false));
        let Some(log) = log.filter(|log| is_marked(log)) else { return };
        for path in paths() {
            let Launch { parent, child } = launch(&log, path);
            let is_into = |call: &&&Call| call.text.contains("CLONE_INTO_CGROUP");
            let clones: Vec<_> = parent.iter().filter(is_into).collect();
            assert_eq!(clones.len(), 1, "{path:?}: {parent:?}");
            assert_eq!(clones[0].name(), "clone3");
            let result = format!(" = {}", child[0].pid);
            assert!(clones[0].text.ends_with(&result), "{path:?}: {:?}", clones[0]);
            let mut calls = parent.iter().chain(&child);
            assert!(!calls.any(|call| call.text.contains("cgroup.procs")), "{path:?}: {child:?}");
        }
    });
}

/// Case SC-25. Where the call is refused, the child writes its own number, before its exec.
#[test]
fn without_that_clone_the_child_writes_its_number_before_its_exec() {
    let name = "without_that_clone_the_child_writes_its_number_before_its_exec";
    isolated(name, || {
        let log = traced(name, || starts_one_by_each_path(name, true));
        let Some(log) = log.filter(|log| is_marked(log)) else { return };
        for path in paths() {
            let Launch { parent, child } = launch(&log, path);
            let refused = |call: &&Call| call.name() == "clone3" && call.text.contains("ENOSYS");
            let is_tried = parent.iter().any(refused);
            assert_eq!(is_tried, HAS_CLONE3, "{path:?}: {parent:?}");
            let opens = |call: &&Call| call.text.contains("cgroup.procs");
            assert!(!parent.iter().any(opens), "{path:?}: {parent:?}");
            let open = child.iter().position(opens).expect("the child opens the file");
            let write = &child[open + 1];
            assert!(write.text.starts_with("write("), "{path:?}: {write:?}");
            let (arguments, result) = write.text.split_once(')').expect("a result");
            assert!(arguments.ends_with("\"0\", 1"), "{path:?}: {write:?}");
            assert_eq!(result.trim_start(), "= 1", "{path:?}: {write:?}");
            assert_eq!(child.last().expect("an exec").name(), "execve");
        }
    });
}

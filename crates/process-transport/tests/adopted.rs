//! Orphans that a program adopts, as the first process of a PID namespace or as a subreaper, and
//! who reaps them.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

use rustix::process::{getpid, set_child_subreaper};

use crate::util::{Leaks, command, isolated, isolated_as_pid_1};

/// Checks that the first spawn leaves no process of the library's own behind, such as the ones that
/// probe which spawn paths work here.
fn assert_first_spawn_leaves_no_child() {
    let mut child = command("/bin/true").spawn().expect("it is there");
    assert!(child.wait().expect("it is ours").is_ok());
    Leaks::assert_no_children();
    assert!(command("/no/such/program").spawn().is_err());
    Leaks::assert_no_children();
}

/// Case OR-01.
#[test]
fn the_first_spawn_of_pid_1_leaves_no_zombie() {
    isolated_as_pid_1("the_first_spawn_of_pid_1_leaves_no_zombie", || {
        assert_eq!(std::process::id(), 1);
        assert_first_spawn_leaves_no_child();
    });
}

/// Case OR-01.
#[test]
fn the_first_spawn_of_a_subreaper_leaves_no_zombie() {
    isolated("the_first_spawn_of_a_subreaper_leaves_no_zombie", || {
        assert!(set_child_subreaper(Some(getpid())).is_ok(), "it only takes a number");
        assert_first_spawn_leaves_no_child();
    });
}

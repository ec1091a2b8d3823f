//! The first launch is its own probe: the library starts no other process. If a filter kills the
//! child on one path, or a path cannot be taken, the launch takes the next path.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;

use std::os::fd::AsRawFd;

use procession_process_transport::{Command, Spawned, Step};
use procession_protocol::SpawnPath;

use crate::filter::{Calls, answer, kill, kills_spare_the_parent_or_skip};
use crate::util::{Leaks, PROBE, code, forced_path, isolated, root_or_skip, signal, skip, sys};

fn exits(code: &str) -> Command {
    Command::new(PROBE).args(["exit", code])
}

fn exit_code(mut child: Spawned) -> Option<i32> {
    code(&child.wait().expect("it is our child"))
}

/// The child is the first process of the namespace, as a child of `std` would be. The namespace
/// ends with its first process, so no process can have been there before.
#[test]
fn the_first_child_in_a_new_pid_namespace_is_its_first_process() {
    isolated("the_first_child_in_a_new_pid_namespace_is_its_first_process", || {
        if !root_or_skip("unshare(CLONE_NEWPID)") {
            return;
        }
        for path in [None, Some(SpawnPath::SharedMemory), Some(SpawnPath::Fork)] {
            sys::in_a_copy(|| {
                sys::new_pid_namespace();
                let command = Command::new("/bin/sh").args(["-c", "echo $$"]);
                let command = match path {
                    Some(path) => command.spawn_path(path),
                    None => command,
                };
                let output = command.spawn().expect("it starts").output().expect("it ends");
                assert_eq!(output.stdout(), b"1\n");
                Leaks::assert_no_children();
            });
        }
    });
}

/// A filter may kill a process that makes a call which only some paths make.
#[test]
fn a_call_that_kills_is_not_made_where_another_path_does_without() {
    isolated("a_call_that_kills_is_not_made_where_another_path_does_without", || {
        if !kills_spare_the_parent_or_skip(
            "a_call_that_kills_is_not_made_where_another_path_does_without",
        ) {
            return;
        }
        if forced_path().is_some() {
            return;
        }
        for call in [libc::SYS_close_range, libc::SYS_recvmsg] {
            for is_first in [true, false] {
                sys::in_a_copy(|| {
                    if !is_first {
                        assert_eq!(exit_code(exits("0").spawn().unwrap()), Some(0));
                    }
                    kill(call);
                    let high = sys::copy_at(std::fs::File::open("/dev/null").unwrap(), 1500, false);
                    let low = sys::copy_at(&high, 200, false);
                    for _ in 0..2 {
                        let child = exits("7").spawn().unwrap();
                        assert_eq!(child.spawned_by(), SpawnPath::SharedMemory);
                        assert_eq!(exit_code(child), Some(7));
                        let listed = Command::new(PROBE).args(["fdlist", "1"]).spawn().unwrap();
                        let output = listed.output().unwrap();
                        assert_eq!(String::from_utf8_lossy(output.stdout()), "[0, 1, 2]");
                        let error = Command::new("/no/such/program").spawn().unwrap_err();
                        assert_eq!((error.step(), error.raw_os_error()), (Step::Exec, Some(2)));
                        // The same with a closure, and with forced paths.
                        assert_eq!(
                            exit_code(sys::pre_exec(exits("8"), 0).spawn().unwrap()),
                            Some(8)
                        );
                        for path in [SpawnPath::SharedMemory, SpawnPath::Fork] {
                            let forced = exits("9").spawn_path(path).spawn().unwrap();
                            assert_eq!(exit_code(forced), Some(9));
                        }
                    }
                    assert!(low.as_raw_fd() == 200 && high.as_raw_fd() == 1500);
                    Leaks::assert_no_children();
                });
            }
        }
    });
}

/// Every child that ends causes SIGCHLD, also a child that a filter killed before another path was
/// tried. The count of signals shows the attempts.
#[test]
fn a_path_that_has_failed_is_not_tried_again() {
    isolated("a_path_that_has_failed_is_not_tried_again", || {
        if !kills_spare_the_parent_or_skip("a_path_that_has_failed_is_not_tried_again") {
            return;
        }
        if forced_path().is_some() {
            return;
        }
        for call in [libc::SYS_close_range, libc::SYS_recvmsg] {
            sys::in_a_copy(|| {
                kill(call);
                sys::count_signal(libc::SIGCHLD);
                assert_eq!(exit_code(exits("7").spawn().unwrap()), Some(7));
                let tried = sys::counted();
                assert!(tried > 1, "{tried}");
                assert_eq!(exit_code(exits("7").spawn().unwrap()), Some(7));
                assert_eq!(sys::counted() - tried, 1);
            });
        }
    });
}

/// If every path makes the call, the child's end is reported as a death by signal. The library then
/// still takes its usual path.
#[test]
fn a_call_that_kills_on_every_path_is_the_childs_end() {
    isolated("a_call_that_kills_on_every_path_is_the_childs_end", || {
        if !kills_spare_the_parent_or_skip("a_call_that_kills_on_every_path_is_the_childs_end") {
            return;
        }
        sys::in_a_copy(|| {
            kill(libc::SYS_setsid);
            let mut child = exits("0").new_session().spawn().unwrap();
            assert_eq!(signal(&child.wait().unwrap()), Some(libc::SIGSYS));
            let usual = exits("3").spawn().unwrap();
            assert_eq!(usual.spawned_by(), SpawnPath::SharedFiles);
            assert_eq!(exit_code(usual), Some(3));
            Leaks::assert_no_children();
        });
    });
}

/// A program that a filter kills after its exec is not started again.
#[test]
fn a_program_that_is_killed_after_its_exec_runs_once() {
    isolated("a_program_that_is_killed_after_its_exec_runs_once", || {
        let is_filtered = !cfg!(target_pointer_width = "32");
        if !is_filtered {
            skip("a program that a filter kills", "it may have 64 bits, and the filter is for 32");
        }
        sys::in_a_copy(|| {
            if !is_filtered {
                return;
            }
            // `nice` makes this call, and no spawn path does.
            kill(libc::SYS_setpriority);
            let script = "echo once; exec nice -n 1 true";
            let child = Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
            let output = child.output().unwrap();
            assert_eq!(output.stdout(), b"once\n");
            Leaks::assert_no_children();
        });
        sys::in_a_copy(|| {
            answer(libc::SYS_clone, Calls::With { index: 0, flag: 0x400 }, libc::EPERM);
            assert_eq!(exit_code(exits("3").spawn().unwrap()), Some(3));
            Leaks::assert_no_children();
        });
    });
}

//! Statuses that this process does not get by waiting, and what is said where they are lost.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;

use procession_process_transport::Command;
use procession_protocol::{ExitReason, ProcessTerminated, UnknownEnd};

use crate::filter::{Calls, answer};
use crate::util::{Driver, WATCHDOG, behaviour, isolated, keeps_statuses, sh, sys};

/// What is to be known of the end: the status where the kernel keeps it, else why it is not known.
fn expected(code: i32, why: UnknownEnd) -> ProcessTerminated {
    if keeps_statuses() { ProcessTerminated::exited(code) } else { ProcessTerminated::unknown(why) }
}

/// How a child ends that is spawned and waited for without a loop.
fn waited(command: Command) -> ExitReason {
    command.spawn().expect("it starts").wait().expect("it ends")
}

/// Case D12: a program that inherited an ignored SIGCHLD has the status by the child's pidfd, or says
/// what is wrong.
#[test]
fn with_sigchld_ignored_the_kernel_is_asked_for_the_status() {
    behaviour("with_sigchld_ignored_the_kernel_is_asked_for_the_status", |driver| {
        for ignore in [sys::ignore, sys::leave_no_zombies] {
            ignore(libc::SIGCHLD);
            let why = UnknownEnd::SigchldIgnored;
            assert_eq!(driver.run(sh("exit 3")).ended(), Some(Err(expected(3, why))));
            assert_eq!(waited(sh("exit 4")), Err(expected(4, why)));
            assert_eq!(waited(sh("kill -9 $$")).unwrap_err().is_lost(), !keeps_statuses());
            if keeps_statuses() {
                assert!(driver.run(sh("exit 0")).ended().unwrap().is_ok());
                assert_eq!(driver.run(sh("kill -9 $$")).signal(), 9);
                let many: Vec<_> = (0..50).map(|_| driver.spawn(sh("exit 7"))).collect();
                driver.drive_all_to_end(WATCHDOG);
                assert!(many.iter().all(|child| child.record.code() == 7));
            }
            // Nobody keeps anything where there is no pidfd.
            let blind = waited(sh("exit 5").without_pidfd());
            assert_eq!(blind, Err(ProcessTerminated::unknown(why)));
            let text = "ended with an unknown status: SIGCHLD is ignored in this program";
            assert_eq!(blind.unwrap_err().to_string(), text);
            sys::default_action(libc::SIGCHLD);
        }
        assert_eq!(driver.run(sh("exit 3")).code(), 3);
    });
}

/// A filter that refuses `waitid` alone does not hide the status.
#[test]
fn where_waitid_is_not_permitted_another_call_is_tried() {
    isolated("where_waitid_is_not_permitted_another_call_is_tried", || without_waitid(libc::EPERM));
}

/// The same of one that says that there is no such call.
#[test]
fn where_there_is_no_waitid_another_call_is_tried() {
    isolated("where_there_is_no_waitid_another_call_is_tried", || without_waitid(libc::ENOSYS));
}

fn without_waitid(errno: i32) {
    let mut driver = Driver::new();
    answer(libc::SYS_waitid, Calls::All, errno);
    assert_eq!(driver.run(sh("exit 3")).code(), 3);
    assert_eq!(driver.run(sh("exit 3").without_pidfd()).code(), 3);
    assert_eq!(waited(sh("exit 4")).map_err(|ended| ended.exit_code()), Err(Some(4)));
    driver.finish();
}

/// A filter that refuses every wait is named as what it is, and not as somebody else who waited.
#[test]
fn a_wait_that_is_refused_is_said_to_be() {
    isolated("a_wait_that_is_refused_is_said_to_be", || {
        let mut driver = Driver::new();
        for call in [libc::SYS_waitid, libc::SYS_wait4] {
            answer(call, Calls::All, libc::EPERM);
        }
        let ended = driver.run(sh("exit 3")).ended().expect("it has ended").unwrap_err();
        assert_eq!(ended.unknown_end(), Some(UnknownEnd::WaitRefused(libc::EPERM)));
        let text = "ended with an unknown status: the system refuses to wait for it: \
                    Operation not permitted";
        assert_eq!(ended.to_string(), text);
        let error = sh("exit 4").spawn().expect("it starts").wait().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    });
}

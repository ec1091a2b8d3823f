//! Statuses that this process does not get by waiting, and the reasons that are reported if they
//! are lost.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;

use procession_process_transport::Command;
use procession_protocol::{ExitReason, ProcessTerminated, UnknownEnd};

use crate::filter::{Calls, answer};
use crate::util::{Driver, WATCHDOG, behaviour, isolated, keeps_statuses, sh, sys};

/// The expected end: the status if the kernel keeps it, and otherwise the reason for its loss.
fn expected(code: i32, why: UnknownEnd) -> ProcessTerminated {
    if keeps_statuses() { ProcessTerminated::exited(code) } else { ProcessTerminated::unknown(why) }
}

/// Spawns a child without a loop and waits for it. Returns its reason.
fn waited(command: Command) -> ExitReason {
    command.spawn().expect("it starts").wait().expect("it ends")
}

/// Case D12: a program that inherited an ignored SIGCHLD gets the status through the child's pidfd,
/// or reports the cause of the loss.
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
            // Without a pidfd, the status is lost.
            let blind = waited(sh("exit 5").without_pidfd());
            assert_eq!(blind, Err(ProcessTerminated::unknown(why)));
            let text = "ended with an unknown status: SIGCHLD is ignored in this program";
            assert_eq!(blind.unwrap_err().to_string(), text);
            sys::default_action(libc::SIGCHLD);
        }
        assert_eq!(driver.run(sh("exit 3")).code(), 3);
    });
}

/// A filter that refuses only `waitid` does not hide the status.
#[test]
fn if_waitid_is_not_permitted_another_call_is_tried() {
    isolated("if_waitid_is_not_permitted_another_call_is_tried", || without_waitid(libc::EPERM));
}

/// The same for a filter that answers that the call does not exist.
#[test]
fn if_waitid_does_not_exist_another_call_is_tried() {
    isolated("if_waitid_does_not_exist_another_call_is_tried", || without_waitid(libc::ENOSYS));
}

fn without_waitid(errno: i32) {
    let mut driver = Driver::new();
    answer(libc::SYS_waitid, Calls::All, errno);
    assert_eq!(driver.run(sh("exit 3")).code(), 3);
    assert_eq!(driver.run(sh("exit 3").without_pidfd()).code(), 3);
    assert_eq!(waited(sh("exit 4")).map_err(|ended| ended.exit_code()), Err(Some(4)));
    driver.finish();
}

/// If a filter refuses every wait, the reason names the refusal, and not another process that
/// waited.
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

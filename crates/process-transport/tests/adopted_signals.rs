//! Reaping adopted orphans when SIGCHLD does not arrive as usual: it is ignored, blocked, or
//! handled by another handler.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

use procession_process_transport::{Command, Fd, ReapOrphans};
use procession_protocol::SpawnPath;
use rustix::process::{getpid, set_child_subreaper};

use crate::util::{Driver, WATCHDOG, children, forced_path, isolated, keeps_statuses, sh, sys};

/// A leader that exits with 3. Its background process ends later, as an orphan that this program
/// adopts.
fn leaves_orphan() -> Command {
    sh("sleep 0.1 & exit 3")
        .child_fds([(0, Fd::null()), (1, Fd::null()), (2, Fd::null())])
        .owned(true)
}

fn subreaper() -> Driver {
    set_child_subreaper(Some(getpid())).expect("it only takes a number");
    Driver::new()
}

fn until_no_children(driver: &mut Driver) {
    driver.until_seen("nobody is left", WATCHDOG, || children().is_empty());
}

/// Starts such a leader and drives it to its end. Returns the member of its group that is left.
fn run_leaving_one(driver: &mut Driver) -> Option<u32> {
    let child = driver.spawn(leaves_orphan());
    driver.drive_to_end(&child.record);
    assert_eq!(child.record.code(), 3);
    children().first().map(|(pid, ..)| *pid)
}

/// Case OR-07. If the signal was ignored before, the watch handles it from then on. If it is
/// ignored later, the kernel reaps.
#[test]
fn no_orphan_is_left_if_the_signal_is_ignored() {
    isolated("no_orphan_is_left_if_the_signal_is_ignored", || {
        let mut driver = subreaper();
        sys::ignore(libc::SIGCHLD);
        driver.reactor().reap_orphans().expect("SIGCHLD can be watched");
        run_leaving_one(&mut driver);
        until_no_children(&mut driver);
        sys::ignore(libc::SIGCHLD);
        let child = driver.spawn(leaves_orphan());
        driver.drive_to_end(&child.record);
        // A forked copy of this process may be gone before its pidfd is opened, and its status is
        // then lost.
        if keeps_statuses() && forced_path() != Some(SpawnPath::Fork) {
            assert_eq!(child.record.code(), 3);
        }
        until_no_children(&mut driver);
        sys::default_action(libc::SIGCHLD);
    });
}

/// Case OR-07. A handler that was there before still runs. A handler that later replaces the watch
/// leaves_orphan the reaping to the next spawn.
#[test]
fn no_orphan_is_left_if_the_signal_has_another_handler() {
    isolated("no_orphan_is_left_if_the_signal_has_another_handler", || {
        let mut driver = subreaper();
        sys::count_signal(libc::SIGCHLD);
        driver.reactor().reap_orphans().expect("SIGCHLD can be watched");
        run_leaving_one(&mut driver);
        until_no_children(&mut driver);
        let before = sys::counted();
        assert!(before >= 2, "the leader and its member: {before}");
        sys::count_signal(libc::SIGCHLD);
        let member = run_leaving_one(&mut driver).expect("it sleeps");
        sys::wait_until_zombie(member);
        assert!(sys::counted() > before, "it is not chained");
        assert!(sh("exit 0").spawn().unwrap().wait().unwrap().is_ok());
        assert_eq!(children(), []);
    });
}

/// Case OR-07. Every thread blocks the signal, as a program does that reads it from a signalfd. The
/// next spawn reaps.
#[test]
fn no_orphan_is_left_if_every_thread_blocks_the_signal() {
    isolated("no_orphan_is_left_if_every_thread_blocks_the_signal", || {
        // The copy has only this thread.
        sys::in_a_copy(|| {
            sys::block(&[libc::SIGCHLD]);
            let mut driver = subreaper();
            driver.reactor().reap_orphans().expect("SIGCHLD can be watched");
            let member = run_leaving_one(&mut driver).expect("it sleeps");
            sys::wait_until_zombie(member);
            assert!(sh("exit 0").spawn().unwrap().wait().unwrap().is_ok());
            assert_eq!(children(), []);
        });
    });
}

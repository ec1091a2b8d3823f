//! Terminating a child that is stopped.
#![cfg(feature = "reactor")]

mod util;

use std::time::Duration;

use procession_core::Signal;

use crate::util::{PROMPTLY, WATCHDOG, behaviour, bound, command, process_state};

/// Case TM-16. A stopped child neither dies of TERM nor handles it, so the termination continues
/// it.
#[test]
fn a_stopped_child_is_continued_so_that_it_can_end() {
    behaviour("a_stopped_child_is_continued_so_that_it_can_end", |driver| {
        for owned in [false, true] {
            let child = driver.spawn(command("/bin/sleep").arg("100").owned(owned));
            let pid = child.process.pid().unwrap();
            child.process.signal(Signal::STOP).unwrap();
            driver.until_seen("it is stopped", WATCHDOG, || process_state(pid) == 'T');
            // The grace is longer than the watchdog, so KILL cannot help.
            let ended = child.process.terminate(Signal::TERM, Duration::from_secs(100));
            let begin = driver.now();
            driver.until("it has ended", WATCHDOG, || child.record.ended().is_some());
            assert!(driver.now() - begin < bound(PROMPTLY) * 10);
            assert_eq!(child.record.signal(), libc::SIGTERM);
            assert!(matches!(ended.try_take(), Some(Ok(_))));
        }
    });
}

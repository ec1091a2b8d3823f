//! What a termination keeps, and for how long.

mod util;

use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::Fd;

use rustix::process::{Pid, WaitId, WaitIdOptions, getpid, set_child_subreaper, waitid};

use crate::util::{Spawned, WATCHDOG, behaviour, ms, open_fds, sh};

/// The descendants of a leader that was reaped are gone long before the grace is over: nothing is
/// kept for their KILL.
#[test]
fn nothing_is_kept_for_a_group_that_is_empty() {
    behaviour("nothing_is_kept_for_a_group_that_is_empty", |driver| {
        // A zombie is a member of its group, and not every first process reaps orphans.
        set_child_subreaper(Some(getpid())).expect("it only takes a number");
        for script in ["exec sleep 100", "trap 'exit 0' TERM; sleep 100 & wait", LINGERS] {
            let child = driver.spawn(sh(script).owned(true).child_fds([(1, Fd::from_child())]));
            let pidfds = || open_fds().values().filter(|link| link.contains("pidfd")).count();
            assert_eq!(pidfds(), 1);
            driver.run_for(ms(100));
            let Spawned { process, record } = child;
            let group = process.group().and_then(|group| Pid::from_raw(group.cast_signed()));
            let reap_orphans = || {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
                while let Ok(Some(_)) = waitid(WaitId::Pgid(group), options) {}
            };
            process.terminate(Signal::TERM, Duration::from_secs(60)).detach();
            drop(process);
            driver.drive_to_end(&record);
            driver.until_seen("the pidfd is closed", WATCHDOG, || {
                reap_orphans();
                pidfds() == 0
            });
            let begun = driver.now();
            driver.reactor().turn(Some(ms(300))).unwrap();
            assert!(driver.now() - begun >= ms(290), "no timer is left");
        }
    });
}

/// Its descendant does not hold the pipe, and outlives it for half a second.
const LINGERS: &str = "(trap '' TERM; sleep 0.5) >/dev/null 2>&1 & trap 'exit 0' TERM; wait";

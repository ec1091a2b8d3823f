//! The resources that a termination keeps, and how long it keeps them.
#![cfg(feature = "reactor")]

mod util;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use procession_core::{Failed, Signal};
use procession_process_transport::Fd;
use procession_protocol::{SignalError, Termination};
use rustix::process::{
    Pid, WaitId, WaitIdOptions, getpid, kill_process_group, set_child_subreaper, waitid,
};

use crate::util::{
    Driver, Spawned, WATCHDOG, behaviour, children, isolated, ms, open_fds, process_state, sh,
    signals_groups_by_pidfd,
};

/// The leader is reaped, and its descendants end long before the grace is over. Nothing is then
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

/// The descendant does not hold the pipe, and outlives the leader by half a second.
const LINGERS: &str = "(trap '' TERM; sleep 0.5) >/dev/null 2>&1 & trap 'exit 0' TERM; wait";

/// Starts a leader that ends at once, and its descendant, which runs the given `trap`. Returns when
/// the leader is reaped.
fn leave_a_group(driver: &mut Driver, trap: &str) -> (Spawned, Pid) {
    let script = format!("({trap} echo up; exec sleep 100) & exit 0");
    let child = driver.spawn(sh(&script).owned(true));
    let group = Pid::from_raw(child.process.pid().expect("it runs").cast_signed());
    driver.until("the leader is reaped", WATCHDOG, || child.record.exited().is_some());
    driver.until("its descendant is there", WATCHDOG, || child.record.text(1) == "up\n");
    (child, group.expect("a pid is not 0"))
}

/// Reaps the orphans of a group, as the first process of a system does.
fn reap_orphans(group: Pid) {
    while let Ok(Some(_)) =
        waitid(WaitId::Pgid(Some(group)), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    {}
}

/// Returns whether the library signals the group of a reaped leader.
fn can_be_signalled(child: &Spawned) -> bool {
    child.process.signal_group(Signal::from_raw(0)).is_ok()
}

/// When its leader is reaped, a termination ends the group and waits for it.
#[test]
fn a_group_is_terminated_after_its_leader_was_reaped() {
    behaviour("a_group_is_terminated_after_its_leader_was_reaped", |driver| {
        set_child_subreaper(Some(getpid())).expect("it only takes a number");
        for (trap, grace, again, escalated) in [
            ("", Duration::MAX, false, false),
            ("trap '' TERM;", ms(50), false, true),
            ("trap '' TERM;", Duration::MAX, true, true),
        ] {
            let (child, group) = leave_a_group(driver, trap);
            assert_eq!(can_be_signalled(&child), signals_groups_by_pidfd());
            if can_be_signalled(&child) {
                let ended = Rc::new(Cell::new(0));
                for _ in 0..=usize::from(again) {
                    let told_of = ended.clone();
                    let told = move |result: Result<Termination, Failed<SignalError>>| {
                        let termination = result.expect("it was told to end");
                        assert_eq!(termination.escalated(), escalated);
                        assert!(termination.reason().is_ok(), "the leader's: {termination:?}");
                        told_of.set(told_of.get() + 1);
                    };
                    child.process.terminate(Signal::TERM, grace).done(told);
                    assert_eq!(ended.get(), 0, "the loop tells, not the call that escalates");
                }
                let wanted = 1 + usize::from(again);
                driver.until_seen("whoever waits is told", WATCHDOG, || {
                    reap_orphans(group);
                    ended.get() == wanted
                });
            } else {
                // A living member keeps the number, but the library cannot know that there is one.
                kill_process_group(group, rustix::process::Signal::KILL).expect("a member lives");
            }
            driver.drive_to_end(&child.record);
            driver.until_seen("nobody is left", WATCHDOG, || {
                reap_orphans(group);
                children().is_empty()
            });
        }
    });
}

/// The leader died of the first signal. A program that ends then does not leave a member that
/// ignores the signal behind.
#[test]
fn the_drop_of_the_reactor_kills_the_rest_of_a_terminated_group() {
    isolated("the_drop_of_the_reactor_kills_the_rest_of_a_terminated_group", || {
        set_child_subreaper(Some(getpid())).expect("it only takes a number");
        let mut driver = Driver::new();
        let script = "(trap '' TERM; echo $(exec sh -c 'echo $PPID'); exec sleep 100) & wait";
        let child = driver.spawn(sh(script).owned(true).kill_grace(ms(100)));
        driver.until("its descendant is there", WATCHDOG, || child.record.text(1).ends_with('\n'));
        let member = child.record.text(1).trim().parse().expect("a pid");
        child.process.terminate(Signal::TERM, Duration::MAX).detach();
        let leader = child.process.pid().expect("it runs");
        driver.until_seen("the leader has ended", WATCHDOG, || process_state(leader) == 'Z');
        driver.run_for(ms(50));
        drop(driver);
        // This process has adopted the member, which is reaped with the leader.
        assert_eq!((process_state(leader), process_state(member)), ('X', 'X'));
    });
}

/// A wait for a termination reports that the termination is abandoned, and its callback may use the
/// process.
#[test]
fn a_termination_that_outlives_the_reactor_is_abandoned_outside_of_any_borrow() {
    isolated("a_termination_that_outlives_the_reactor_is_abandoned_outside_of_any_borrow", || {
        let mut driver = Driver::new();
        let deaf = sh("trap '' TERM; echo up; exec sleep 100").kill_grace(ms(100));
        let child = driver.spawn(deaf);
        driver.until("it is up", WATCHDOG, || child.record.text(1) == "up\n");
        let (seen, process) = (Rc::new(Cell::new(false)), child.process.clone());
        let (asked, told) = (process.clone(), seen.clone());
        process.terminate(Signal::TERM, Duration::MAX).done(move |result| {
            assert!(matches!(result, Err(Failed::Abandoned)), "{result:?}");
            assert_eq!(asked.pid(), None, "the drop of the reactor reaps it");
            told.set(true);
        });
        drop(driver);
        assert!(seen.get());
        assert_eq!(children(), [], "its KILL came");
    });
}

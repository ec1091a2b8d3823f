//! The end of `run_until`: the groups that the program owns end before it returns.
#![cfg(feature = "reactor")]

mod util;

use std::future::pending;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::SpawnProcess;
use procession_protocol::Process;
use procession_reactor::{Handle, Phase, Stopped, SystemEvent};

use crate::util::{Driver, Recorder, WATCHDOG, behaviour, command, ms, sh};

/// Stops the reactor once the children have reported that they are ready.
async fn stopped_when(ready: impl Fn() -> bool) {
    let handle = Handle::current();
    while !ready() {
        handle.sleep(ms(2)).await;
    }
    handle.stop();
    pending::<()>().await;
}

/// A child that takes a while to end after TERM, and exits with 7.
const CAREFUL: &str = "trap 'sleep 0.2; exit 7' TERM; echo ready; while :; do sleep 0.01; done";

#[test]
fn a_stop_ends_owned_groups_before_it_returns_and_leaves_others_alone() {
    let test = "a_stop_ends_owned_groups_before_it_returns_and_leaves_others_alone";
    behaviour(test, |driver| {
        let careful = driver.spawn(sh(CAREFUL).owned(true));
        let plain = driver.spawn(command("/bin/sleep").arg("60").owned(true));
        let other = driver.spawn(command("/bin/sleep").arg("0.6"));
        let record = careful.record.clone();
        let stopped = driver.reactor().run_until(stopped_when(move || !record.text(1).is_empty()));
        assert_eq!(stopped, Err(Stopped::Called));
        assert_eq!((careful.record.code(), plain.record.signal()), (7, 15));
        assert!(other.process.pid().is_some());
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(other.record.code(), 0);
    });
}

/// A second call of `terminate` would kill the child at once.
#[test]
fn a_termination_that_is_under_way_is_only_waited_for() {
    let test = "a_termination_that_is_under_way_is_only_waited_for";
    behaviour(test, |driver| {
        let of_a_trigger = driver.spawn(sh(CAREFUL).owned(true));
        let of_the_future = driver.spawn(sh(CAREFUL).owned(true));
        let [one, two] = [&of_a_trigger, &of_the_future].map(|child| child.record.clone());
        let process = of_a_trigger.process.clone();
        driver.reactor().add_system_event_trigger(
            Phase::Before,
            SystemEvent::Shutdown,
            move |_| process.terminate(Signal::TERM, WATCHDOG).done(drop),
        );
        let guard = TerminateOnDrop(of_the_future.process.clone(), WATCHDOG);
        let stopped = driver.reactor().run_until(async move {
            let _guard = guard;
            stopped_when(|| !one.text(1).is_empty() && !two.text(1).is_empty()).await;
        });
        assert_eq!(stopped, Err(Stopped::Called));
        assert_eq!((of_a_trigger.record.code(), of_the_future.record.code()), (7, 7));
        driver.drive_all_to_end(WATCHDOG);
    });
}

struct TerminateOnDrop(Process, Duration);

impl Drop for TerminateOnDrop {
    fn drop(&mut self) {
        self.0.terminate(Signal::TERM, self.1).done(drop);
    }
}

#[test]
fn a_child_that_ignores_the_signal_is_killed_after_its_grace() {
    behaviour("a_child_that_ignores_the_signal_is_killed_after_its_grace", |driver| {
        let deaf = sh("trap '' TERM; echo ready; while :; do sleep 0.01; done");
        let child = driver.spawn(deaf.owned(true));
        let (record, guard) =
            (child.record.clone(), TerminateOnDrop(child.process.clone(), ms(50)));
        let stopped = driver.reactor().run_until(async move {
            let _guard = guard;
            stopped_when(|| !record.text(1).is_empty()).await;
        });
        assert_eq!(stopped, Err(Stopped::Called));
        assert_eq!(child.process.pid(), None);
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(child.record.signal(), 9);
    });
}

/// The end of `run_until` leaves a running child alone, and waits for a termination that has begun.
#[test]
fn a_ready_future_waits_for_terminations_and_ends_nothing_by_itself() {
    let test = "a_ready_future_waits_for_terminations_and_ends_nothing_by_itself";
    behaviour(test, |driver| {
        let careful = driver.spawn(sh(CAREFUL).owned(true));
        let left = driver.spawn(command("/bin/sleep").arg("0.6").owned(true));
        let (record, process) = (careful.record.clone(), careful.process.clone());
        let done = driver.reactor().run_until(async move {
            while record.text(1).is_empty() {
                Handle::current().sleep(ms(2)).await;
            }
            drop(TerminateOnDrop(process, WATCHDOG));
            "done"
        });
        assert_eq!(done, Ok("done"));
        assert_eq!(careful.record.code(), 7);
        assert!(left.process.pid().is_some());
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(left.record.code(), 0);
    });
}

/// A background process of a child that has ended is not ended with the program.
#[test]
fn background_processes_of_a_child_that_has_ended_are_left_alone() {
    let test = "background_processes_of_a_child_that_has_ended_are_left_alone";
    behaviour(test, |driver| {
        let parent = driver.spawn(sh("(sleep 0.5; echo still here) & exit 0").owned(true));
        let process = parent.process.clone();
        let stopped = driver.reactor().run_until(stopped_when(move || process.pid().is_none()));
        assert_eq!(stopped, Err(Stopped::Called));
        driver.drive_all_to_end(WATCHDOG);
    });
}

/// A child that ends in the same turn causes no wait.
#[test]
fn a_group_that_is_gone_already_delays_nothing() {
    behaviour("a_group_that_is_gone_already_delays_nothing", |driver: &mut Driver| {
        let (recorder, record) = Recorder::new();
        let stopped = driver.reactor().run_until(async move {
            let child = command("/bin/true").owned(true);
            Handle::current().spawn_process(recorder, child).expect("it starts");
            stopped_when(|| record.ended().is_some()).await;
        });
        assert_eq!(stopped, Err(Stopped::Called));
    });
}

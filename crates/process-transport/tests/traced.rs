//! Area RZ: a child that has ended while a tracer, such as a debugger, holds it. Nobody can reap it
//! until the tracer lets go.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod tracer;
mod util;

use std::process::Child;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Command, SpawnProcess};
use procession_protocol::ProcessProtocol;
use procession_reactor::Reactor;

use crate::tracer::{is_tracer, let_go, tracer_of};
use crate::util::{
    Driver, Owner, Spawned, WATCHDOG, behaviour, bound, children, command, isolated, ms,
    process_state, root_or_skip,
};

/// Runs `body`. In the tracer, traces instead. Needs root.
fn traced(name: &str, body: impl FnOnce(&mut Driver)) {
    if is_tracer() {
        return;
    }
    behaviour(name, |driver| {
        if root_or_skip("tracing a process that is no child") {
            body(driver);
        }
    });
}

/// Starts a child, lets a tracer hold it, and kills it.
fn start_killed_under_tracer(
    driver: &mut Driver,
    name: &str,
    command: Command,
) -> (Spawned, Child) {
    let child = driver.spawn(command);
    let pid = child.process.pid().expect("it runs");
    let tracer = tracer_of(name, pid);
    child.process.signal(Signal::KILL).expect("it runs");
    driver.until_seen("its end", WATCHDOG, || process_state(pid) == 'Z');
    (child, tracer)
}

/// The library checks the child at growing intervals. Its end is reported once it can be reaped.
#[test]
fn a_child_that_a_tracer_holds_takes_no_processor() {
    const NAME: &str = "a_child_that_a_tracer_holds_takes_no_processor";
    traced(NAME, |driver| {
        for without_pidfd in [false, true] {
            let mut sleep = command("/bin/sleep").arg("60");
            if without_pidfd {
                sleep = sleep.without_pidfd();
            }
            let (child, tracer) = start_killed_under_tracer(driver, NAME, sleep);
            let turns = driver.turns_in(ms(600));
            assert!(turns < 40, "{turns} turns");
            assert!(child.record.exited().is_none(), "nobody can know of it");
            let_go(tracer);
            driver.until("the end", ms(1000), || child.record.ended().is_some());
            assert_eq!(child.record.signal(), 9);
        }
    });
}

/// The same for a child that is being terminated, alone or with its group.
#[test]
fn the_termination_of_a_child_that_a_tracer_holds_takes_no_processor() {
    const NAME: &str = "the_termination_of_a_child_that_a_tracer_holds_takes_no_processor";
    traced(NAME, |driver| {
        for owned in [false, true] {
            let child = driver.spawn(command("/bin/sleep").arg("60").owned(owned));
            let tracer = tracer_of(NAME, child.process.pid().expect("it runs"));
            let ended = child.process.terminate(Signal::KILL, Duration::ZERO);
            driver.run_for(ms(100));
            let turns = driver.turns_in(ms(600));
            assert!(turns < 60, "{turns} turns, owned: {owned}");
            let_go(tracer);
            driver.until("the end", ms(1000), || child.record.ended().is_some());
            assert_eq!(child.record.signal(), 9);
            drop(ended);
        }
    });
}

struct SilentProtocol;

impl ProcessProtocol for SilentProtocol {}

/// A reactor checks an orphan in the same way.
#[test]
fn an_orphan_that_a_tracer_holds_takes_no_processor() {
    const NAME: &str = "an_orphan_that_a_tracer_holds_takes_no_processor";
    if is_tracer() {
        return;
    }
    isolated(NAME, || {
        if !root_or_skip("tracing a process that is no child") {
            return;
        }
        let first = Reactor::new().unwrap();
        let process = first.spawn_process(SilentProtocol, command("/bin/sleep").arg("60")).unwrap();
        let pid = process.pid().unwrap();
        let tracer = tracer_of(NAME, pid);
        process.signal(Signal::KILL).unwrap();
        drop(first);
        let mut driver = Driver::new();
        driver.until_seen("its end", WATCHDOG, || process_state(pid) == 'Z');
        let turns = driver.turns_in(ms(600));
        assert!(turns < 40, "{turns} turns");
        let_go(tracer);
        driver.until_seen("the reap", ms(1000), || children().is_empty());
        driver.rebase();
        driver.finish();
    });
}

/// Case OL-20. A program that ends its groups waits one second for the processes that it has
/// killed, and no longer. A further signal does not shorten that.
#[test]
fn the_end_of_a_program_waits_a_second_for_a_child_that_a_tracer_holds() {
    const NAME: &str = "the_end_of_a_program_waits_a_second_for_a_child_that_a_tracer_holds";
    if is_tracer() {
        return;
    }
    isolated(NAME, || {
        if !root_or_skip("tracing a process that is no child") {
            return;
        }
        for further in [None, Some(ms(400))] {
            let mut owner = Owner::start("spawn grace=20");
            let leader = owner.number("leader=");
            let tracer = tracer_of(NAME, leader);
            owner.signal(rustix::process::Signal::TERM);
            if let Some(after) = further {
                owner.wait(after);
                owner.signal(rustix::process::Signal::INT);
            }
            let took = owner.dies_by(rustix::process::Signal::TERM) + further.unwrap_or_default();
            assert!((ms(1000)..bound(ms(2000))).contains(&took), "{took:?}");
            assert_eq!(process_state(leader), 'Z', "it is held all the time");
            let_go(tracer);
        }
    });
}

//! Area RZ: a child that has ended, and that a tracer holds, a debugger perhaps: nobody can reap it until
//! that lets go.
#![cfg(all(feature = "reactor", target_os = "linux"))]

#[path = "last_end/sys.rs"]
mod seizing;
mod util;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command as StdCommand, Stdio};
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Command, SpawnProcess};
use procession_protocol::ProcessProtocol;
use procession_reactor::Reactor;

use crate::util::{
    Driver, Spawned, WATCHDOG, behaviour, children, command, isolated, ms, process_state,
    root_or_skip,
};

/// Holds the number of the process to trace, in the tracer.
const ROLE: &str = "PROCESSION_TEST_TRACES";

/// This test binary again, which traces `pid` until its input ends.
fn tracer_of(name: &str, pid: u32) -> Child {
    let mut tracer = StdCommand::new(std::env::current_exe().expect("this test binary"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, pid.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(tracer.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|line| line.expect("text").contains("seized")), "it traces");
    tracer
}

/// Lets go of what is traced.
fn let_go(mut tracer: Child) {
    drop(tracer.stdin.take());
    tracer.wait().expect("it ends");
}

/// In the tracer: traces until its input ends. True if this is one.
fn is_tracer() -> bool {
    let Some(pid) = std::env::var_os(ROLE) else { return false };
    let pid = pid.to_str().and_then(|pid| pid.parse().ok()).expect("a pid");
    seizing::seize(pid).expect("root may");
    println!("seized");
    std::io::stdin().read_line(&mut String::new()).expect("it ends");
    true
}

/// Runs `body`, or in the tracer traces; it takes root.
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

/// A child that a tracer holds, killed.
fn killed(driver: &mut Driver, name: &str, command: Command) -> (Spawned, Child) {
    let child = driver.spawn(command);
    let pid = child.process.pid().expect("it runs");
    let tracer = tracer_of(name, pid);
    child.process.signal(Signal::KILL).expect("it runs");
    driver.until_seen("its end", WATCHDOG, || process_state(pid) == 'Z');
    (child, tracer)
}

/// It is asked again at growing pauses, and its end is told once it can be had.
#[test]
fn a_child_that_a_tracer_holds_takes_no_processor() {
    const NAME: &str = "a_child_that_a_tracer_holds_takes_no_processor";
    traced(NAME, |driver| {
        for without_pidfd in [false, true] {
            let mut sleep = command("/bin/sleep").arg("60");
            if without_pidfd {
                sleep = sleep.without_pidfd();
            }
            let (child, tracer) = killed(driver, NAME, sleep);
            let turns = driver.turns_in(ms(600));
            assert!(turns < 40, "{turns} turns");
            assert!(child.record.exited().is_none(), "nobody can know of it");
            let_go(tracer);
            driver.until("the end", ms(1000), || child.record.ended().is_some());
            assert_eq!(child.record.signal(), 9);
        }
    });
}

/// The same for one that is being terminated, alone and with its group.
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

struct Silent;

impl ProcessProtocol for Silent {}

/// An orphan in the care of a reactor is asked again in the same way.
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
        let process = first.spawn_process(Silent, command("/bin/sleep").arg("60")).unwrap();
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

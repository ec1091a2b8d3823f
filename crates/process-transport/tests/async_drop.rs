//! Dropping an async child: the child runs on or is ended, and the drop never waits.
#![cfg(feature = "reactor")]

mod dialogue;
mod util;

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Child, Command, SpawnProcess};
use procession_reactor::{Handle, Reactor};

use crate::dialogue::{block_on, start};
use crate::util::{
    Driver, WATCHDOG, behaviour, command, isolated, ms, process_state, sh, signals_groups_by_pidfd,
    skip, sys,
};

fn pid(child: &Child) -> u32 {
    child.process().pid().expect("it runs")
}

fn is_dead(pid: u32) -> bool {
    matches!(process_state(pid), 'Z' | 'X')
}

fn until_reaped(driver: &mut Driver, pid: u32) {
    driver.until_seen("it is reaped", WATCHDOG, || process_state(pid) == 'X');
}

fn sleeper() -> Command {
    command("/bin/sleep").arg("100")
}

/// Reads a next_line of its output.
async fn next_line(child: &mut Child) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\n") {
        text.extend_from_slice(&child.stdout().next().await.expect("a whole line"));
    }
    String::from_utf8(text).expect("it is text").trim().to_owned()
}

/// Case AC-05.
#[test]
fn a_child_that_is_killed_on_drop_is_ended_and_reaped() {
    behaviour("a_child_that_is_killed_on_drop_is_ended_and_reaped", |driver| {
        let child = driver.handle().spawn_child(sleeper().kill_on_drop(true)).unwrap();
        // Another handle does not keep the child alive.
        let (number, process) = (pid(&child), child.process().clone());
        drop(child);
        until_reaped(driver, number);
        assert_eq!(process.pid(), None);
    });
}

/// Case AC-05. The child ignores TERM.
#[test]
fn the_drop_does_not_wait_for_the_grace() {
    behaviour("the_drop_does_not_wait_for_the_grace", |driver| {
        let deaf = sh("trap '' TERM; echo ready; while :; do sleep 0.05; done");
        for (grace, at_least) in [(400, 400), (0, 0)] {
            let deaf = deaf.clone().kill_on_drop(true).kill_grace(ms(grace));
            let mut child = driver.handle().spawn_child(deaf).unwrap();
            block_on(driver, next_line(&mut child));
            let (number, begun) = (pid(&child), driver.now());
            drop(child);
            let dropped = driver.now() - begun;
            until_reaped(driver, number);
            let ended = driver.now() - begun;
            assert!(dropped < ms(200), "{dropped:?}");
            assert!(ended >= ms(at_least) && ended < ms(at_least + 1000), "{ended:?}");
        }
        driver.run_for(ms(200)); // the last `sleep` of the script still holds the outputs
    });
}

/// Case AC-05.
#[test]
fn the_group_of_an_owned_child_is_ended_with_it() {
    behaviour("the_group_of_an_owned_child_is_ended_with_it", |driver| {
        let script = "(trap '' TERM; echo $(exec sh -c 'echo $PPID'); exec sleep 100) & wait";
        let owned = sh(script).owned(true).kill_grace(ms(300));
        let mut child = driver.handle().spawn_child(owned).unwrap();
        let member: u32 = block_on(driver, next_line(&mut child)).parse().unwrap();
        let leader = pid(&child);
        drop(child);
        assert!(!is_dead(member));
        until_reaped(driver, leader);
        assert!(is_dead(member), "the leader is reaped when its group is empty");
        // An explicit `kill_on_drop(false)` wins over `owned`.
        let owned = sleeper().owned(true).kill_on_drop(false);
        let child = driver.handle().spawn_child(owned).unwrap();
        let (number, process) = (pid(&child), child.process().clone());
        drop(child);
        driver.run_for(ms(100));
        assert!(!is_dead(number));
        process.signal(Signal::KILL).unwrap();
        until_reaped(driver, number);
    });
}

/// Case AC-05. Its end is reported only when the member lets go of the output.
#[test]
fn the_group_of_a_leader_that_is_reaped_is_ended_while_it_holds_an_output() {
    const NAME: &str = "the_group_of_a_leader_that_is_reaped_is_ended_while_it_holds_an_output";
    if !signals_groups_by_pidfd() {
        return skip(NAME, "before Linux 6.9");
    }
    behaviour(NAME, |driver| {
        let script = "(trap '' TERM; echo $(exec sh -c 'echo $PPID'); exec sleep 100) & exit 3";
        let owned = sh(script).owned(true).kill_grace(ms(100));
        let mut child = driver.handle().spawn_child(owned).unwrap();
        let member: u32 = block_on(driver, next_line(&mut child)).parse().unwrap();
        assert!(block_on(driver, child.wait()).is_err());
        assert_eq!(child.process().pid(), None);
        let process = child.process().clone();
        drop(child);
        assert!(!is_dead(member));
        driver.until_seen("the member is dead", WATCHDOG, || is_dead(member));
        // This one waits until the termination of the drop is over.
        block_on(driver, process.terminate(Signal::KILL, WATCHDOG)).unwrap();
    });
}

/// Case AC-06. Its background processes are left alone too.
#[test]
fn a_child_that_has_ended_is_left_alone() {
    behaviour("a_child_that_has_ended_is_left_alone", |driver| {
        let script = "(exec sleep 100) >/dev/null 2>&1 & echo $!";
        let mut child = driver.handle().spawn_child(sh(script).owned(true)).unwrap();
        let left: u32 = block_on(driver, next_line(&mut child)).parse().unwrap();
        block_on(driver, child.ended()).unwrap();
        drop(child);
        driver.run_for(ms(100));
        assert!(!is_dead(left));
        let left = rustix::process::Pid::from_raw(left.cast_signed()).unwrap();
        rustix::process::kill_process(left, rustix::process::Signal::KILL).unwrap();
    });
}

/// Case AC-06. A second signal of the termination would be KILL at once.
#[test]
fn a_termination_that_is_under_way_is_not_cut_short() {
    behaviour("a_termination_that_is_under_way_is_not_cut_short", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let script = "trap 'sleep 0.3; echo whole >file; exit' TERM; echo ready; \
                      while :; do sleep 0.05; done";
        let slow = sh(script).current_dir(dir.path()).owned(true);
        let mut child = driver.handle().spawn_child(slow).unwrap();
        block_on(driver, next_line(&mut child));
        let ended = child.process().terminate(Signal::TERM, WATCHDOG);
        drop(child);
        assert!(!block_on(driver, ended).unwrap().escalated());
        assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "whole\n");
    });
}

/// Case AC-06. An output that was taken is read to its end.
#[test]
fn taken_streams_outlive_the_child_handle() {
    behaviour("taken_streams_outlive_the_child_handle", |driver| {
        let child = block_on(driver, async {
            let script = "trap 'echo bye; exit' TERM; echo ready; while :; do sleep 0.05; done";
            let mut child = start(sh(script).kill_on_drop(true));
            next_line(&mut child).await;
            let mut output = child.take_output(1).unwrap();
            let mut input = child.take_input(0).unwrap();
            let pid = pid(&child);
            drop(child);
            assert_eq!(output.collect().await, b"bye\n");
            // The child may close its 1 a moment before its 0. The write fails once 0 is closed.
            while input.write("x").await.is_ok() {}
            pid
        });
        until_reaped(driver, child);
    });
}

/// Case AC-06.
#[test]
fn a_child_may_be_dropped_inside_a_callback() {
    behaviour("a_child_may_be_dropped_inside_a_callback", |driver| {
        let child = driver.handle().spawn_child(sleeper().kill_on_drop(true)).unwrap();
        let first = pid(&child);
        driver.handle().call_later(Duration::ZERO, move |_| drop(child));
        until_reaped(driver, first);
        // In a callback of another child.
        let child = driver.handle().spawn_child(sleeper().owned(true)).unwrap();
        let (second, kept) = (pid(&child), RefCell::new(Some(child)));
        let other = driver.spawn_with(sh("echo x"), move |_, _| drop(kept.take()));
        driver.drive_to_end(&other.record);
        until_reaped(driver, second);
        // In a task that is cancelled.
        let third = Rc::new(RefCell::new(0));
        let slot = third.clone();
        let task = driver.handle().spawn_local(async move {
            let mut child = start(sleeper().kill_on_drop(true));
            *slot.borrow_mut() = pid(&child);
            child.ended().await
        });
        driver.run_for(ms(50));
        task.cancel();
        let third = *third.borrow();
        until_reaped(driver, third);
        assert!([first, second, third].into_iter().all(is_dead));
    });
}

/// Case AC-06. The reactor has already killed the child. The drop sends nothing to a process that
/// may have its number now.
#[test]
fn a_child_may_be_dropped_after_its_reactor() {
    isolated("a_child_may_be_dropped_after_its_reactor", || {
        let mut reactor = Reactor::new().unwrap();
        let (child, idle) = reactor.block_on(async {
            (start(sleeper().kill_on_drop(true)), start(sleeper().owned(true).kill_on_drop(false)))
        });
        let (number, second) = (pid(&child), pid(&idle));
        drop(reactor);
        sys::wait_until_killed(number);
        drop(child);
        drop(idle);
        assert!(!is_dead(second), "it was to live on");
        let second = rustix::process::Pid::from_raw(second.cast_signed()).unwrap();
        rustix::process::kill_process(second, rustix::process::Signal::KILL).unwrap();
        let _reactor: Handle = Reactor::new().unwrap().handle();
    });
}

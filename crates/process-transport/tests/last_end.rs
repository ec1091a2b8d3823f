//! The drop of a reactor and the end of `run_until` wait for terminations only for a bounded time,
//! whatever grace a call gave, and whoever holds the child.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod tracer;
mod util;

use std::io::{BufRead, BufReader};
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, SpawnProcess};
use procession_protocol::{Process, ProcessProtocol, Termination};
use procession_reactor::{Reactor, Stopped};

use crate::tracer::{is_tracer, let_go, tracer_of};
use crate::util::{
    WATCHDOG, bound, children, command, isolated, ms, process_state, root_or_skip,
    signals_groups_by_pidfd, skip,
};

struct SilentProtocol;
impl ProcessProtocol for SilentProtocol {}

fn is_dead(pid: u32) -> bool {
    matches!(process_state(pid), 'Z' | 'X')
}

/// Starts a child that ignores TERM, and waits until it has said so.
fn start_deaf(reactor: &mut Reactor, change: impl FnOnce(Command) -> Command) -> Process {
    let (recorder, record) = util::Recorder::new();
    let script = "trap '' TERM; echo deaf; while :; do sleep 0.1; done";
    let command = change(command("/bin/sh").args(["-c", script]));
    let process = reactor.spawn_process(recorder, command).expect("it starts");
    let deadline = reactor.now() + WATCHDOG;
    while record.text(1).is_empty() {
        assert!(reactor.now() < deadline, "it says nothing");
        reactor.turn(Some(ms(10))).expect("a turn");
    }
    process
}

fn drop_took(reactor: Reactor) -> Duration {
    let handle = reactor.handle();
    let began = handle.now();
    drop(reactor);
    handle.now() - began
}

/// Case OL-11. The drop of a reactor must not take an hour.
#[test]
fn a_drop_gives_a_termination_no_more_than_the_kill_grace_of_its_command() {
    isolated("a_drop_gives_a_termination_no_more_than_the_kill_grace_of_its_command", || {
        for is_owned in [false, true] {
            let mut reactor = Reactor::new().unwrap();
            let process = start_deaf(&mut reactor, |command| {
                command.owned(is_owned).kill_on_drop(false).kill_grace(ms(300))
            });
            let pid = process.pid().unwrap();
            process.terminate(Signal::TERM, Duration::from_secs(3600)).done(drop);
            let took = drop_took(reactor);
            assert!((ms(300)..bound(ms(1300))).contains(&took), "{took:?}");
            assert!(is_dead(pid), "{pid}");
            assert_eq!(children(), []);
        }
    });
}

/// Case OL-11. No termination has begun, so the drop does not wait.
#[test]
fn a_drop_does_not_wait_for_children_that_are_to_live_on() {
    isolated("a_drop_does_not_wait_for_children_that_are_to_live_on", || {
        let mut reactor = Reactor::new().unwrap();
        let process = start_deaf(&mut reactor, |command| command.owned(true).kill_on_drop(false));
        let pid = process.pid().unwrap();
        let took = drop_took(reactor);
        assert!(took < bound(ms(300)), "{took:?}");
        assert!(!is_dead(pid));
        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
        rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).unwrap();
    });
}

/// Case OL-16. After a stop by signal, the program is about to end by that signal. After a stop
/// without a signal, the drop kills the children at once.
#[test]
fn a_drop_after_a_signal_has_stopped_the_run_gives_owned_groups_their_grace() {
    isolated("a_drop_after_a_signal_has_stopped_the_run_gives_owned_groups_their_grace", || {
        for is_by_signal in [true, false] {
            let mut reactor = Reactor::new().unwrap().with_signals();
            let (output, end) = std::io::pipe().unwrap();
            let script = "trap 'echo polite; exit' TERM; echo up; while :; do sleep 0.05; done";
            let child = command("/bin/sh").args(["-c", script]).owned(true);
            let child = child.child_fd(1, Fd::inherit(end));
            drop(reactor.spawn_process(SilentProtocol, child).unwrap());
            let mut lines = BufReader::new(output).lines();
            assert_eq!(lines.next().unwrap().unwrap(), "up");
            reactor.call_when_running(move |reactor| {
                if is_by_signal {
                    let own = rustix::process::getpid();
                    rustix::process::kill_process(own, rustix::process::Signal::TERM).unwrap();
                } else {
                    reactor.stop();
                }
            });
            let stopped = reactor.run().unwrap();
            assert_eq!(matches!(stopped, Stopped::Signal(_)), is_by_signal);
            let took = drop_took(reactor);
            assert!(took < bound(ms(1500)), "{took:?}");
            let said: Vec<String> = lines.map(Result::unwrap).collect();
            assert_eq!(said.contains(&"polite".to_owned()), is_by_signal, "{said:?}");
            assert_eq!(children(), []);
        }
    });
}

/// A signal stops the run, and the reactor is dropped, as in a program that ends with
/// `Ok(reactor.run()?)`.
fn run_to_a_signal(mut reactor: Reactor) {
    reactor.call_when_running(|_| {
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::TERM).expect("it works");
    });
    assert!(matches!(reactor.run().expect("it works"), Stopped::Signal(_)));
    let took = drop_took(reactor);
    assert!(took < bound(ms(1500)), "{took:?}");
    assert_eq!(children(), []);
}

/// Case OL-16. The reactor reads the child's outputs, so a write to them during the grace does not
/// kill the child.
#[test]
fn a_child_that_writes_at_its_end_has_its_grace_after_a_run_and_in_a_termination() {
    const NAME: &str =
        "a_child_that_writes_at_its_end_has_its_grace_after_a_run_and_in_a_termination";
    isolated(NAME, || {
        for is_run in [true, false] {
            let mut reactor = Reactor::new().unwrap().with_signals();
            let (mut output, end) = std::io::pipe().unwrap();
            let script = "trap 'echo ending; echo ending >&2; echo polite >&3; exit' TERM; echo up; \
                          while :; do sleep 0.05; done";
            let (recorder, record) = util::Recorder::new();
            let child = command("/bin/sh").args(["-c", script]).owned(true);
            let child = child.child_fd(3, Fd::inherit(end));
            let process = reactor.spawn_process(recorder, child).unwrap();
            let deadline = reactor.now() + WATCHDOG;
            while record.text(1).is_empty() {
                assert!(reactor.now() < deadline, "it says nothing");
                reactor.turn(Some(ms(10))).unwrap();
            }
            if is_run {
                run_to_a_signal(reactor);
            } else {
                process.terminate(Signal::TERM, ms(1000)).done(drop);
                drop(reactor);
            }
            let mut said = String::new();
            std::io::Read::read_to_string(&mut output, &mut said).unwrap();
            assert_eq!(said, "polite\n", "{is_run}");
        }
    });
}

/// Case OL-18. A group whose leader has exited, but which still holds an output, also ends after a
/// run.
#[test]
fn a_group_that_its_leader_has_left_ends_after_a_run_that_a_signal_has_stopped() {
    const NAME: &str =
        "a_group_that_its_leader_has_left_ends_after_a_run_that_a_signal_has_stopped";
    isolated(NAME, || {
        if !signals_groups_by_pidfd() {
            return skip(NAME, "before Linux 6.9");
        }
        let mut reactor = Reactor::new().unwrap().with_signals();
        let (recorder, record) = util::Recorder::new();
        let command = command("/bin/sh").args(["-c", "sleep 100 & echo $!"]).owned(true);
        drop(reactor.spawn_process(recorder, command).unwrap());
        let deadline = reactor.now() + WATCHDOG;
        while record.exited().is_none() || record.text(1).is_empty() {
            assert!(reactor.now() < deadline, "it does not exit");
            reactor.turn(Some(ms(10))).unwrap();
        }
        let member: u32 = record.text(1).trim().parse().unwrap();
        run_to_a_signal(reactor);
        assert!(record.ended().is_some(), "it is told by the stop");
        assert!(is_dead(member));
    });
}

/// Case OL-12.
#[test]
fn who_cannot_be_reaped_is_waited_for_a_second_after_its_kill() {
    const NAME: &str = "who_cannot_be_reaped_is_waited_for_a_second_after_its_kill";
    isolated(NAME, || {
        if !root_or_skip("tracing a process that is no child") {
            return;
        }
        if is_tracer() {
            return;
        }
        for ends in [drop_took, run_until_took] {
            let mut reactor = Reactor::new().unwrap();
            let process = start_deaf(&mut reactor, |command| command.kill_grace(ms(200)));
            let tracer = tracer_of(NAME, process.pid().unwrap());
            process.terminate(Signal::TERM, ms(200)).done(drop);
            let took = ends(reactor);
            assert!((ms(1200)..bound(ms(2000))).contains(&took), "{took:?}");
            let_go(tracer);
            let mut next = Reactor::new().unwrap();
            drop(next.spawn_process(SilentProtocol, command("/bin/true")).unwrap());
            let deadline = next.now() + WATCHDOG;
            while !children().is_empty() {
                assert!(next.now() < deadline, "{:?}", children());
                next.turn(Some(ms(10))).unwrap();
            }
        }
    });
}

/// Case TM-18. Every verb of a termination that waits gives up, not only the end of a loop.
#[test]
fn a_child_that_cannot_be_reaped_is_reported_a_second_after_its_kill() {
    const NAME: &str = "a_child_that_cannot_be_reaped_is_reported_a_second_after_its_kill";
    isolated(NAME, || {
        if !root_or_skip("tracing a process that is no child") {
            return;
        }
        if is_tracer() {
            return;
        }
        let judge = |ended: Termination| {
            assert!(ended.escalated() && !ended.is_gone(), "{ended:?}");
            assert!((ms(1200)..bound(ms(2000))).contains(&ended.after()), "{ended:?}");
        };
        let mut reactor = Reactor::new().unwrap();
        let process = start_deaf(&mut reactor, |command| command);
        let tracer = tracer_of(NAME, process.pid().unwrap());
        judge(reactor.block_on(process.terminate(Signal::TERM, ms(200))).unwrap());
        let_go(tracer);

        let script = "trap '' TERM; echo deaf; while :; do sleep 0.1; done";
        let mut child = command("/bin/sh").args(["-c", script]).spawn().unwrap();
        let mut said = BufReader::new(std::fs::File::from(child.take(1).unwrap())).lines();
        assert_eq!(said.next().unwrap().unwrap(), "deaf");
        let tracer = tracer_of(NAME, child.pid());
        judge(child.terminate(Signal::TERM, ms(200)).unwrap());
        let_go(tracer);
        let deadline = reactor.now() + WATCHDOG;
        drop(child);
        while !children().is_empty() {
            assert!(reactor.now() < deadline, "{:?}", children());
            reactor.turn(Some(ms(10))).unwrap();
        }
    });
}

/// Case OL-18. The child has exited, but its background process holds an output, so the child has
/// not ended.
#[test]
fn a_group_that_its_leader_has_left_ends_with_its_reactor_while_it_holds_an_output() {
    const NAME: &str =
        "a_group_that_its_leader_has_left_ends_with_its_reactor_while_it_holds_an_output";
    isolated(NAME, || {
        if !signals_groups_by_pidfd() {
            return skip(NAME, "before Linux 6.9");
        }
        let ways = [(drop_took as fn(Reactor) -> Duration, true), (run_until_stopped_took, false)];
        for (ends, is_drop) in ways {
            for is_killed in [true, false] {
                let mut reactor = Reactor::new().unwrap();
                let (recorder, record) = util::Recorder::new();
                let command = command("/bin/sh").args(["-c", "sleep 100 & echo $!"]);
                let command = command.owned(true).kill_on_drop(is_killed);
                drop(reactor.spawn_process(recorder, command).unwrap());
                let deadline = reactor.now() + WATCHDOG;
                while record.exited().is_none() || record.text(1).is_empty() {
                    assert!(reactor.now() < deadline, "it does not exit");
                    reactor.turn(Some(ms(10))).unwrap();
                }
                assert!(record.ended().is_none());
                let member: u32 = record.text(1).trim().parse().unwrap();
                let is_over = ends(reactor) < bound(ms(1500));
                assert!(is_over, "nobody is deaf");
                // A child without `kill_on_drop` also ends when a run is stopped.
                let is_to_live = !is_killed && is_drop;
                assert_eq!(is_dead(member), !is_to_live, "{is_killed}");
                let raw = rustix::process::Pid::from_raw(member.cast_signed()).unwrap();
                rustix::process::kill_process(raw, rustix::process::Signal::KILL).ok();
            }
        }
    });
}

fn run_until_stopped_took(mut reactor: Reactor) -> Duration {
    let began = reactor.now();
    reactor.call_when_running(procession_reactor::Handle::stop);
    reactor.run_until(std::future::pending::<()>()).expect_err("it is stopped");
    let took = reactor.now() - began;
    drop(reactor);
    took
}

fn run_until_took(mut reactor: Reactor) -> Duration {
    let began = reactor.now();
    reactor.run_until(async {}).expect("nobody stops it");
    let took = reactor.now() - began;
    assert!(drop_took(reactor) < bound(ms(900)), "and not once more by the drop");
    took
}

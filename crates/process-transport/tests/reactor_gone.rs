//! Calls on a handle whose reactor is gone report that. Nothing else is known of a child that was
//! still running then.
#![cfg(feature = "reactor")]

mod util;

use std::io::{self, ErrorKind};
use std::time::Duration;

use procession_core::{Deferred, Failed, Signal, WriteError};
use procession_process_transport::{Command, Pty, SpawnProcess};
use procession_protocol::{
    ForwardError, Pace, Process, Producer, ProducerErrorKind, SignalError, Target, Termios,
    Transport, WindowSize,
};
use procession_reactor::Reactor;
use rustix::process::{Pid, kill_process};

use crate::util::{Recorder, WATCHDOG, children, command, isolated, ms};

struct SilentProducer;
impl Producer for SilentProducer {
    fn resume(&mut self, _: &Transport) {}
}

/// Starts a child and drops its reactor while it runs.
fn child_of_a_dropped_reactor(command: Command) -> Process {
    let reactor = Reactor::new().expect("a reactor");
    let (recorder, _record) = Recorder::new();
    let process = reactor.spawn_process(recorder, command).expect("it starts");
    assert!(process.pid().is_some());
    process
}

fn result<T: 'static, E: 'static>(deferred: Deferred<T, E>) -> Result<T, Failed<E>> {
    deferred.try_take().expect("there is nothing to wait for")
}

/// Returns the result of each verb that writes to a descriptor.
fn writes(process: &Process) -> Vec<(&'static str, Result<(), WriteError>)> {
    let registered = process.register_producer(0, Pace::Push, SilentProducer);
    let registered = registered.map_err(|error| match error.reason() {
        ProducerErrorKind::Write(error) => error,
        other => panic!("{other}"),
    });
    vec![
        ("write_to_child", process.write_to_child(0, "x")),
        ("set_write_limits", process.set_write_limits(0, 2, 1)),
        ("set_write_hard_limit", process.set_write_hard_limit(0, Some(1))),
        ("register_producer", registered),
    ]
}

fn signals(process: &Process) -> Vec<(&'static str, SignalError)> {
    let terminate = |grace| match result(process.terminate(Signal::TERM, grace)) {
        Err(Failed::Error(error)) => error,
        other => panic!("{other:?}"),
    };
    vec![
        ("signal", process.signal(Signal::TERM).expect_err("it is gone")),
        ("signal_group", process.signal_group(Signal::TERM).expect_err("it is gone")),
        ("terminate", terminate(WATCHDOG)),
        ("terminate at once", terminate(Duration::ZERO)),
    ]
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotConnected && error.to_string() == "the reactor is gone"
}

fn forwarded(process: &Process, target: Target) -> io::Error {
    match result(process.forward(1, target)) {
        Err(Failed::Error(ForwardError { source, .. })) => source,
        other => panic!("{other:?}"),
    }
}

/// Case OL-13.
#[test]
fn every_verb_says_that_the_reactor_is_gone() {
    isolated("every_verb_says_that_the_reactor_is_gone", || {
        // With `kill` false the child runs on; with true the drop kills it.
        for kill in [false, true] {
            let sleep = command("/bin/sleep").arg("0.5");
            let process = child_of_a_dropped_reactor(sleep.owned(true).kill_on_drop(kill));
            for (verb, result) in writes(&process) {
                assert_eq!(result, Err(WriteError::ReactorGone), "{verb}");
            }
            assert_eq!(process.write_to_child(1, "x"), Err(WriteError::NotWritable));
            assert_eq!(process.write_to_child(9, "x"), Err(WriteError::UnknownFd));
            for (verb, error) in signals(&process) {
                assert!(matches!(error, SignalError::ReactorGone), "{verb}: {error:?}");
            }
            assert!(is_gone(&process.pidfd().unwrap_err()));
            let (reader, _writer) = io::pipe().unwrap();
            let error = forwarded(&process, Target::fd(reader));
            assert!(is_gone(&error), "{error:?}");
            for (verb, error) in terminal_verbs(&process) {
                assert!(is_gone(&error), "{verb}: {error:?}");
            }
            assert_eq!((process.pid(), process.pipe_size(0)), (None, None));
            assert_eq!((process.write_buffered(0), process.write_limits(0)), (0, None));
            assert!(!process.with_fd(0, |_| ()).is_some_and(|()| true));
            call_verbs_without_result(&process);
        }
        reap_all();
    });
}

/// Returns the error of each verb of a terminal.
fn terminal_verbs(process: &Process) -> [(&'static str, io::Error); 5] {
    [
        ("resize", process.resize(1, 1).expect_err("it is gone")),
        ("window_size", process.window_size().map(|_: WindowSize| ()).expect_err("it is gone")),
        ("termios", process.termios().map(drop).expect_err("it is gone")),
        ("set_termios", process.set_termios(&Termios::default()).expect_err("it is gone")),
        ("send_eof", process.send_eof().expect_err("it is gone")),
    ]
}

/// Case OL-13. A child in its parent's group, which has no terminal.
#[test]
fn the_reactor_is_reported_before_a_group_or_a_terminal_that_is_not_there() {
    isolated("the_reactor_is_reported_before_a_group_or_a_terminal_that_is_not_there", || {
        for kill in [false, true] {
            let sleep = command("/bin/sleep").arg("0.5");
            let process = child_of_a_dropped_reactor(sleep.kill_on_drop(kill));
            for (verb, error) in signals(&process) {
                assert!(matches!(error, SignalError::ReactorGone), "{verb}: {error:?}");
            }
            for (verb, error) in terminal_verbs(&process) {
                assert!(is_gone(&error), "{verb}: {error:?}");
            }
        }
        reap_all();
    });
}

/// Calls the verbs that return no result. They have no effect.
fn call_verbs_without_result(process: &Process) {
    process.write("x");
    process.close_child_fd(0);
    process.shutdown_write(0);
    process.abort_connection(0);
    process.pause(1);
    process.resume(1);
    process.pause_all();
    process.resume_all();
    process.close_all();
    process.lose_connection();
    assert!(!process.unregister_producer(0));
}

/// Case OL-13.
#[test]
fn the_verbs_of_a_terminal_report_it_too() {
    isolated("the_verbs_of_a_terminal_report_it_too", || {
        let script = "trap '' HUP; sleep 0.3";
        let process =
            child_of_a_dropped_reactor(command("/bin/sh").args(["-c", script]).pty(Pty::new()));
        for (verb, error) in terminal_verbs(&process) {
            assert!(is_gone(&error), "{verb}: {error:?}");
        }
        for (verb, result) in writes(&process) {
            assert_eq!(result, Err(WriteError::ReactorGone), "{verb}");
        }
        reap_all();
    });
}

/// Case OL-13. Covers a child without a pidfd, and a child whose termination the drop has finished.
#[test]
fn a_child_that_the_drop_has_ended_is_not_reported_as_exited() {
    isolated("a_child_that_the_drop_has_ended_is_not_reported_as_exited", || {
        let sleep = || command("/bin/sleep").arg("60").owned(true);
        let process = child_of_a_dropped_reactor(sleep().without_pidfd());
        assert!(matches!(process.signal(Signal::TERM), Err(SignalError::ReactorGone)));
        let reactor = Reactor::new().unwrap();
        let (recorder, _record) = Recorder::new();
        let process = reactor.spawn_process(recorder, sleep()).unwrap();
        process.terminate(Signal::TERM, WATCHDOG).done(drop);
        drop(reactor);
        for (verb, error) in signals(&process) {
            assert!(matches!(error, SignalError::ReactorGone), "{verb}: {error:?}");
        }
        reap_all();
    });
}

/// Case OL-13. The child ended before its reactor was dropped, so the handle reports its exit as
/// usual.
#[test]
fn a_child_that_ended_before_its_reactor_has_exited_already() {
    isolated("a_child_that_ended_before_its_reactor_has_exited_already", || {
        let mut reactor = Reactor::new().unwrap();
        let (recorder, record) = Recorder::new();
        let process = reactor.spawn_process(recorder, command("/bin/true").owned(true)).unwrap();
        let deadline = reactor.now() + WATCHDOG;
        while record.ended().is_none() {
            assert!(reactor.now() < deadline);
            reactor.turn(Some(ms(10))).unwrap();
        }
        drop(reactor);
        for (verb, result) in writes(&process) {
            assert_eq!(result, Err(WriteError::Closed), "{verb}");
        }
        for (verb, error) in signals(&process) {
            assert!(matches!(error, SignalError::ProcessExitedAlready), "{verb}: {error:?}");
        }
    });
}

/// Case OL-13. A living loop forwards to a child whose reactor is gone.
#[test]
fn a_forwarding_to_a_child_without_a_reactor_is_an_error() {
    isolated("a_forwarding_to_a_child_without_a_reactor_is_an_error", || {
        let sink = child_of_a_dropped_reactor(command("/bin/sleep").arg("0.3"));
        let reactor = Reactor::new().unwrap();
        let (recorder, _record) = Recorder::new();
        let source = reactor.spawn_process(recorder, command("/bin/sleep").arg("0.3")).unwrap();
        let error = forwarded(&source, Target::child(&sink, 0));
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::NotConnected, "the reactor is gone".to_owned())
        );
        drop(reactor);
        reap_all();
    });
}

/// Kills the remaining children and reaps them with a new reactor.
fn reap_all() {
    let mut reactor = Reactor::new().expect("a reactor");
    let (recorder, _record) = Recorder::new();
    drop(reactor.spawn_process(recorder, command("/bin/true")).expect("it starts"));
    let deadline = reactor.now() + WATCHDOG;
    while !children().is_empty() {
        for (pid, ..) in children() {
            let pid = Pid::from_raw(pid.cast_signed()).expect("a pid");
            kill_process(pid, rustix::process::Signal::KILL).ok();
        }
        assert!(reactor.now() < deadline, "{:?}", children());
        reactor.turn(Some(ms(10))).expect("a turn");
    }
}

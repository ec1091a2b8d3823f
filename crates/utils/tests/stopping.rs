//! A stop of the reactor: a run that it cuts off is an error, and a run that it does not affect is
//! a success.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::io::{self, PipeReader, PipeWriter};
use std::rc::Rc;
use std::sync::Arc;

use procession_core::Failed;
use procession_process_transport::{Command, Fd, Pty};
use procession_reactor::{Handle, Phase, SystemEvent};
use procession_utils::{
    Outcome, OutputError, Run, Stdin, get_process_output, get_process_output_and_value,
    get_process_output_merged, get_process_value, run_all,
};
use util::{Driver, behaviour, bound, children, ms, open_fds, sh};

/// More bytes than a pipe holds.
const LARGE: usize = 1 << 20;

/// Runs the reactor, which stops at once.
fn run_and_stop(driver: &mut Driver) {
    driver.reactor.call_when_running(|reactor| reactor.stop());
    driver.reactor.run().expect("it runs");
}

/// Returns the error of a result that the stop has cut off.
#[track_caller]
fn stopped<T: std::fmt::Debug>(result: Result<T, Failed<OutputError>>) -> (String, Box<Outcome>) {
    match result {
        Err(Failed::Error(OutputError::Stopped { command, outcome, .. })) => (command, outcome),
        other => panic!("it was not stopped: {other:?}"),
    }
}

/// Children wait for this gate until it is opened.
struct Gate {
    theirs: Arc<PipeReader>,
    ours: PipeWriter,
}

impl Gate {
    fn new() -> Self {
        let (theirs, ours) = io::pipe().expect("descriptors are left");
        Self { theirs: Arc::new(theirs), ours }
    }

    /// Returns a command for `script`, in which `wait_here` waits for the gate.
    fn sh(&self, script: &str) -> Command {
        let script = script.replace("wait_here", "read x <&9");
        sh(&script).child_fd(9, Fd::inherit(self.theirs.clone()))
    }

    /// Returns a command that lives on after its output, whatever happens to its pipes.
    fn patient(&self) -> Command {
        self.sh("trap '' PIPE; wait_here; echo b; exit 0")
    }

    /// Lets all children continue.
    fn open(self) {
        drop(self.ours);
    }
}

fn pipes() -> usize {
    open_fds().values().filter(|target| target.starts_with("pipe:")).count()
}

#[test]
fn an_output_that_the_stop_cuts_off_is_no_success() {
    behaviour("an_output_that_the_stop_cuts_off_is_no_success", |driver| {
        let gate = Gate::new();
        let script = gate.sh("trap '' PIPE; echo a; echo c >&2; wait_here; echo b; exit 7");
        let run = Run::from(script).for_each_line(|line| {
            if line.text == "c" {
                Handle::current().stop();
            }
        });
        let run = run.start();
        driver.reactor.run().unwrap();
        assert!(!children().is_empty(), "it runs on");
        gate.open();
        let result = driver.get(run);
        let error = result.as_ref().unwrap_err().to_string();
        assert!(error.starts_with("the reactor stopped before /bin/sh -c 'trap "), "{error}");
        assert!(error.ends_with("' ended: c"), "{error}");
        let (_, outcome) = stopped(result);
        assert_eq!((outcome.stdout_utf8(), outcome.exit_code()), (Ok("a\n"), Some(7)));
    });
}

#[test]
fn every_helper_fails_with_stopped() {
    behaviour("every_helper_fails_with_stopped", |driver| {
        let gate = Gate::new();
        let output = get_process_output(gate.patient());
        let merged = get_process_output_merged(gate.patient());
        let value = get_process_value(gate.patient());
        let both = get_process_output_and_value(gate.patient(), "x");
        let fed = get_process_output_and_value(gate.sh("wait_here; wc -c"), "x".repeat(LARGE));
        let checked = Run::from(gate.patient()).check().start();
        let terminal = Run::from(gate.sh("trap '' HUP; wait_here").pty(Pty::new()));
        let terminal = terminal.stdin(Stdin::as_in_command()).start();
        let extra = gate.sh("exec >/dev/null 2>&1; wait_here; echo x >&5");
        let extra = Run::from(extra.child_fd(5, Fd::from_child())).start();
        let all = run_all([gate.patient(), gate.patient()], 2).all();
        let first = run_all([gate.patient(), gate.patient()], 2).all_or_first_error();
        run_and_stop(driver);
        gate.open();
        stopped(driver.get(output));
        stopped(driver.get(merged));
        stopped(driver.get(value));
        stopped(driver.get(both));
        stopped(driver.get(fed));
        stopped(driver.get(checked));
        stopped(driver.get(terminal));
        stopped(driver.get(extra));
        driver.get(all).unwrap().into_iter().for_each(|result| drop(stopped(result)));
        let Err(Failed::Error(first)) = driver.get(first) else { panic!("it was stopped") };
        assert!(matches!(first.error, Failed::Error(OutputError::Stopped { .. })), "{first:?}");
    });
}

#[test]
fn an_input_that_the_stop_cuts_short_is_no_success() {
    behaviour("an_input_that_the_stop_cuts_short_is_no_success", |driver| {
        let gate = Gate::new();
        let count = || gate.sh("wait_here; wc -c").child_fd(1, Fd::null()).child_fd(2, Fd::null());
        let cut = Run::from(count()).stdin("x".repeat(LARGE)).start();
        let endless = Run::from(count()).stdin(Stdin::reader(io::repeat(b'x'))).start();
        let whole = Run::from(count()).stdin("x").start();
        run_and_stop(driver);
        gate.open();
        stopped(driver.get(cut));
        stopped(driver.get(endless));
        assert!(driver.get(whole).unwrap().is_success());
    });
}

#[test]
fn outputs_that_were_read_to_their_end_make_a_success() {
    behaviour("outputs_that_were_read_to_their_end_make_a_success", |driver| {
        let gate = Gate::new();
        let before = pipes();
        let run = Run::from(gate.sh("echo a; exec >&- 2>&-; wait_here; exit 3")).start();
        driver.until("the outputs have ended", util::WATCHDOG, |_| pipes() == before);
        run_and_stop(driver);
        assert!(!children().is_empty(), "it lives");
        gate.open();
        let outcome = driver.get(run).unwrap();
        assert_eq!((&outcome.stdout[..], outcome.exit_code()), (&b"a\n"[..], Some(3)));
    });
}

/// A descendant holds the rest of the input.
#[test]
fn an_end_before_the_stop_is_a_success_whatever_is_closed_afterwards() {
    behaviour("an_end_before_the_stop_is_a_success_whatever_is_closed_afterwards", |driver| {
        let before = pipes();
        let script = sh("exec 3<&0; sleep 5 <&3 >/dev/null 2>&1 & echo a");
        let run = Run::from(script).stdin("x".repeat(LARGE)).drain_after_exit(None).start();
        driver.until_no_children(util::WATCHDOG);
        driver.until("only its input is open", util::WATCHDOG, |_| pipes() == before + 1);
        run_and_stop(driver);
        assert_eq!(driver.get(run).unwrap().stdout, "a\n");
    });
}

#[test]
fn a_callback_in_the_shutdown_gets_the_error_and_no_half_line() {
    behaviour("a_callback_in_the_shutdown_gets_the_error_and_no_half_line", |driver| {
        let (heard, lines) = (Rc::new(RefCell::new(None)), Rc::new(RefCell::new(Vec::new())));
        let (result, seen) = (Rc::clone(&heard), Rc::clone(&lines));
        // A descendant holds the outputs.
        let run = Run::from(sh("echo whole; printf half; sleep 5 & exit 0"));
        let run = run.drain_after_exit(None).for_each_line(move |line| {
            seen.borrow_mut().push(line.text);
        });
        run.start().done(move |outcome| *result.borrow_mut() = Some(outcome));
        driver.until_no_children(util::WATCHDOG);
        driver.until("it was read", util::WATCHDOG, |_| !lines.borrow().is_empty());
        run_and_stop(driver);
        let result = heard.take().expect("it was called inside of `run`");
        assert_eq!(stopped(result).1.stdout, "whole\nhalf");
        assert_eq!(*lines.borrow(), ["whole"]);
    });
}

#[test]
fn a_helper_that_the_stop_waits_for_goes_on() {
    behaviour("a_helper_that_the_stop_waits_for_goes_on", |driver| {
        let heard = Rc::new(RefCell::new(None));
        let result = Rc::clone(&heard);
        driver.reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, move |_| {
            let output = get_process_output(sh("sleep 0.1; echo bye"));
            output.map(move |bytes| *result.borrow_mut() = Some(bytes))
        });
        run_and_stop(driver);
        assert_eq!(heard.take().unwrap(), "bye\n");
    });
}

#[test]
fn a_result_dropped_after_the_stop_terminates_as_ever() {
    behaviour("a_result_dropped_after_the_stop_terminates_as_ever", |driver| {
        let run = Run::new("sleep").arg("100").start();
        let timed = Run::new("sleep").arg("100").timeout(bound(ms(300))).start();
        run_and_stop(driver);
        assert_eq!(children().len(), 2, "the stop kills none");
        drop(run);
        let result = driver.get(timed);
        assert!(matches!(result, Err(Failed::Error(OutputError::TimedOut { .. }))), "{result:?}");
        driver.until_no_children(bound(ms(500)));
    });
}

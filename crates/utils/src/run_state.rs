//! Pure core: facts about a run in (`on_*`), what is due out (`poll_*`). It keeps the outputs, judges
//! the end, and decides what a failure does to the program.
//!
//! # Model
//!
//! A run has four phases:
//!
//! - *Running*: there is no result yet. The end of the program gives the result. The time limit, a
//!   limit of an output, a byte on stderr, a failed reader and a cancellation end this phase earlier.
//! - *Stopping*: the program is being terminated. An error that caused this is due when the
//!   termination is over, which is at most a second after KILL.
//! - *Released*: the program still runs, and its output is discarded.
//! - *Over*: the program has ended, or nobody watches it any more.
//!
//! After *running* the run keeps no more output.
//!
//! Inputs, in any order: the start, data, a failed reader, time, a cancellation, the exit, the end of
//! a termination, the end of the program and its outputs. Late and repeated facts are ignored.
//!
//! Outputs: [`RunStep`]s, which the driver does in order. There is at most one result: `Settle` or
//! `Release`. There is none after a cancellation. `Terminate` comes at most once, and `ReportEnd`
//! only after `Release`. Polled until there is none after every input.

mod step;
#[cfg(all(test, feature = "reactor"))]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::time::Duration;

use procession_core::Signal;
use procession_protocol::ExitReason;
pub(crate) use step::{ReleasedRun, RunStep};

use crate::keep::Capture;
use crate::launcher::report::Report;
use crate::message::CommandLine;
use crate::outcome::is_stopped;
use crate::rules::{FailOn, Rules};
use crate::{Outcome, OutputError, Partial, Stream};

/// Keeps and judges one run. The module's page has the model.
#[derive(Debug)]
pub(crate) struct RunState {
    rules: Rules,
    command: CommandLine,
    phase: Phase,
    /// Of standard output and standard error.
    kept: [Capture; 2],
    /// The time that the run counts from.
    begun: Duration,
    /// The time limit, while the program runs.
    deadline: Option<Duration>,
    /// The error that is due when the termination is over.
    verdict: Option<OutputError>,
    due: VecDeque<RunStep>,
    /// What a launcher's local command has reported.
    report: Option<Report>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Stopping,
    Released,
    Over,
}

impl RunState {
    /// Creates the state of a run that begins now: the start of the program is part of its time.
    pub(crate) fn new(rules: Rules, command: CommandLine, now: Duration) -> Self {
        Self {
            rules,
            command,
            phase: Phase::Running,
            kept: [(); 2].map(|()| Capture::new(rules.keep)),
            begun: now,
            deadline: None,
            verdict: None,
            due: VecDeque::new(),
            report: None,
        }
    }

    /// Returns whether output is kept and reported.
    pub(crate) fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Returns whether an error waits for the end of the termination.
    pub(crate) fn has_verdict(&self) -> bool {
        self.verdict.is_some()
    }

    /// Notes that the program has started: the time limit begins.
    pub(crate) fn on_started(&mut self, now: Duration) {
        if self.is_running() {
            self.deadline = self.rules.timeout.and_then(|after| now.checked_add(after));
        }
    }

    /// Returns how many of the next `bytes` of this stream come before a limit that ends the run.
    pub(crate) fn bytes_within_limits(&self, stream: Stream, bytes: usize) -> usize {
        let capture = match stream {
            Stream::Stderr if self.rules.fails_on_stderr => return 0,
            _ if !self.rules.stops_at_limit => return bytes,
            Stream::Stdout => &self.kept[0],
            Stream::Stderr => &self.kept[1],
        };
        bytes.min(capture.room())
    }

    /// Adds data that the program wrote, and checks the limits.
    pub(crate) fn on_data(&mut self, stream: Stream, data: &[u8], now: Duration) {
        if !self.is_running() {
            return;
        }
        let capture = match stream {
            Stream::Stdout => &mut self.kept[0],
            Stream::Stderr => &mut self.kept[1],
        };
        let fits = capture.push(data);
        if stream == Stream::Stderr && self.rules.fails_on_stderr {
            self.release(now);
        } else if !fits && self.rules.stops_at_limit {
            let max_bytes = self.rules.keep.max_bytes();
            self.fail(now, |command, outcome| OutputError::TooLong {
                command,
                outcome,
                stream,
                max_bytes,
            });
        }
    }

    /// Notes what a launcher's local command says about itself. Other commands say nothing there.
    pub(crate) fn on_report(&mut self, text: &[u8]) {
        if self.rules.setup.is_elsewhere {
            self.report = Report::of(text).or(self.report);
        }
    }

    /// Returns whether a launcher's local command has reported that its status is not the program's.
    pub(crate) fn has_report(&self) -> bool {
        self.report.is_some()
    }

    /// Notes that the reader of the standard input failed. Returns an error that came too late; drop
    /// it while nothing is borrowed.
    #[must_use = "drop it while nothing is borrowed"]
    pub(crate) fn on_reader_failed(
        &mut self,
        source: io::Error,
        now: Duration,
    ) -> Option<io::Error> {
        if !self.is_running() {
            return Some(source);
        }
        self.fail(now, |command, outcome| OutputError::Stdin { command, outcome, source });
        None
    }

    /// Notes that the time is `now`. `stopped_by` returns the signal that has stopped the program;
    /// it is asked before the termination continues the program. Returns whether the time limit ends the
    /// run now.
    pub(crate) fn on_time(
        &mut self,
        now: Duration,
        stopped_by: impl FnOnce() -> Option<Signal>,
    ) -> bool {
        let is_late = self.is_running() && self.deadline.is_some_and(|deadline| now >= deadline);
        if is_late {
            let stopped_by = stopped_by();
            self.fail(now, |command, outcome| OutputError::TimedOut {
                command,
                outcome,
                stopped_by,
            });
        }
        is_late
    }

    /// Notes that nobody waits for the result any more. Returns an error that was pending; drop it
    /// while nothing is borrowed.
    #[must_use = "drop it while nothing is borrowed"]
    pub(crate) fn on_given_up(&mut self) -> Option<OutputError> {
        if self.is_running() {
            self.stop();
        }
        self.deadline = None;
        self.verdict.take()
    }

    /// Notes that the child was reaped. Its outputs may still be open.
    pub(crate) fn on_exited(&mut self) {
        // A descendant that left the group may hold a pipe open for any time.
        if matches!(self.phase, Phase::Stopping) {
            self.due.push_back(RunStep::CloseAll);
        }
    }

    /// Notes that the termination is over.
    pub(crate) fn on_terminated(&mut self) {
        self.give_verdict();
    }

    /// Notes that the child was reaped and its outputs are closed.
    pub(crate) fn on_ended(&mut self, reason: ExitReason, now: Duration) {
        match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Running => {
                let outcome = Outcome::new(self.take_partial(now), reason);
                let result = self.judge(outcome);
                self.due.push_back(RunStep::Settle(result));
            }
            Phase::Released => self.due.push_back(RunStep::ReportEnd(reason)),
            Phase::Stopping | Phase::Over => {}
        }
    }

    /// Notes that the driver sees no more of the program.
    pub(crate) fn on_lost(&mut self) {
        if self.is_running() {
            self.stop();
        }
        self.phase = Phase::Over;
    }

    /// Takes what is due next.
    pub(crate) fn poll_step(&mut self) -> Option<RunStep> {
        self.due.pop_front()
    }

    /// Returns the time at which to call [`on_time`](Self::on_time), if there is one.
    pub(crate) fn poll_deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Returns the outcome, or the error if the run counts this end as a failure.
    fn judge(&self, outcome: Outcome) -> Result<Outcome, OutputError> {
        // Check this first: the stop may have caused this end, and it cut the outputs.
        if is_stopped(&outcome.reason) {
            let (command, outcome) = (self.command.to_string(), Box::new(outcome));
            return Err(OutputError::Stopped { command, outcome });
        }
        if let Some(report) = self.report {
            let (command, outcome) = (self.command.to_string(), Box::new(outcome));
            let may_have_started = report == Report::Lost;
            return Err(OutputError::ConnectionLost { command, outcome, may_have_started });
        }
        let fails = match self.rules.fail_on {
            FailOn::Nothing => false,
            FailOn::NoStatus => outcome.exit_code().is_none(),
            FailOn::NoneOf(codes) => !outcome.exit_code().is_some_and(|code| codes.contains(code)),
        };
        if !fails {
            return Ok(outcome);
        }
        let command = self.command.to_string();
        let has_status = outcome.exit_code().is_some();
        let has_signal = outcome.signal().is_some();
        let outcome = Box::new(outcome);
        Err(match (has_status, has_signal) {
            (true, _) => OutputError::Failed { command, outcome },
            (false, true) => OutputError::Signalled { command, outcome },
            (false, false) => OutputError::Lost { command, outcome },
        })
    }

    /// Terminates the program; the error is due when that is over.
    fn fail(&mut self, now: Duration, error: impl FnOnce(String, Box<Partial>) -> OutputError) {
        let partial = self.take_partial(now);
        self.verdict = Some(error(self.command.to_string(), Box::new(partial)));
        self.stop();
    }

    fn stop(&mut self) {
        self.phase = Phase::Stopping;
        self.deadline = None;
        self.due.push_back(RunStep::Terminate);
    }

    /// Fails because of output on stderr, and lets the program run on.
    fn release(&mut self, now: Duration) {
        let partial = self.take_partial(now);
        let command = self.command.to_string();
        self.phase = Phase::Released;
        self.due.push_back(RunStep::Release(ReleasedRun::new(command, partial)));
    }

    fn give_verdict(&mut self) {
        if let Some(verdict) = self.verdict.take() {
            self.deadline = None;
            self.due.push_back(RunStep::Settle(Err(verdict)));
        }
    }

    fn take_partial(&mut self, now: Duration) -> Partial {
        let [(stdout, stdout_gap), (stderr, stderr_gap)] = self.kept.each_mut().map(Capture::take);
        self.deadline = None;
        let after = now.saturating_sub(self.begun);
        let setup = self.rules.setup;
        Partial { stdout, stderr, stdout_gap, stderr_gap, after, setup }
    }
}

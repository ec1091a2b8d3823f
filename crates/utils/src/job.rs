//! One run of one program: the state that its protocol, its timeout and its cancellation share.
//!
//! # Model
//!
//! A job has four phases:
//!
//! - *Running*: there is no result yet. The end of the process gives the result. The timeout, a
//!   limit, a byte on stderr, a failed reader and a cancellation end this phase earlier.
//! - *Stopping*: the process group is being terminated. An error that caused this is delivered when
//!   the group is empty, or one second after KILL.
//! - *Released*: the child still runs, and its output is discarded.
//! - *Over*: the process has ended.
//!
//! After *running* the job keeps no more output and calls no callback.
//!
//! The protocol owns the job. The timer and the cancel hook hold weak references to it.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use procession_core::driver::WithCell;
use procession_core::{Deferred, NoError, Promise, Signal};
use procession_protocol::driver::Terminator;
use procession_protocol::{ExitReason, Process};
use procession_reactor::{DelayedCall, Handle};

use crate::keep::{Capture, Keep};
use crate::lines::{OnLine, OutputLine};
use crate::outcome::is_stopped;
use crate::run_setup::RunSetup;
use crate::{Ended, Outcome, OutputError, Partial, Stream};

/// Which ends of a process are failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailOn {
    Nothing,
    /// An end without an exit status.
    NoStatus,
    /// Any end but exit status 0.
    NoSuccess,
}

/// What counts as a failure, and how a failure ends the child.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) fail_on: FailOn,
    pub(crate) fails_on_stderr: bool,
    pub(crate) stops_at_limit: bool,
    pub(crate) setup: RunSetup,
    pub(crate) kill_grace: Duration,
    pub(crate) keep: Keep,
}

pub(crate) struct Job {
    reactor: Handle,
    rules: Rules,
    /// Program and arguments, quoted for messages.
    command: String,
    promise: Promise<Outcome, OutputError>,
    /// `None` while the callback runs.
    on_line: WithCell<Option<OnLine>>,
    state: WithCell<JobState>,
}

struct JobState {
    phase: Phase,
    stdout: Capture,
    stderr: Capture,
    started: Duration,
    /// `Some` from the spawn to the end.
    process: Option<Process>,
    /// While running: the time limit. While stopping: the limit on the wait for the end.
    timer: Option<DelayedCall>,
    /// While stopping: the error to deliver.
    verdict: Option<OutputError>,
}

enum Phase {
    Running,
    Stopping,
    Released(Promise<ExitReason, NoError>),
    Over,
}

impl Job {
    pub(crate) fn new(
        reactor: &Handle,
        rules: Rules,
        command: String,
        on_line: Option<OnLine>,
    ) -> (Rc<Self>, Deferred<Outcome, OutputError>) {
        let (promise, deferred) = Deferred::new();
        let state = JobState {
            phase: Phase::Running,
            stdout: Capture::new(rules.keep),
            stderr: Capture::new(rules.keep),
            started: reactor.now(),
            process: None,
            timer: None,
            verdict: None,
        };
        let job = Rc::new(Self {
            reactor: reactor.clone(),
            rules,
            command,
            promise,
            on_line: WithCell::new(on_line),
            state: WithCell::new(state),
        });
        let weak = Rc::downgrade(&job);
        job.promise.on_cancel(move || {
            if let Some(job) = weak.upgrade() {
                job.give_up(Phase::Stopping);
                // A verdict may be pending if the group is already being terminated.
                drop(job.take_verdict());
            }
        });
        (job, deferred)
    }

    /// Starts the time limit now.
    pub(crate) fn arm(self: &Rc<Self>, after: Duration) {
        let weak = Rc::downgrade(self);
        let timer = self.reactor.call_at_deadline(after, move |_| {
            let Some(job) = weak.upgrade() else { return };
            // Read this before the termination sends CONT.
            let process = job.state.with(|state| state.process.clone());
            let stopped_by = process.and_then(|process| process.stopped_by());
            job.fail(|command, outcome| OutputError::TimedOut { command, outcome, stopped_by });
        });
        if self.is_running() {
            self.state.with(|state| state.timer = Some(timer));
        } else {
            timer.cancel();
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state.with(|state| matches!(state.phase, Phase::Running))
    }

    /// Records that the process has started.
    pub(crate) fn on_started(&self, process: &Process) {
        self.state.with(|state| state.process = Some(process.clone()));
    }

    /// Adds data that the program wrote, and checks the limits.
    pub(crate) fn on_data(self: &Rc<Self>, stream: Stream, data: &[u8]) {
        let fits = self.state.with(|state| {
            let capture = match stream {
                Stream::Stdout => &mut state.stdout,
                Stream::Stderr => &mut state.stderr,
            };
            !matches!(state.phase, Phase::Running) || capture.push(data)
        });
        if stream == Stream::Stderr && self.rules.fails_on_stderr {
            self.release();
        } else if !fits && self.rules.stops_at_limit {
            let max_bytes = self.rules.keep.max_bytes();
            self.fail(|command, outcome| OutputError::TooLong {
                command,
                outcome,
                stream,
                max_bytes,
            });
        }
    }

    /// Calls the line callback if the job still runs.
    pub(crate) fn on_line(&self, line: OutputLine) {
        let Some(mut call) = self.on_line.take() else { return };
        call(line);
        if self.is_running() {
            let none = self.on_line.replace(Some(call));
            drop(none);
        }
    }

    /// Fails the job because the reader of the standard input failed.
    pub(crate) fn on_reader_failed(self: &Rc<Self>, source: io::Error) {
        self.fail(|command, outcome| OutputError::Stdin { command, outcome, source });
    }

    /// Gives up because the reader of the standard input panicked. There will be no result.
    pub(crate) fn on_reader_panicked(&self) {
        self.give_up(Phase::Stopping);
    }

    pub(crate) fn reactor(&self) -> &Handle {
        &self.reactor
    }

    /// Records that the child was reaped. Its outputs may still be open.
    pub(crate) fn on_exited(&self, process: &Process) {
        // A descendant that left the group may hold a pipe open for any time.
        if self.state.with(|state| matches!(state.phase, Phase::Stopping)) {
            process.close_all();
        }
    }

    /// Records that the child was reaped and its outputs are closed. No event follows.
    pub(crate) fn on_ended(&self, reason: ExitReason) {
        let left = self.leave(Phase::Over);
        drop(left.process);
        match left.phase {
            Phase::Running => self.promise.complete(self.judge(Outcome::new(left.partial, reason))),
            Phase::Released(end) => end.complete(Ok(reason)),
            Phase::Stopping | Phase::Over => {}
        }
    }

    /// Records that the protocol was dropped. If the process has not ended yet, a callback has
    /// panicked, or the reactor is gone.
    pub(crate) fn on_dropped(&self) {
        self.give_up(Phase::Over);
    }

    /// Returns the outcome, or the error if the run counts this end as a failure.
    fn judge(&self, outcome: Outcome) -> Result<Outcome, OutputError> {
        // Check this first: the stop may have caused this end, and it cut the outputs.
        if is_stopped(&outcome.reason) {
            let (command, outcome) = (self.command.clone(), Box::new(outcome));
            return Err(OutputError::Stopped { command, outcome });
        }
        let fails = match self.rules.fail_on {
            FailOn::Nothing => false,
            FailOn::NoStatus => outcome.exit_code().is_none(),
            FailOn::NoSuccess => !outcome.is_success(),
        };
        if !fails {
            return Ok(outcome);
        }
        let command = self.command.clone();
        let has_status = outcome.exit_code().is_some();
        let has_signal = outcome.signal().is_some();
        let outcome = Box::new(outcome);
        Err(match (has_status, has_signal) {
            (true, _) => OutputError::Failed { command, outcome },
            (false, true) => OutputError::Signalled { command, outcome },
            (false, false) => OutputError::Lost { command, outcome },
        })
    }

    /// Terminates the group, and delivers the error when the group has ended.
    fn fail(self: &Rc<Self>, error: impl FnOnce(String, Box<Partial>) -> OutputError) {
        if !self.is_running() {
            return;
        }
        let Leftovers { partial, process, .. } = self.leave(Phase::Stopping);
        let verdict = error(self.command.clone(), Box::new(partial));
        let none = self.state.with(|state| state.verdict.replace(verdict));
        drop(none);
        self.keep_process(process.clone());
        let Some(process) = process else { return self.give_verdict() };
        let job = Rc::clone(self);
        self.terminate(&process, move || job.give_verdict());
        if self.state.with(|state| state.verdict.is_some()) {
            self.wait_no_longer_than_the_kill();
        }
    }

    /// The termination itself may never end if the program leads no group, and another user owns it or a
    /// tracer holds it.
    ///
    /// Bounds the wait in two steps. A loop that is late at the end of the grace sends KILL late;
    /// the killed processes still get one second from then.
    fn wait_no_longer_than_the_kill(self: &Rc<Self>) {
        self.bound_the_wait(self.rules.kill_grace, |job| {
            job.bound_the_wait(Terminator::END_AFTER_KILL, |job| job.give_verdict());
        });
    }

    /// Calls `then` after a time, unless the verdict is delivered first.
    fn bound_the_wait(self: &Rc<Self>, after: Duration, then: fn(&Rc<Self>)) {
        let weak = Rc::downgrade(self);
        let timer = self.reactor.call_at_deadline(after, move |_| {
            if let Some(job) = weak.upgrade() {
                then(&job);
            }
        });
        self.state.with(|state| state.timer = Some(timer));
    }

    fn give_verdict(&self) {
        if let Some(verdict) = self.take_verdict() {
            self.promise.complete(Err(verdict));
        }
    }

    /// Takes the verdict, and ends the wait for it.
    fn take_verdict(&self) -> Option<OutputError> {
        let (verdict, timer) = self.state.with(|state| match state.verdict.take() {
            None => (None, None),
            verdict => (verdict, state.timer.take()),
        });
        if let Some(timer) = timer {
            timer.cancel();
        }
        verdict
    }

    /// Fails because of output on stderr, and lets the child run on.
    fn release(&self) {
        if !self.is_running() {
            return;
        }
        let (end, ended) = Deferred::new();
        let left = self.leave(Phase::Released(end));
        if let Some(process) = &left.process {
            process.close_stdin(); // do not wait for the rest of its reader
        }
        self.keep_process(left.process);
        self.promise.complete(Err(OutputError::UnexpectedStderr {
            command: self.command.clone(),
            outcome: Box::new(left.partial),
            ended: Ended::new(ended),
        }));
    }

    /// Terminates the group in the background, because nobody waits for the result any more.
    fn give_up(&self, phase: Phase) {
        if !self.is_running() {
            return;
        }
        let left = self.leave(phase);
        if let Some(process) = left.process.as_ref().filter(|process| process.is_launched_here()) {
            // The exit reason does not matter any more.
            self.terminate(process, || ());
        }
        self.keep_process(left.process);
    }

    fn terminate(&self, process: &Process, ended: impl FnOnce() + 'static) {
        let grace = self.rules.kill_grace;
        let signal = if grace.is_zero() { Signal::KILL } else { Signal::TERM };
        process.terminate(signal, grace).done(move |_| ended());
        if process.pid().is_none() {
            process.close_all();
        }
    }

    /// Keeps the process until its end, so that its protocol owns it only through the job.
    fn keep_process(&self, process: Option<Process>) {
        let none = self.state.with(|state| match state.phase {
            Phase::Over => process,
            _ => std::mem::replace(&mut state.process, process),
        });
        drop(none);
    }

    /// Changes to a phase other than running. The caller drops the leftovers.
    fn leave(&self, phase: Phase) -> Leftovers {
        let now = self.reactor.now();
        let mut left = self.state.with(|state| {
            let (stdout, stdout_gap) = state.stdout.take();
            let (stderr, stderr_gap) = state.stderr.take();
            let after = now.saturating_sub(state.started);
            let setup = self.rules.setup;
            Leftovers {
                partial: Partial { stdout, stderr, stdout_gap, stderr_gap, after, setup },
                phase: std::mem::replace(&mut state.phase, phase),
                process: state.process.take(),
                timer: state.timer.take(),
            }
        });
        if let Some(timer) = left.timer.take() {
            timer.cancel();
        }
        drop(self.on_line.take());
        left
    }
}

struct Leftovers {
    partial: Partial,
    phase: Phase,
    process: Option<Process>,
    timer: Option<DelayedCall>,
}

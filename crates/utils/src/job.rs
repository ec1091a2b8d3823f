//! One run of one program on a loop: gives the facts to the [`RunState`], and does what is due.
//!
//! The protocol, the timer and the cancellation of the result report facts. The protocol owns the
//! job; the timer and the cancel hook hold weak references to it. Nothing is borrowed while a
//! callback runs.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use procession_core::driver::{Answer, Reply, WithCell};
use procession_core::{Deferred, Promise, Signal};
use procession_protocol::{ExitReason, Process};
use procession_reactor::Handle;

use crate::deadline_timer::DeadlineTimer;
use crate::lines::{Lines, OnLine};
use crate::message::CommandLine;
use crate::rules::Rules;
use crate::run_state::{RunState, RunStep};
use crate::trace;
use crate::{Ended, Outcome, OutputError, Stream};

pub(crate) struct Job {
    reactor: Handle,
    kill_grace: Duration,
    promise: Promise<Outcome, OutputError>,
    /// `None` while the callback runs, and after the run.
    on_line: WithCell<Option<OnLine>>,
    state: WithCell<RunState>,
    /// `Some` from the spawn to the end.
    process: WithCell<Option<Process>>,
    /// The timer for the deadline of the state.
    timer: DeadlineTimer,
    /// `Some` while a released program runs.
    end: WithCell<Option<Reply<ExitReason>>>,
}

impl Job {
    pub(crate) fn new(
        reactor: &Handle,
        rules: Rules,
        command: CommandLine,
        on_line: Option<OnLine>,
    ) -> (Rc<Self>, Deferred<Outcome, OutputError>) {
        let (promise, deferred) = Deferred::new();
        let job = Rc::new(Self {
            reactor: reactor.clone(),
            kill_grace: rules.kill_grace,
            promise,
            on_line: WithCell::new(on_line),
            state: WithCell::new(RunState::new(rules, command, reactor.now())),
            process: WithCell::new(None),
            timer: DeadlineTimer::default(),
            end: WithCell::new(None),
        });
        let weak = Rc::downgrade(&job);
        job.promise.on_cancel(move || {
            if let Some(job) = weak.upgrade() {
                job.on_given_up();
            }
        });
        (job, deferred)
    }

    pub(crate) fn reactor(&self) -> &Handle {
        &self.reactor
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state.with(|state| state.is_running())
    }

    /// Reports that the process has started.
    pub(crate) fn on_started(self: &Rc<Self>, process: &Process) {
        let none = self.process.replace(Some(process.clone()));
        drop(none);
        self.report(|state, now| state.on_started(now));
    }

    /// Calls the line callback for the lines of these data that are complete, while the run goes on
    /// and until its time limit. Lines that are late stay in `lines`.
    pub(crate) fn on_line_data(&self, lines: &mut Lines, stream: Stream, data: &Bytes) {
        let (within, until) = self
            .state
            .with(|state| (state.bytes_within_limits(stream, data.len()), state.poll_deadline()));
        lines.on_data(stream, data.slice(..within));
        self.deliver(lines, stream, until);
    }

    /// Calls the line callback for the last lines of a program that has ended: it is not late.
    pub(crate) fn on_lines_end(&self, lines: &mut Lines, stream: Stream) {
        lines.on_end(stream);
        self.deliver(lines, stream, None);
    }

    fn deliver(&self, lines: &mut Lines, stream: Stream, until: Option<Duration>) {
        let Some(mut call) = self.on_line.take() else { return };
        lines.deliver(stream, &mut *call, || {
            self.is_running() && until.is_none_or(|until| self.reactor.now() < until)
        });
        if self.is_running() {
            let none = self.on_line.replace(Some(call));
            drop(none);
        }
    }

    /// Reports data that the program wrote.
    pub(crate) fn on_data(self: &Rc<Self>, stream: Stream, data: &[u8]) {
        self.report(|state, now| state.on_data(stream, data, now));
    }

    /// Reports what a launcher's local command says about itself.
    pub(crate) fn on_report(self: &Rc<Self>, text: &[u8]) {
        self.report(|state, _| state.on_report(text));
    }

    /// Returns whether a launcher's local command has reported that its status is not the program's.
    pub(crate) fn has_report(&self) -> bool {
        self.state.with(|state| state.has_report())
    }

    /// Reports that the reader of the standard input failed.
    pub(crate) fn on_reader_failed(self: &Rc<Self>, source: io::Error) {
        let late = self.report(|state, now| state.on_reader_failed(source, now));
        drop(late);
    }

    /// Reports that nobody waits for the result any more, or that there will be none because the
    /// reader of the standard input panicked.
    pub(crate) fn on_given_up(self: &Rc<Self>) {
        let pending = self.report(|state, _| state.on_given_up());
        drop(pending);
    }

    /// Reports that the child was reaped. Its outputs may still be open.
    pub(crate) fn on_exited(self: &Rc<Self>) {
        self.report(|state, _| state.on_exited());
    }

    /// Reports that the child was reaped and its outputs are closed. No event follows.
    pub(crate) fn on_ended(self: &Rc<Self>, reason: ExitReason) {
        drop(self.process.take());
        self.report(|state, now| state.on_ended(reason, now));
    }

    /// Reports that the protocol was dropped. If the process has not ended yet, a callback has
    /// panicked, or the reactor is gone.
    pub(crate) fn on_dropped(self: &Rc<Self>) {
        self.report(|state, _| state.on_lost());
        drop(self.process.take());
    }

    /// Gives a fact to the state, and does what is due then.
    fn report<R>(self: &Rc<Self>, fact: impl FnOnce(&mut RunState, Duration) -> R) -> R {
        let now = self.reactor.now();
        let result = self.state.with(|state| fact(state, now));
        if !self.is_running() {
            drop(self.on_line.take());
        }
        let deadline = self.state.with(|state| state.poll_deadline());
        self.timer.set(&self.reactor, deadline, self, Self::on_time);
        while let Some(step) = self.state.with(|state| state.poll_step()) {
            self.act(step);
        }
        result
    }

    fn act(self: &Rc<Self>, step: RunStep) {
        match step {
            RunStep::Terminate => self.terminate(),
            RunStep::CloseAll => self.with_process(Process::close_all),
            RunStep::Settle(result) => self.promise.complete(result),
            RunStep::Release(released) => {
                self.with_process(Process::close_stdin); // do not wait for the rest of its reader
                let (reply, answer) = Answer::new();
                let none = self.end.replace(Some(reply));
                drop(none);
                self.promise.complete(Err(released.into_error(Ended::of_loop(answer))));
            }
            RunStep::ReportEnd(reason) => {
                if let Some(reply) = self.end.take() {
                    reply.send(reason).ok(); // the program may have dropped its `Ended`
                }
            }
        }
    }

    /// Terminates the group. A forked copy of this program does not.
    fn terminate(self: &Rc<Self>) {
        let process = self.process.with(|process| process.clone());
        let Some(process) = process.filter(Process::is_launched_here) else {
            return self.report(|state, _| state.on_terminated());
        };
        let signal = if self.kill_grace.is_zero() { Signal::KILL } else { Signal::TERM };
        let ended = process.terminate(signal, self.kill_grace);
        // The end of the process drops the protocol, and the result may come later.
        let job = self.state.with(|state| state.has_verdict()).then(|| Rc::clone(self));
        ended.done(move |_| {
            if let Some(job) = job {
                job.report(|state, _| state.on_terminated());
            }
        });
        if process.pid().is_none() {
            process.close_all();
        }
    }

    fn with_process(&self, call: impl FnOnce(&Process)) {
        if let Some(process) = self.process.with(|process| process.clone()) {
            call(&process);
        }
    }

    fn on_time(self: &Rc<Self>) {
        self.timer.on_called();
        let process = self.process.with(|process| process.clone());
        let pid = process.as_ref().and_then(Process::pid);
        let stopped_by = || process.and_then(|process| process.stopped_by());
        if self.report(|state, now| state.on_time(now, stopped_by)) {
            trace::timed_out(pid);
        }
    }
}

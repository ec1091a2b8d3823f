//! One run of one program in the thread that waits for it: gives the facts to the [`RunState`], and
//! does what is due. No thread is started, and no loop is needed.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use bytes::Bytes;
use procession_core::driver::Patience;
use procession_process_transport::driver::{Attended, Sink, Stopwatch};
use procession_protocol::ChildFd;

use crate::feed::Feed;
use crate::launcher::report::REPORT_FD;
use crate::lines::Lines;
use crate::rest::{Rest, unknown_end};
use crate::run::prepared::Prepared;
use crate::run_state::{ReleasedRun, RunState, RunStep};
use crate::stdin::Input;
use crate::trace;
use crate::{Ended, Outcome, OutputError, OutputLine, Stream};

/// A callback for lines.
type OnLine<'a> = &'a mut dyn FnMut(OutputLine);

/// Starts the program, and returns when it has ended or the run has failed.
pub(crate) fn run(prepared: Prepared, on_line: Option<OnLine<'_>>) -> Result<Outcome, OutputError> {
    let Prepared { command, input, rules, line, lines } = prepared;
    let is_fed = !matches!(input, Input::Nothing);
    let mut state = RunState::new(rules, line, Duration::ZERO);
    let mut child = Attended::spawn(&command, is_fed.then_some(ChildFd::STDIN))?;
    drop(command); // it may hold descriptors of the program
    let stopwatch = child.stopwatch();
    state.on_started(stopwatch.now());
    let outputs = Outputs { state, lines, on_line, stopwatch };
    let mut run = BlockingRun { outputs, feed: Feed::new(input), grace: rules.kill_grace };
    // A callback or the reader may panic. The program is terminated then, as on a loop.
    match catch_unwind(AssertUnwindSafe(|| run.drive(&mut child))) {
        Ok(RunEnd::Settled(result)) => *result,
        Ok(RunEnd::Released(released)) => {
            let rest = Rest::new(child, run.feed.take_unwritten());
            Err(released.into_error(Ended::of_rest(rest)))
        }
        Err(panic) => {
            let pending = run.outputs.state.on_given_up();
            run.act(&mut child);
            drop(pending);
            resume_unwind(panic)
        }
    }
}

struct BlockingRun<'a> {
    outputs: Outputs<'a>,
    feed: Feed,
    grace: Duration,
}

enum RunEnd {
    Settled(Box<Result<Outcome, OutputError>>),
    Released(ReleasedRun),
}

impl BlockingRun<'_> {
    fn drive(&mut self, child: &mut Attended) -> RunEnd {
        let mut patience = Patience::OF_A_LIMIT;
        let mut last_late = None;
        loop {
            if let Some(end) = self.act(child) {
                return end;
            }
            if !self.feed.is_pending() {
                child.close_input();
            }
            let deadline = self.outputs.state.poll_deadline();
            let is_late = deadline.is_some_and(|at| self.outputs.stopwatch.now() >= at);
            // A late run reads what is ready, and gives the program nothing more.
            let is_feeding = self.feed.is_pending() && !is_late;
            let turn = child.turn(deadline, is_feeding, &mut self.outputs);
            match (turn, child.end()) {
                (Err(error), _) => {
                    self.outputs.state.on_ended(unknown_end(&error), self.outputs.stopwatch.now());
                }
                (Ok(_), Some(reason)) => {
                    self.outputs.end_lines();
                    let now = self.outputs.stopwatch.now();
                    self.outputs.state.on_ended(reason.clone(), now);
                }
                (Ok(turn), None) => {
                    if turn.has_room && self.outputs.state.is_running() {
                        self.feed(child);
                    }
                    // A turn takes as long as its reads and the callback for their lines.
                    let now = self.outputs.stopwatch.now();
                    if is_late {
                        patience.on_busy_turn(last_late.map_or(Duration::ZERO, |last| now - last));
                        last_late = Some(now);
                    }
                    // A stop may have come after a turn that looked in time.
                    let is_due = is_late && turn.is_idle || patience.is_over();
                    if is_due && self.outputs.state.on_time(now, || child.stopped_by()) {
                        trace::timed_out(Some(child.pid()));
                    }
                }
            }
        }
    }

    /// Does what is due. Returns the end of the run, if it is over.
    fn act(&mut self, child: &mut Attended) -> Option<RunEnd> {
        while let Some(step) = self.outputs.state.poll_step() {
            match step {
                RunStep::Terminate => {
                    child.terminate(self.grace);
                    self.outputs.state.on_terminated();
                }
                RunStep::Settle(result) => return Some(RunEnd::Settled(Box::new(result))),
                RunStep::Release(released) => return Some(RunEnd::Released(released)),
                // Neither follows here: the termination closes the ends, and a run is over when it
                // is released.
                RunStep::CloseAll | RunStep::ReportEnd(_) => {}
            }
        }
        None
    }

    fn feed(&mut self, child: &mut Attended) {
        if let Err(error) = self.feed.read() {
            return self.fail_reading(error);
        }
        self.feed.write(child);
    }

    fn fail_reading(&mut self, error: io::Error) {
        let now = self.outputs.stopwatch.now();
        let late = self.outputs.state.on_reader_failed(error, now);
        drop(late);
    }
}

/// Keeps the outputs, and calls the callback with their lines.
struct Outputs<'a> {
    state: RunState,
    lines: Option<Box<Lines>>,
    on_line: Option<OnLine<'a>>,
    stopwatch: Stopwatch,
}

impl Outputs<'_> {
    /// Calls the callback with the lines that are complete, until the time limit.
    fn deliver(&mut self, stream: Stream, until: Option<Duration>) {
        let stopwatch = self.stopwatch;
        if let (Some(lines), Some(call)) = (&mut self.lines, &mut self.on_line) {
            lines.deliver(stream, call, || until.is_none_or(|until| stopwatch.now() < until));
        }
    }

    /// Ends the lines: a last line needs no line feed. A program that has ended is not late.
    fn end_lines(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(lines) = &mut self.lines {
                lines.on_end(stream);
            }
            self.deliver(stream, None);
        }
    }
}

impl Sink for Outputs<'_> {
    fn on_data(&mut self, fd: ChildFd, data: &mut Vec<u8>) {
        if fd == ChildFd::from(REPORT_FD) {
            self.state.on_report(data);
        }
        let Some(stream) = Stream::of(fd).filter(|_| self.state.is_running()) else { return };
        let now = self.stopwatch.now();
        match &mut self.lines {
            None => self.state.on_data(stream, data, now),
            Some(lines) => {
                let data = Bytes::from(std::mem::take(data));
                let within = self.state.bytes_within_limits(stream, data.len());
                lines.on_data(stream, data.slice(..within));
                self.deliver(stream, self.state.poll_deadline());
                self.state.on_data(stream, &data, self.stopwatch.now());
            }
        }
    }
}

//! Starts a [`Run`] on a loop.

use std::future::IntoFuture;
use std::rc::Rc;

use procession_core::{Deferred, Failed};
use procession_process_transport::{Command, SpawnProcess};
use procession_protocol::Process;
use procession_reactor::Handle;

use super::Run;
use super::line_stream::{RunLines, SharedLines};
use super::prepared::Prepared;
use super::retry::is_worth_another;
use super::settings::Later;
use super::shared_on_line::SharedOnLine;
use crate::collector::Collector;
use crate::job::Job;
use crate::launcher::place::Arrival;
use crate::lines::OnLine;
use crate::message::CommandLine;
use crate::{Outcome, OutputError, OutputLine};

impl<F: FnMut(OutputLine) + 'static> Run<F> {
    /// Starts the program on the reactor of this thread.
    ///
    /// If the program cannot be started, the `Deferred` fails with [`OutputError::Spawn`].
    ///
    /// # Panics
    ///
    /// If the thread has no reactor ([`Handle::current`]).
    #[must_use = "dropping the result terminates the program: `done` or `detach` lets it run"]
    #[track_caller]
    pub fn start(self) -> Deferred<Outcome, OutputError> {
        self.start_on(&Handle::current())
    }

    /// Starts the program, or panics, as [`start`](Self::start) does.
    #[must_use = "dropping the result terminates the program: `done` or `detach` lets it run"]
    #[track_caller]
    pub fn output(self) -> Deferred<Outcome, OutputError> {
        self.start()
    }

    /// Returns program and arguments for messages.
    pub(crate) fn command_line(&self) -> CommandLine {
        self.settings.line()
    }

    /// Starts the program on this reactor.
    #[must_use = "dropping the result terminates the program: `done` or `detach` lets it run"]
    pub fn start_on(self, reactor: &Handle) -> Deferred<Outcome, OutputError> {
        self.boxed().start_boxed_on(reactor, |_| ())
    }

    /// Does the same, but the launch threads launch the program, so that this thread goes on. Calls
    /// `on_launched` when that is over, however it ends.
    pub(crate) fn start_off_loop(
        self,
        reactor: &Handle,
        on_launched: impl FnOnce() + 'static,
    ) -> Deferred<Outcome, OutputError> {
        let run = self.boxed();
        let start = |run: Run<OnLine>| run.start_once_off_loop(reactor, on_launched);
        match run.settings.retry.is_once() {
            true => start(run),
            false => run.attempt(reactor, start, &repeating(reactor, |_| ())),
        }
    }

    /// Returns the run with its callback in a box: runs with different callbacks, and without any,
    /// then have one type, as [`run_all`](crate::run_all()) needs.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Reactor, Run, run_all};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let seq = Run::new("seq").arg("3").for_each_line(|line| assert_eq!(line.len(), 1));
    /// let both = [seq.boxed(), Run::new("true").boxed()];
    /// reactor.block_on(run_all(both, 2).all_or_first_error()).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn boxed(self) -> Run<Box<dyn FnMut(OutputLine)>> {
        let on_line = self.on_line.map(|call| Box::new(call) as OnLine);
        Run { settings: self.settings, on_line }
    }
}

impl Run {
    /// Starts the program on the reactor of this thread and returns its lines as a stream. The lines are
    /// those of [`for_each_line`](Self::for_each_line).
    ///
    /// If the lines are not taken, the outputs are paused when [`RunLines::HIGH_BYTES`] of them wait, and
    /// the program stands still when its pipes are full. So the lines need no limit in memory; the outputs
    /// are kept beside them as [`keep`](Self::keep) says.
    ///
    /// # Panics
    ///
    /// If the thread has no reactor ([`Handle::current`]).
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Keep, Reactor, Run};
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.block_on(async {
    ///     let mut lines = Run::new("seq").arg("2").keep(Keep::nothing()).check().lines();
    ///     while let Some(line) = lines.next().await {
    ///         println!("{}: {}", line.stream, String::from_utf8_lossy(&line));
    ///     }
    ///     lines.outcome().await
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    #[doc(alias = "reader")]
    pub fn lines(self) -> RunLines {
        let lines = Rc::<SharedLines>::default();
        let reactor = Handle::current();
        let (taken, started) = (Rc::clone(&lines), Rc::clone(&lines));
        let run = self.for_each_line(move |line| taken.push(line)).boxed();
        let run = run.start_boxed_on(&reactor, move |process| started.on_started(process));
        RunLines::new(lines, run)
    }
}

/// The protocol of a run, its command and its result.
type Collected = (Collector, Command, Deferred<Outcome, OutputError>);

/// Starts a further attempt.
type Again = Rc<dyn Fn(Run<OnLine>) -> Deferred<Outcome, OutputError>>;

fn repeating(reactor: &Handle, show: impl Fn(&Process) + 'static) -> Again {
    let (reactor, show) = (reactor.clone(), Rc::new(show));
    Rc::new(move |run| {
        let show = Rc::clone(&show);
        run.start_once_on(&reactor, move |process| show(process))
    })
}

impl Run<OnLine> {
    /// Starts the program on this reactor, and calls `show` with the process of each attempt.
    pub(crate) fn start_boxed_on(
        self,
        reactor: &Handle,
        show: impl Fn(&Process) + 'static,
    ) -> Deferred<Outcome, OutputError> {
        match self.settings.retry.is_once() {
            true => self.start_once_on(reactor, show),
            false => self.attempt_again(reactor, &repeating(reactor, show)),
        }
    }

    fn attempt_again(self, reactor: &Handle, again: &Again) -> Deferred<Outcome, OutputError> {
        self.attempt(reactor, |run| again(run), again)
    }

    /// Starts the program by `start`, and by `again` after each failure that allows it.
    fn attempt(
        mut self,
        reactor: &Handle,
        start: impl FnOnce(Self) -> Deferred<Outcome, OutputError>,
        again: &Again,
    ) -> Deferred<Outcome, OutputError> {
        let later = match self.settings.later() {
            Ok(Some(later)) => later,
            Ok(None) => return start(self),
            Err(error) => return Deferred::ready(Err(error)),
        };
        let on_line = self.on_line.take().map(SharedOnLine::new);
        self.on_line = on_line.as_ref().map(SharedOnLine::call);
        let (reactor, again) = (reactor.clone(), Rc::clone(again));
        start(self).or_else(move |error| {
            if !is_worth_another(&error) {
                return Deferred::ready(Err(error));
            }
            later.announce();
            let (Later { settings, pause }, handle) = (later, reactor.clone());
            let paused = reactor.defer(async move {
                handle.sleep(pause).await;
                Ok(())
            });
            let run = Self { settings, on_line: on_line.as_ref().map(SharedOnLine::call) };
            paused.and_then(move |()| run.attempt_again(&reactor, &again))
        })
    }

    fn start_once_on(
        self,
        reactor: &Handle,
        show: impl FnOnce(&Process) + 'static,
    ) -> Deferred<Outcome, OutputError> {
        let place = match self.settings.checked_place() {
            Ok(Some(place)) => place,
            Ok(None) => return self.start_arrived(reactor, None, show),
            Err(error) => return Deferred::ready(Err(error)),
        };
        let line = self.settings.line();
        let arrived = reactor.defer(async move {
            let unreachable =
                |reason| OutputError::Unreachable { command: line.to_string(), reason };
            place.arrive().await.map_err(unreachable)
        });
        let reactor = reactor.clone();
        arrived.and_then(move |arrival| self.start_arrived(&reactor, Some(arrival), show))
    }

    fn start_arrived(
        self,
        reactor: &Handle,
        arrival: Option<Arrival>,
        show: impl FnOnce(&Process),
    ) -> Deferred<Outcome, OutputError> {
        let (collector, command, deferred) = match self.collect_on(reactor, arrival) {
            Ok(parts) => parts,
            Err(error) => return Deferred::ready(Err(error)),
        };
        match reactor.spawn_process(collector, command) {
            Ok(process) => {
                show(&process);
                deferred
            }
            Err(error) => Deferred::ready(Err(error.into())),
        }
    }

    fn start_once_off_loop(
        self,
        reactor: &Handle,
        on_launched: impl FnOnce() + 'static,
    ) -> Deferred<Outcome, OutputError> {
        if self.settings.place.is_some() {
            on_launched();
            return self.start_once_on(reactor, |_| ());
        }
        let (collector, command, deferred) = match self.collect_on(reactor, None) {
            Ok(parts) => parts,
            Err(error) => return Deferred::ready(Err(error)),
        };
        let launched = CallOnDrop(Some(on_launched));
        reactor.spawn_process_soon(collector, command).then(move |started| {
            drop(launched);
            match started {
                Ok(_process) => deferred,
                Err(Failed::Error(error)) => Deferred::ready(Err(error.into())),
                // The loop has stopped.
                Err(Failed::Cancelled) => {
                    let (promise, cancelled) = Deferred::new();
                    promise.settle(Err(Failed::Cancelled));
                    cancelled
                }
                // The callback that the program has started has panicked.
                Err(_) => deferred,
            }
        })
    }

    /// Returns the protocol of the run, its command and its result.
    fn collect_on(
        self,
        reactor: &Handle,
        mut arrival: Option<Arrival>,
    ) -> Result<Collected, OutputError> {
        let Self { settings, on_line } = self;
        // The launching thread is the reactor's, or lives as long as the process. The reactor ends its
        // children when it is dropped.
        let prepared = settings.prepare(on_line.is_some(), arrival.as_mut())?;
        let Prepared { command, input, rules, line, lines } = prepared;
        let (job, deferred) = Job::new(reactor, rules, line, on_line);
        Ok((Collector::new(job, input, &command, lines, arrival), command, deferred))
    }
}

/// Calls when it is dropped: the launch is over, or nobody waits for it.
struct CallOnDrop<C: FnOnce()>(Option<C>);

impl<C: FnOnce()> Drop for CallOnDrop<C> {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call();
        }
    }
}

/// Starts the program, as [`Run::start`] does.
impl<F: FnMut(OutputLine) + 'static> IntoFuture for Run<F> {
    type Output = <Deferred<Outcome, OutputError> as Future>::Output;
    type IntoFuture = Deferred<Outcome, OutputError>;

    #[track_caller]
    fn into_future(self) -> Self::IntoFuture {
        self.start()
    }
}

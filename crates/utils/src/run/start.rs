//! Starts a [`Run`] on a loop.

use std::future::IntoFuture;

use procession_core::{Deferred, Failed};
use procession_process_transport::{Command, SpawnProcess};
use procession_reactor::Handle;

use super::Run;
use super::prepared::Prepared;
use crate::collector::Collector;
use crate::job::Job;
use crate::lines::OnLine;
use crate::message::quoted;
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

    /// Returns program and arguments, quoted for messages.
    pub(crate) fn quoted_command(&self) -> String {
        quoted(&self.settings.command)
    }

    /// Starts the program on this reactor.
    #[must_use = "dropping the result terminates the program: `done` or `detach` lets it run"]
    pub fn start_on(self, reactor: &Handle) -> Deferred<Outcome, OutputError> {
        let (collector, command, deferred) = self.collect_on(reactor);
        match reactor.spawn_process(collector, command) {
            Ok(_process) => deferred,
            Err(error) => Deferred::ready(Err(error.into())),
        }
    }

    /// Does the same, but the launch threads launch the program, so that this thread goes on. Calls
    /// `on_launched` when that is over, however it ends.
    pub(crate) fn start_off_loop(
        self,
        reactor: &Handle,
        on_launched: impl FnOnce() + 'static,
    ) -> Deferred<Outcome, OutputError> {
        let (collector, command, deferred) = self.collect_on(reactor);
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
    fn collect_on(self, reactor: &Handle) -> (Collector, Command, Deferred<Outcome, OutputError>) {
        let Run { settings, on_line } = self.boxed();
        // The launching thread is the reactor's, or lives as long as the process. The reactor ends its
        // children when it is dropped.
        let prepared = settings.prepare(on_line.is_some());
        let Prepared { command, input, rules, line, lines } = prepared;
        let (job, deferred) = Job::new(reactor, rules, line, on_line);
        (Collector::new(job, input, &command, lines), command, deferred)
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

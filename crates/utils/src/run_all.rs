//! Many programs, with a limit on how many run at once.

mod batch;
mod elsewhere;
mod next;
mod places;
mod results;
mod state;

use std::fmt;
use std::future::IntoFuture;

use batch::{Batch, Hooks, Plan};
pub use places::Places;
use procession_core::{Deferred, NoError};
use procession_reactor::Handle;
use results::RunResult;
pub use results::{Progress, RunAllError};

use crate::{HostProgress, Outcome, OutputLine, Run};

/// Runs programs in their order: here, at most a number at a time (0 counts as 1), or on other machines,
/// in the slots of [`Hosts`](crate::Hosts).
///
/// The programs are commands, or [`Run`]s with all their options. They start with [`RunAll::all`],
/// [`RunAll::all_or_first_error`], or when the `RunAll` is awaited. After the first call of a
/// callback, the loop starts the remaining ones.
///
/// A callback may drop or cancel the result, or the task that awaits it: no program starts after
/// that. If a callback panics, the running programs are terminated, no more are started, and the
/// result is [`Failed::Abandoned`](procession_core::Failed::Abandoned).
///
/// # Examples
///
/// ```
/// use procession::{Command, Reactor, Run, run_all};
///
/// let mut reactor = Reactor::new()?;
/// let commands = (0..5).map(|n| Command::new("echo").arg(n.to_string()));
/// let results = reactor.block_on(run_all(commands, 2)).unwrap();
/// let output: Vec<_> = results.into_iter().map(|result| result.unwrap().stdout).collect();
/// assert_eq!(output, ["0\n", "1\n", "2\n", "3\n", "4\n"]);
///
/// let checked = ["true", "false", "true"].map(|program| Run::new(program).check());
/// let error = reactor.block_on(run_all(checked, 2).all_or_first_error()).unwrap_err();
/// assert!(error.to_string().starts_with("false exited with status 1 after 0."));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn run_all<I, F>(programs: I, places: impl Into<Places>) -> RunAll
where
    I: IntoIterator,
    I::Item: Into<Run<F>>,
    F: FnMut(OutputLine) + 'static,
{
    RunAll(Plan {
        runs: programs.into_iter().map(|program| program.into().boxed()).collect(),
        places: places.into(),
        hooks: Hooks::default(),
    })
}

/// The programs that [`run_all()`] will run, and its options.
#[must_use = "nothing is run until this is awaited, given to `block_on`, or started"]
pub struct RunAll(Plan);

impl RunAll {
    /// Calls `call` just before a program starts, and when one has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Reactor, run_all};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let all = run_all(["true"; 4], 2).on_progress(|now| {
    ///     assert_eq!(now.done + now.running + now.failed + now.waiting, now.total);
    /// });
    /// reactor.block_on(all).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_progress(mut self, call: impl FnMut(Progress) + 'static) -> Self {
        self.0.hooks.on_progress = Some(Box::new(call));
        self
    }

    /// Calls `call` with each result as it comes, and with the index of its program, from 0.
    pub fn on_result(mut self, call: impl FnMut(usize, &RunResult) + 'static) -> Self {
        self.0.hooks.on_result = Some(Box::new(call));
        self
    }

    /// Calls `call` with all [`Hosts`](crate::Hosts), in their order, when [`on_progress`](Self::on_progress)
    /// would be called, and when a host is reached or set aside.
    pub fn on_hosts(mut self, call: impl FnMut(&[HostProgress]) + 'static) -> Self {
        self.0.hooks.on_hosts = Some(Box::new(call));
        self
    }

    /// Starts the programs on the reactor of this thread, and gives all results, in order.
    ///
    /// An error of one program does not affect the others. Dropping or cancelling the `Deferred`
    /// terminates the running programs and starts no more.
    ///
    /// # Panics
    ///
    /// If the thread has no reactor.
    #[must_use = "dropping the result terminates the programs: `done` or `detach` lets them run"]
    #[track_caller]
    pub fn all(self) -> Deferred<Vec<RunResult>, NoError> {
        self.start(false)
    }

    /// Starts the programs on the reactor of this thread, and gives all outcomes, in order, or the
    /// error that came first.
    ///
    /// After an error, and when the `Deferred` is dropped or cancelled, the running programs are
    /// terminated and no more are started.
    ///
    /// # Panics
    ///
    /// If the thread has no reactor.
    #[must_use = "dropping the result terminates the programs: `done` or `detach` lets them run"]
    #[track_caller]
    pub fn all_or_first_error(self) -> Deferred<Vec<Outcome>, RunAllError> {
        self.start(true).map_err(|never| match never {}).and_then(results::outcomes)
    }

    #[track_caller]
    fn start(self, stops_at_error: bool) -> Deferred<Vec<RunResult>, NoError> {
        Batch::start(&Handle::current(), self.0, stops_at_error)
    }
}

/// Starts the programs, as [`RunAll::all`] does.
impl IntoFuture for RunAll {
    type Output = <Deferred<Vec<RunResult>, NoError> as Future>::Output;
    type IntoFuture = Deferred<Vec<RunResult>, NoError>;

    #[track_caller]
    fn into_future(self) -> Self::IntoFuture {
        self.all()
    }
}

impl fmt::Debug for RunAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunAll")
            .field("runs", &self.0.runs)
            .field("places", &self.0.places)
            .finish_non_exhaustive()
    }
}

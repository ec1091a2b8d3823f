//! Starts a [`Run`] on a loop.

use std::future::IntoFuture;
use std::time::Duration;

use procession_core::Deferred;
use procession_process_transport::{Fd, SpawnProcess};
use procession_reactor::Handle;

use super::{Run, Settings};
use crate::collector::{Collector, Feed};
use crate::job::Job;
use crate::lines::Lines;
use crate::message::quoted;
use crate::stdin::Source;
use crate::{Outcome, OutputError, OutputLine, streams};

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
        let Run { settings, on_line } = self.boxed();
        let Settings { command, stdin, timeout, drain_after_exit, max_line_bytes, rules } =
            settings;
        let line = quoted(&command);
        let lines = on_line.is_some().then(|| Lines::new(max_line_bytes));
        let grace = rules.kill_grace;
        let (job, deferred) = Job::new(reactor, rules, line, on_line);
        let command = command.owned(!rules.setup.is_foreground).session_if_owned();
        // The thread is the reactor's. The reactor ends its children when it is dropped.
        let command = command.kill_on_drop(true).kill_grace(grace);
        let mut command = command.die_with_thread_by_default();
        // A limit of the command cannot be removed; `Duration::MAX` replaces it by one that never
        // ends.
        command = command.drain_after_exit(drain_after_exit.unwrap_or(Duration::MAX));
        if rules.setup.is_merged {
            command = streams::merged(command);
        }
        let (stdin, feed) = match stdin.0 {
            Source::Nothing => (Some(Fd::null()), Feed::Nothing),
            Source::Bytes(data) => (Some(Fd::to_child()), Feed::Bytes(data)),
            Source::Reader(reader) => (Some(Fd::to_child()), Feed::Reader(reader)),
            Source::Fd(fd) => (Some(fd), Feed::Nothing),
            Source::Command => (None, Feed::Nothing),
        };
        if let Some(fd) = stdin {
            command = streams::with_input(command, fd);
        }
        let collector = Collector::new(job.clone(), feed, &command, lines);
        match reactor.spawn_process(collector, command) {
            Ok(_process) => {
                if let Some(after) = timeout {
                    job.arm(after);
                }
                deferred
            }
            Err(error) => Deferred::ready(Err(error.into())),
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

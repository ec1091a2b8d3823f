//! [`Policy`]: when a program of a monitor starts, starts again, and stops.

use std::time::Duration;

use procession_core::Signal;

use super::state::{ProgramId, ProgramRules, Restart};
use crate::Ready;

/// When a program of a [`Monitor`](crate::Monitor) starts, starts again, and stops.
///
/// # Restarts
///
/// A restart follows the exit of the program itself: a descendant that holds its outputs open delays
/// nothing. What the program has left in its process group is ended meanwhile. A program that cannot be
/// started, or is not ready in time, counts as one that has failed, and is tried again.
///
/// Before each restart the program pauses, first for the shorter time of [`backoff`](Self::backoff). Each
/// end after a short run doubles the pause, up to the longer time. A random quarter is added or taken
/// away, so that programs that fail together do not start together.
///
/// # Examples
///
/// ```
/// use procession::{Policy, Ready};
/// use std::time::Duration;
///
/// let web = Policy::on_failure()
///     .after("db")
///     .ready_when(Ready::tcp(8080))
///     .backoff(Duration::from_millis(200), Duration::from_secs(30))
///     .give_up_after(5, Duration::from_secs(60));
/// # drop(web);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a policy does nothing until a monitor has it"]
pub struct Policy {
    restart: Restart,
    pub(super) after: Vec<String>,
    pub(super) ready: Option<Ready>,
    backoff: (Duration, Duration),
    reset_after: Duration,
    give_up: Option<(u32, Duration)>,
    /// `None` if the policy did not say.
    start_timeout: Option<Duration>,
    pub(super) stop_signal: Signal,
    pub(super) stop_grace: Duration,
}

/// The start timeout of a program with a readiness, unless its policy says otherwise.
const START_TIMEOUT: Duration = Duration::from_secs(60);

impl Policy {
    fn new(restart: Restart) -> Self {
        Self {
            restart,
            after: Vec::new(),
            ready: None,
            backoff: (Duration::from_millis(100), Duration::from_secs(30)),
            reset_after: Duration::from_secs(10),
            give_up: None,
            start_timeout: None,
            stop_signal: Signal::TERM,
            stop_grace: Duration::from_secs(10),
        }
    }

    /// Starts the program again whenever it ends.
    pub fn always() -> Self {
        Self::new(Restart::Always)
    }

    /// Starts the program again if it fails: it exits with a status other than 0, is ended by a signal,
    /// cannot be started, or is not ready in time. An exit with status 0 is its end for good.
    pub fn on_failure() -> Self {
        Self::new(Restart::OnFailure)
    }

    /// Starts the program once. An end with status 0 is a success, any other a failure for good.
    pub fn never() -> Self {
        Self::new(Restart::Never)
    }

    /// Starts the program after another one is ready, and stops it before. A program without a readiness
    /// is ready when it has started, and also when it has ended for good with success. May be called
    /// for several programs.
    ///
    /// This concerns each start. If the other program restarts or is stopped alone, this one runs on.
    pub fn after(mut self, name: impl Into<String>) -> Self {
        self.after.push(name.into());
        self
    }

    /// Says how the program shows that it is ready.
    pub fn ready_when(mut self, ready: Ready) -> Self {
        self.ready = Some(ready);
        self
    }

    /// Sets the first pause before a restart, and the longest one. By default 100 ms and 30 s.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = (first, longest);
        self
    }

    /// Sets how long a program must have been ready for its next pause to be the first one again. By
    /// default 10 s.
    pub fn reset_after(mut self, run_time: Duration) -> Self {
        self.reset_after = run_time;
        self
    }

    /// Gives the program up when it has ended `failures` times within `within`, whatever its status, and
    /// would be started again: it has failed for good. By default a program is never given up.
    ///
    /// [`RunningMonitor::start`](crate::RunningMonitor::start) starts it all the same.
    pub fn give_up_after(mut self, failures: u32, within: Duration) -> Self {
        self.give_up = Some((failures, within));
        self
    }

    /// Sets how long the program may take until it is ready; by default 60 s. Then it is terminated, and
    /// has failed.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = Some(timeout);
        self
    }

    /// Sets the signal that asks the program to stop. By default TERM.
    pub fn stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = signal;
        self
    }

    /// Sets the time between that signal and KILL. By default 10 s.
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.stop_grace = grace;
        self
    }

    /// Returns what is wrong with the policy, if anything is.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let (first, longest) = self.backoff;
        if first > longest {
            Some("the first pause of its back-off is longer than the longest")
        } else if first.is_zero() {
            Some(
                "the first pause of its back-off is zero, so a program that fails at once would spin",
            )
        } else if self.give_up.is_some_and(|(failures, _)| failures == 0) {
            Some("it would be given up after 0 failures")
        } else if self.give_up.is_some_and(|(_, within)| within.is_zero()) {
            Some("it is given up after failures within no time, which is never")
        } else if let Some(fault) = self.ready.as_ref().and_then(Ready::fault) {
            Some(fault)
        } else if self.start_timeout.is_some() && self.ready.is_none() {
            Some("it has a start timeout, and nothing that shows that it is ready")
        } else if self.start_timeout.is_some_and(|timeout| timeout.is_zero()) {
            Some("its start timeout is zero")
        } else {
            None
        }
    }

    /// Returns the rules for the state; `ids` are those of the programs that it comes after.
    pub(super) fn rules(&self, ids: Vec<ProgramId>) -> ProgramRules {
        ProgramRules {
            restart: self.restart,
            after: ids,
            has_readiness: self.ready.is_some(),
            start_timeout: self.ready.as_ref().map(|_| self.start_timeout.unwrap_or(START_TIMEOUT)),
            backoff: self.backoff,
            reset_after: self.reset_after,
            give_up: self.give_up,
        }
    }

    /// Returns whether both have the same readiness.
    pub(super) fn has_readiness_of(&self, other: &Self) -> bool {
        match (&self.ready, &other.ready) {
            (None, None) => true,
            (Some(one), Some(two)) => one.is_same(two),
            _ => false,
        }
    }
}

//! The termination of a scope: a signal to all members, a grace, and KILL. Its caller waits.

use std::fmt;
use std::time::Duration;

use procession_core::Signal;

use super::error::ScopeError;
use super::handle::Scope;

/// How long to wait for the killed. A process that waits for a disk, or that a debugger holds, takes
/// longer.
const END_AFTER_KILL: Duration = Duration::from_secs(1);

/// The pauses between looks: first short ones, then the last again and again.
const PAUSES_MS: [u64; 6] = [1, 2, 5, 10, 20, 50];

/// The result of [`Scope::terminate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeTermination {
    escalated: bool,
    is_gone: bool,
    after: Duration,
}

impl ScopeTermination {
    /// Returns whether KILL was sent, because a member outlived the grace.
    pub fn escalated(&self) -> bool {
        self.escalated
    }

    /// Returns whether the scope was empty at the end.
    ///
    /// It is `false` if a process was still alive a second after KILL.
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Returns the time from the call to the end.
    pub fn after(&self) -> Duration {
        self.after
    }
}

impl fmt::Display for ScopeTermination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match (self.is_gone, self.escalated) {
            (true, false) => "empty",
            (true, true) => "killed",
            (false, _) => "not empty",
        };
        write!(f, "{how} after {:.1} s", self.after.as_secs_f64())
    }
}

/// One termination, until it has ended. Times count from its beginning.
#[derive(Debug)]
pub(crate) struct ScopeEnding {
    pub(super) scope: Scope,
    signal: Signal,
    is_sent: bool,
    /// Zero if the signal is KILL.
    grace: Duration,
    killed: Option<Duration>,
    looks: usize,
}

/// What a termination needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndingStep {
    Done(ScopeTermination),
    /// A look after this time at the latest, or when the scope is empty. The shorter one is for a
    /// caller that does not see that.
    Wait {
        at_most: Duration,
        pause: Duration,
    },
}

impl ScopeEnding {
    pub(super) fn new(scope: Scope, signal: Signal, grace: Duration) -> Self {
        let grace = if signal == Signal::KILL { Duration::ZERO } else { grace };
        Self { scope, signal, is_sent: false, grace, killed: None, looks: 0 }
    }

    /// Does what is due.
    pub(crate) fn step(&mut self, now: Duration) -> Result<EndingStep, ScopeError> {
        if !self.is_sent && !self.grace.is_zero() {
            self.is_sent = true;
            self.scope.signal(self.signal)?;
            self.scope.signal(Signal::CONT)?; // a stopped process does not act on the signal
        }
        if !self.scope.is_populated()? {
            return Ok(self.done(true, now));
        }
        if now >= self.grace {
            let killed = *self.killed.get_or_insert(now);
            // Again at each look: a child may have been launched into it since.
            self.scope.kill()?;
            if now >= killed.saturating_add(END_AFTER_KILL) {
                return Ok(self.done(false, now));
            }
        }
        let until = match self.killed {
            None => self.grace,
            Some(killed) => killed.saturating_add(END_AFTER_KILL),
        };
        let at_most = until.saturating_sub(now).max(Duration::from_millis(1));
        let pause = PAUSES_MS.get(self.looks).or(PAUSES_MS.last()).copied().unwrap_or(1);
        self.looks += 1;
        let pause = Duration::from_millis(pause).min(at_most);
        Ok(EndingStep::Wait { at_most, pause })
    }

    fn done(&self, is_gone: bool, after: Duration) -> EndingStep {
        let escalated = self.killed.is_some() && self.signal != Signal::KILL;
        EndingStep::Done(ScopeTermination { escalated, is_gone, after })
    }
}

//! The rules of a program, and the facts that come with every end.

use std::time::Duration;

use super::step::ProgramId;

/// When a fact comes in, and a random number for a pause that may follow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Duration,
    pub(crate) random: u32,
}

/// Which ends lead to another start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    Always,
    OnFailure,
    Never,
}

/// How a program of a new configuration relates to the one with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// There was none.
    New,
    /// It may run on. Its rules may have changed.
    None,
    /// It must be started again.
    Restart,
}

/// What the state knows of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProgramRules {
    pub(crate) restart: Restart,
    /// Programs of the same configuration, without a circle.
    pub(crate) after: Vec<ProgramId>,
    /// A started program is not ready before `on_ready`.
    pub(crate) has_readiness: bool,
    /// How long a start may take until the program is ready.
    pub(crate) start_timeout: Option<Duration>,
    /// The first pause, and the longest.
    pub(crate) backoff: (Duration, Duration),
    /// A program that was ready this long starts with the first pause again.
    pub(crate) reset_after: Duration,
    /// How many ends within which time are too many.
    pub(crate) give_up: Option<(u32, Duration)>,
}

#[cfg(test)]
impl ProgramRules {
    /// Rules with the default times, which restart a program always.
    pub(crate) fn always() -> Self {
        Self {
            restart: Restart::Always,
            after: Vec::new(),
            has_readiness: false,
            start_timeout: None,
            backoff: (Duration::from_millis(100), Duration::from_secs(30)),
            reset_after: Duration::from_secs(10),
            give_up: None,
        }
    }
}

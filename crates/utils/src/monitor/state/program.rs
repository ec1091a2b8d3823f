//! One program of a monitor: what is wanted of it, and where it is.

use std::time::Duration;

use super::backoff::Backoff;
use super::rules::ProgramRules;

/// Where a program is between two starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Down(Down),
    /// Programs that it comes after are not ready.
    Waiting,
    Pausing {
        until: Duration,
    },
    Starting {
        /// It was reported as started.
        is_started: bool,
        deadline: Option<Duration>,
    },
    /// It is ready.
    Running {
        since: Duration,
    },
    /// It is being terminated.
    Stopping(Ending),
}

/// Why a program is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Down {
    Asked,
    Done,
    Failed,
}

/// How far a termination is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(super) exited: bool,
    pub(super) terminated: bool,
    /// It was not ready in time. Otherwise somebody asked for the stop.
    pub(super) is_failure: bool,
}

/// What the owner of the monitor wants of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Up,
    Down,
    /// It is no longer part of the configuration.
    Gone,
}

/// What the state keeps of a program.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Program {
    pub(super) rules: ProgramRules,
    pub(super) wanted: Wanted,
    /// It is to stop, and then to start.
    pub(super) again: bool,
    pub(super) phase: Phase,
    /// The number of the latest start.
    pub(super) run: u32,
    pub(super) backoff: Backoff,
    /// An event has reported that it waits.
    pub(super) is_waiting_reported: bool,
}

impl Program {
    /// Creates a program that is to start.
    pub(super) fn new(rules: ProgramRules) -> Self {
        Self {
            rules,
            wanted: Wanted::Up,
            again: false,
            phase: Phase::Waiting,
            run: 0,
            backoff: Backoff::default(),
            is_waiting_reported: false,
        }
    }

    pub(super) fn lives(&self) -> bool {
        matches!(self.phase, Phase::Starting { .. } | Phase::Running { .. } | Phase::Stopping(_))
    }

    pub(super) fn is_to_stop(&self) -> bool {
        self.wanted != Wanted::Up || self.again
    }

    /// Returns whether programs that come after this one may start.
    pub(super) fn is_ready(&self) -> bool {
        match self.phase {
            Phase::Running { .. } => !self.is_to_stop(),
            Phase::Down(down) => down == Down::Done,
            _ => false,
        }
    }

    pub(super) fn wait(&mut self) {
        self.again = false;
        self.is_waiting_reported = false;
        self.phase = Phase::Waiting;
    }
}

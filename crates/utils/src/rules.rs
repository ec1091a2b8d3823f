//! [`Rules`]: what a run counts as a failure, and how a failure ends the program.

use std::time::Duration;

use crate::Keep;
use crate::run_setup::RunSetup;

/// Which ends of a process are failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailOn {
    Nothing,
    /// An end without an exit status.
    NoStatus,
    /// Any end but one of these exit statuses.
    NoneOf(ExitCodes),
}

/// A set of exit statuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ExitCodes([u128; 2]);

impl ExitCodes {
    pub(crate) fn contains(self, code: i32) -> bool {
        u8::try_from(code).is_ok_and(|code| self.0[usize::from(code / 128)] & bit(code) != 0)
    }
}

impl FromIterator<u8> for ExitCodes {
    fn from_iter<I: IntoIterator<Item = u8>>(codes: I) -> Self {
        let mut set = Self::default();
        for code in codes {
            set.0[usize::from(code / 128)] |= bit(code);
        }
        set
    }
}

fn bit(code: u8) -> u128 {
    1 << (code % 128)
}

/// What counts as a failure, and how a failure ends the child.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) fail_on: FailOn,
    pub(crate) fails_on_stderr: bool,
    pub(crate) stops_at_limit: bool,
    pub(crate) setup: RunSetup,
    /// `None` if the run has no limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) kill_grace: Duration,
    pub(crate) keep: Keep,
}

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
    /// Any end but exit status 0.
    NoSuccess,
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

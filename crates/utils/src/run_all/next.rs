//! [`Next`]: what follows the result of an attempt.

use std::time::Duration;

use crate::Run;
use crate::lines::OnLine;

/// What follows the result of an attempt.
pub(super) enum Next {
    /// It is the result of the run.
    Over,
    /// The program has not started: the run waits again.
    Again(Run<OnLine>),
    /// The run has another attempt, after this time.
    Later(Run<OnLine>, Duration),
}

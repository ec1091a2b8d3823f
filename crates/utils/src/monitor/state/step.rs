//! What a [`MonitorState`](super::MonitorState) asks its driver to do.

use std::time::Duration;

/// Identifies a program for as long as its monitor runs. Numbers are not used twice.
pub(crate) type ProgramId = u32;

/// An action that is due. The driver does them in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MonitorStep {
    /// Start the program. The driver answers with `on_started` or `on_start_failed`.
    Spawn(RunId),
    /// Terminate the group of this run. The driver answers with `on_terminated`, and reports the exit;
    /// or with `on_start_failed`, if the program had not started yet.
    Terminate(RunId),
    /// The leader has exited by itself: end what it has left in its group. The driver answers with
    /// `on_terminated`. A restart does not wait for this.
    EndRest(RunId),
    /// Something happened that an event reports.
    Report(ProgramId, Report),
    /// The program was removed and is down: nothing will refer to it any more.
    Forget(ProgramId),
    /// Nothing lives, and nothing will start by itself.
    Over,
}

/// One start of one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunId {
    pub(crate) program: ProgramId,
    /// Counts the starts of the program.
    pub(crate) number: u32,
}

/// What happened to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// It waits for programs that it comes after.
    Waiting,
    Started,
    /// It could not be started.
    NotStarted,
    Ready,
    /// It was not ready within its start timeout.
    StartTimedOut,
    Exited,
    /// It will be started again after this time.
    Pausing(Duration),
    /// Its end is final, and a success.
    Done,
    /// Its end is final, and a failure.
    Failed,
    /// It failed too often and is not started any more.
    GaveUp,
    Stopping,
    Stopped,
    /// It was stopped, as far as possible: a process has outlived the KILL.
    Survived,
}

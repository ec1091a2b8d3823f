//! The matrix: the refused call, the way of refusal, the spawn path, and the outcome.

pub(crate) mod copy;
pub(crate) mod profile;
pub(crate) mod program;
pub(crate) mod rows;
pub(crate) mod sys;
pub(crate) mod table;
pub(crate) mod watch;

use std::path::Path;

use procession_protocol::SpawnPath;

use self::rows::{Action, Caller, Row, Scenario};

/// How a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// The call is not refused. The profile of this child is the expected one.
    None,
    Answer(i32),
    Death,
}

impl Refusal {
    /// All ways of refusal.
    pub(crate) const ALL: [Self; 3] =
        [Self::Answer(libc::EPERM), Self::Answer(libc::ENOSYS), Self::Death];
}

/// A way of starting a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// The path that the library chooses.
    Chosen,
    Forced(SpawnPath),
    /// The path for a closure between fork and exec.
    Closure,
}

impl Column {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 5] = [
        Self::Chosen,
        Self::Forced(SpawnPath::SharedFiles),
        Self::Forced(SpawnPath::SharedMemory),
        Self::Forced(SpawnPath::Fork),
        Self::Closure,
    ];
}

/// One cell of the matrix, which one copy of this process runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) row: &'a Row,
    pub(crate) refusal: Refusal,
    pub(crate) column: Column,
    /// Whether the call is refused from the first launch of the process on.
    pub(crate) is_first: bool,
    pub(crate) program: &'a Path,
}

impl Cell<'_> {
    /// Returns whether the outcome includes the path that was taken.
    fn names_path(&self) -> bool {
        self.column == Column::Chosen
    }
}

impl Scenario {
    /// Returns whether the watcher has to end the child, because the program does not.
    fn is_ended_from_outside(&self) -> bool {
        !matches!(self.act, Action::Signal | Action::Timeout | Action::Terminate | Action::Insist)
    }
}

impl Row {
    /// Returns whether the call can be refused like this without killing the program itself.
    pub(crate) fn allows(&self, refusal: Refusal) -> bool {
        refusal != Refusal::Death || self.by == Caller::Child
    }

    /// Returns whether descriptors can be closed.
    fn can_close(&self) -> bool {
        self.number != libc::SYS_close
    }
}

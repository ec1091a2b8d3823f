//! The matrix: which call is refused, how, on which path, and what comes of it.

pub(crate) mod copy;
mod profile;
pub(crate) mod program;
pub(crate) mod rows;
pub(crate) mod sys;
pub(crate) mod table;
pub(crate) mod watch;

use std::path::Path;

use procession_protocol::SpawnPath;

use self::rows::{Act, Ask, By, Row};

/// How a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// It is not: what a child is like then is what it has to be like.
    None,
    Answer(i32),
    Death,
}

impl Refusal {
    /// All that refuse.
    pub(crate) const ALL: [Self; 3] =
        [Self::Answer(libc::EPERM), Self::Answer(libc::ENOSYS), Self::Death];
}

/// A way of starting a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// As the library chooses.
    Chosen,
    Forced(SpawnPath),
    /// With a closure between fork and exec.
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

/// One copy of this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) row: &'a Row,
    pub(crate) refusal: Refusal,
    pub(crate) column: Column,
    /// The call is refused from the first launch of the process on.
    pub(crate) is_first: bool,
    pub(crate) program: &'a Path,
}

impl Cell<'_> {
    /// Whether the path that was taken is of interest.
    fn names_path(&self) -> bool {
        self.column == Column::Chosen
    }
}

impl Ask {
    /// Its child is ended by nobody else.
    fn is_ended_from_outside(&self) -> bool {
        !matches!(self.act, Act::Signal | Act::Timeout | Act::Terminate | Act::Insist)
    }
}

impl Row {
    /// Whether it can be refused like this without the end of the program itself.
    pub(crate) fn allows(&self, refusal: Refusal) -> bool {
        refusal != Refusal::Death || self.by == By::Child
    }

    /// Whether descriptors can be closed.
    fn can_close(&self) -> bool {
        self.number != libc::SYS_close
    }
}

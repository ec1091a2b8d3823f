//! What a source is watched for, and what was seen.

use std::fmt;

/// What a source is watched for.
///
/// A level-triggered poller reports hang-ups and errors whatever one asks for. So a source that
/// nobody serves must not be in the poller at all, or the loop spins: that is
/// [`PAUSED`](Self::PAUSED).
///
/// # Examples
///
/// ```
/// use procession::Interest;
///
/// assert!(Interest::BOTH.reads() && Interest::BOTH.writes());
/// assert!(!Interest::PAUSED.is_polled());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest(u8);

const POLLED: u8 = 1;
const READS: u8 = 2;
const WRITES: u8 = 4;
const LATE: u8 = 8;

impl Interest {
    /// Not in the poller at all: costs no wake-ups, sees no hang-up.
    pub const PAUSED: Self = Self(0);
    /// Only hang-ups and errors.
    ///
    /// # Platform
    ///
    /// Where the poller is not epoll a hang-up may go unseen until the next read or write.
    pub const HANGUP: Self = Self(POLLED);
    /// Something to read, or the end.
    pub const READABLE: Self = Self(POLLED | READS);
    /// Room to write.
    pub const WRITABLE: Self = Self(POLLED | WRITES);
    /// Either.
    pub const BOTH: Self = Self(POLLED | READS | WRITES);
    /// Something to read, served after all other sources of the same turn.
    ///
    /// For news that others should not overtake: the exit of a child, after its last output.
    pub const READABLE_LATE: Self = Self(POLLED | READS | LATE);

    /// Tells whether it includes readability.
    pub fn reads(self) -> bool {
        self.0 & READS != 0
    }

    /// Tells whether it includes writability.
    pub fn writes(self) -> bool {
        self.0 & WRITES != 0
    }

    /// Tells whether the poller knows of the source: false for [`PAUSED`](Self::PAUSED).
    pub fn is_polled(self) -> bool {
        self.0 & POLLED != 0
    }

    #[inline]
    pub(crate) fn is_late(self) -> bool {
        self.0 & LATE != 0
    }

    /// The interest of a pipe that reads, writes, or only waits for the other side to go away.
    #[inline]
    pub(crate) fn of(reads: bool, writes: bool, hangup: bool) -> Self {
        let polled = reads || writes || hangup;
        let (polled, reads, writes) = (u8::from(polled), u8::from(reads), u8::from(writes));
        Self((polled * POLLED) | (reads * READS) | (writes * WRITES))
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::PAUSED => "PAUSED",
            Self::HANGUP => "HANGUP",
            Self::READABLE => "READABLE",
            Self::WRITABLE => "WRITABLE",
            Self::BOTH => "BOTH",
            _ => "READABLE_LATE",
        })
    }
}

/// What was seen of a source: a hint, for between the wait and the callback it may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Readiness {
    /// A read will not block; it may give data, the end, or an error.
    pub readable: bool,
    /// A write will not block; it may fail.
    pub writable: bool,
    /// The other side has gone.
    pub hangup: bool,
    /// An error is pending; on the write end of a pipe: nobody reads it any more.
    pub error: bool,
}

//! What a source is watched for, and what the poller saw.

use std::fmt;

/// What a source is watched for.
///
/// A level-triggered poller reports hang-ups and errors whatever the interest is. So a source that
/// nobody serves must not be in the poller at all, or the loop spins. That is
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
    /// Not in the poller: the source causes no wake-ups, and its hang-up goes unseen.
    pub const PAUSED: Self = Self(0);
    /// Only hang-ups and errors.
    ///
    /// # Platform
    ///
    /// Where the poller is not epoll, a hang-up may go unseen until the next read or write.
    pub const HANGUP: Self = Self(POLLED);
    /// Data to read, or the end of the data.
    pub const READABLE: Self = Self(POLLED | READS);
    /// Room to write.
    pub const WRITABLE: Self = Self(POLLED | WRITES);
    /// Data to read, or room to write.
    pub const BOTH: Self = Self(POLLED | READS | WRITES);
    /// Data to read, served after all other sources of the same turn.
    ///
    /// For an event that must come after others of the same turn: the exit of a child is reported
    /// after its last output.
    pub const READABLE_LATE: Self = Self(POLLED | READS | LATE);

    /// Returns whether it includes readability.
    pub fn reads(self) -> bool {
        self.0 & READS != 0
    }

    /// Returns whether it includes writability.
    pub fn writes(self) -> bool {
        self.0 & WRITES != 0
    }

    /// Returns whether the poller knows the source: false for [`PAUSED`](Self::PAUSED).
    pub fn is_polled(self) -> bool {
        self.0 & POLLED != 0
    }

    #[inline]
    pub(crate) fn is_late(self) -> bool {
        self.0 & LATE != 0
    }

    /// Returns the interest of a pipe that reads, writes, or only waits for the other side to go
    /// away.
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

/// What the poller saw of a source. It is a hint, because the state may change between the wait and
/// the callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Readiness {
    /// A read will not block. It may return data, the end, or an error.
    pub readable: bool,
    /// A write will not block. It may fail.
    pub writable: bool,
    /// The other side has gone.
    pub hangup: bool,
    /// An error is pending. On the write end of a pipe, it means that nobody reads the pipe any
    /// more.
    pub error: bool,
}

//! [`FrameError`]: why a stream has no further frames.

use std::{fmt, io};

/// What a frame was made for when it failed.
const WRITE: &str = "write";

/// A stream that has no further frames, or a content that fits in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot {verb} {frames}: {kind}")]
pub struct FrameError {
    verb: &'static str,
    /// The frames of the format, in words.
    frames: &'static str,
    kind: FrameErrorKind,
}

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameErrorKind {
    /// Its content is longer than the limit, or, when it is written, than its format can say.
    TooLong {
        /// The length that its head says, in bytes; `u64::MAX` stands for every greater one too.
        length: u64,
        /// The greatest length, in bytes.
        most: u64,
    },
    /// Its head is not what the format asks for. For a netstring: a length without leading zeros, a colon,
    /// and a comma behind the content. For headers: names and values, and one `Content-Length`, in at most
    /// 8 KiB.
    Malformed,
    /// The stream ended inside it.
    Incomplete,
}

impl FrameError {
    pub(super) fn of_stream(frames: &'static str, kind: FrameErrorKind) -> Self {
        Self { verb: "read", frames, kind }
    }

    pub(super) fn of_content(frames: &'static str, kind: FrameErrorKind) -> Self {
        Self { verb: WRITE, frames, kind }
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> FrameErrorKind {
        self.kind
    }
}

impl From<FrameError> for io::Error {
    fn from(error: FrameError) -> Self {
        let kind = match error.kind {
            _ if error.verb == WRITE => io::ErrorKind::InvalidInput,
            FrameErrorKind::TooLong { .. } | FrameErrorKind::Malformed => {
                io::ErrorKind::InvalidData
            }
            FrameErrorKind::Incomplete => io::ErrorKind::UnexpectedEof,
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for FrameErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { length, most } => {
                write!(f, "a frame has {length} bytes, and at most {most} are allowed")
            }
            Self::Malformed => f.write_str("a frame has a malformed head or end"),
            Self::Incomplete => f.write_str("the stream ended inside a frame"),
        }
    }
}

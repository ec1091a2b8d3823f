//! The ways in which queueing data for a descriptor can fail.

use std::io;

/// The reason why data was not queued.
///
/// # Examples
///
/// ```
/// use procession::WriteError;
/// use std::io;
///
/// assert_eq!(WriteError::Closed.to_string(), "the descriptor is closed for writing");
/// assert_eq!(io::Error::from(WriteError::Closed).kind(), io::ErrorKind::BrokenPipe);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The descriptor is closed, or a close was requested and the last flush has begun.
    #[error("the descriptor is closed for writing")]
    Closed,
    /// The parent only reads this descriptor.
    #[error("the descriptor is only read by the parent")]
    NotWritable,
    /// The reactor is gone, and has taken the descriptor with it.
    #[error("the reactor is gone")]
    ReactorGone,
    /// There is no descriptor of this number.
    #[error("the parent has no descriptor of this number")]
    UnknownFd,
    /// The data would make the queue longer than its hard limit; none of it was queued.
    #[error("the write queue of the descriptor is full")]
    BufferFull,
}

impl WriteError {
    /// Returns the kind of this error as an [`io::Error`].
    pub fn kind(self) -> io::ErrorKind {
        match self {
            Self::Closed => io::ErrorKind::BrokenPipe,
            Self::ReactorGone => io::ErrorKind::NotConnected,
            Self::NotWritable | Self::UnknownFd => io::ErrorKind::InvalidInput,
            Self::BufferFull => io::ErrorKind::WouldBlock,
        }
    }
}

/// Converts to the nearest kind: `BrokenPipe`, `NotConnected` (the reactor is gone), `InvalidInput`
/// (the parent only reads the number, or does not have it), `WouldBlock`.
impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        Self::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_io_error_keeps_kind_and_text() {
        let kinds = [
            (WriteError::Closed, io::ErrorKind::BrokenPipe),
            (WriteError::ReactorGone, io::ErrorKind::NotConnected),
            (WriteError::NotWritable, io::ErrorKind::InvalidInput),
            (WriteError::UnknownFd, io::ErrorKind::InvalidInput),
            (WriteError::BufferFull, io::ErrorKind::WouldBlock),
        ];
        for (error, kind) in kinds {
            let io_error = io::Error::from(error);
            assert_eq!(io_error.kind(), kind);
            assert_eq!(io_error.to_string(), error.to_string());
        }
    }
}

//! Hands out an end, with the reasons why it cannot.

use std::io;

use procession_core::driver::Reason;
use procession_protocol::ChildFd;

/// The reason why [`Spawned::take`](crate::Spawned::take) has no end to hand out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeError {
    /// The parent has no end on that number.
    #[error("cannot hand out child fd {0}: the parent has no end of it")]
    Unknown(ChildFd),
    /// The end was taken before, or a wait has closed it.
    #[error("cannot hand out child fd {0}: it was taken or closed before")]
    Taken(ChildFd),
    /// The parent's end has only the other direction.
    #[error("cannot hand out child fd {0}: the parent's end has the other direction")]
    Direction(ChildFd),
    /// The end cannot be made blocking or non-blocking (`fcntl(2)`).
    #[error("cannot hand out child fd {0}: {reason}", reason = Reason(.1))]
    Os(ChildFd, io::Error),
}

impl TakeError {
    /// Returns the system's error, if the system was asked.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Os(_, error) => Some(error),
            Self::Unknown(_) | Self::Taken(_) | Self::Direction(_) => None,
        }
    }

    /// Returns `InvalidInput`, `NotFound`, or the kind of the system's error.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Unknown(_) | Self::Direction(_) => io::ErrorKind::InvalidInput,
            Self::Taken(_) => io::ErrorKind::NotFound,
            Self::Os(_, error) => error.kind(),
        }
    }
}

/// Keeps the [kind](TakeError::kind), and the system's error if there is one, else the message.
impl From<TakeError> for io::Error {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Os(_, error) => error,
            error => Self::new(error.kind(), error),
        }
    }
}

//! Handing out an end, and why there is none.

use procession_protocol::ChildFd;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io;
use std::os::fd::OwnedFd;

/// Says why [`Spawned::take`](crate::Spawned::take) has nothing to hand out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeError {
    /// The child has nothing of the parent's on that number.
    #[error("the parent has no end of child fd {0}")]
    Unknown(ChildFd),
    /// It was taken before, or a wait has closed it.
    #[error("the parent's end of child fd {0} was taken or closed before")]
    Taken(ChildFd),
    /// It cannot be made blocking (`fcntl(2)`).
    #[error("cannot hand out the parent's end of child fd {0}")]
    Os(ChildFd, #[source] io::Error),
}

/// `InvalidInput`, `NotFound`, or the kind of the system's answer.
impl From<TakeError> for io::Error {
    fn from(error: TakeError) -> Self {
        let kind = match &error {
            TakeError::Unknown(_) => io::ErrorKind::InvalidInput,
            TakeError::Taken(_) => io::ErrorKind::NotFound,
            TakeError::Os(_, error) => error.kind(),
        };
        Self::new(kind, error)
    }
}

/// The description is the parent's alone: nobody else finds it changed.
pub(super) fn make_blocking(end: &OwnedFd) -> io::Result<()> {
    let flags = fcntl_getfl(end)?;
    Ok(fcntl_setfl(end, flags - OFlags::NONBLOCK)?)
}

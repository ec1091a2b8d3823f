//! [`BackgroundError`]: why a background gave no result.

use std::io;

/// The reason why a [`Background`](crate::Background) gave no result.
///
/// # Examples
///
/// ```
/// use procession::{Background, BackgroundError};
///
/// let background = Background::start()?;
/// let panicked = background.call(|_| async { panic!("on purpose") }).wait();
/// let message = "on purpose".to_owned();
/// assert_eq!(panicked, Err(BackgroundError::Panicked { message }));
/// let answer = background.call(|_| async { 6 * 7 }).wait();
/// assert_eq!(answer, Ok(42));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackgroundError {
    /// The background's loop was stopped before there was a result, or the process is a forked copy
    /// of the one that started it.
    #[error("the background loop has stopped")]
    Stopped,
    /// The call panicked, or a callback of the run did. The background runs on.
    #[error("it panicked on the background loop: {message}")]
    Panicked {
        /// The panic's message; empty if it is not known.
        message: String,
    },
}

impl BackgroundError {
    /// Returns the kind of this error as an [`io::Error`].
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Stopped => io::ErrorKind::NotConnected,
            Self::Panicked { .. } => io::ErrorKind::Other,
        }
    }
}

/// Keeps the kind and the message.
impl From<BackgroundError> for io::Error {
    fn from(error: BackgroundError) -> Self {
        Self::new(error.kind(), error)
    }
}

//! The error type of results that never have an error.

use std::io;

/// The error of a [`Deferred`](crate::Deferred) that nobody completes with an error: there is no value of
/// this type.
///
/// Such a result can still be cancelled, be late, or be [abandoned](crate::Failed::Abandoned). Unlike
/// [`Infallible`](std::convert::Infallible), this type converts to an [`io::Error`], so `?` does as well
/// where a function returns [`io::Result`].
///
/// # Examples
///
/// ```
/// use procession::{Deferred, Failed, NoError};
/// use std::io;
///
/// fn take(result: Deferred<i32, NoError>) -> io::Result<i32> {
///     Ok(result.try_take().ok_or(io::ErrorKind::WouldBlock)??)
/// }
///
/// assert_eq!(take(Deferred::ready(Ok(7)))?, 7);
/// let cancelled = Failed::<NoError>::Cancelled;
/// assert_eq!(io::Error::from(cancelled).to_string(), "cancelled");
/// # Ok::<(), io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoError {}

/// Never called, because there is no value.
impl From<NoError> for io::Error {
    fn from(error: NoError) -> Self {
        match error {}
    }
}

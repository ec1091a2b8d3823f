//! The ways in which a deferred result can fail.

use std::error::Error;
use std::fmt;
use std::io;

const CANCELLED: &str = "cancelled";
const TIMED_OUT: &str = "timed out";
const ABANDONED: &str = "abandoned: the promise was dropped without a result";

/// The reason why a [`Deferred`](super::Deferred) has no value.
///
/// It prints like its error, and its source is that error's source: it adds no layer of its own.
///
/// # Examples
///
/// ```
/// use procession::Failed;
///
/// assert_eq!(Failed::Error("no such file").to_string(), "no such file");
/// assert_eq!(Failed::Error(5).error(), Some(5));
/// assert_eq!(Failed::<i32>::TimedOut.error(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failed<E> {
    /// The promise was completed with an error.
    Error(E),
    /// The `Deferred` was cancelled.
    #[doc(alias = "CancelledError")]
    Cancelled,
    /// The time given to [`Deferred::timeout`](super::Deferred::timeout) passed. It prints "timed out";
    /// errors that know the time add it: "timed out after 5.00 s".
    #[doc(alias = "TimeoutError")]
    TimedOut,
    /// The promise was dropped without a result, or the result was taken before.
    Abandoned,
}

impl<E> Failed<E> {
    /// Returns the error, if the promise was completed with one.
    pub fn error(self) -> Option<E> {
        match self {
            Self::Error(error) => Some(error),
            Self::Cancelled | Self::TimedOut | Self::Abandoned => None,
        }
    }

    /// Converts the error, if the promise was completed with one.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Failed;
    ///
    /// assert_eq!(Failed::Error("12").map(str::len), Failed::Error(2));
    /// assert_eq!(Failed::<&str>::Cancelled.map(str::len), Failed::Cancelled);
    /// ```
    pub fn map<F>(self, convert: impl FnOnce(E) -> F) -> Failed<F> {
        match self {
            Self::Error(error) => Failed::Error(convert(error)),
            Self::Cancelled => Failed::Cancelled,
            Self::TimedOut => Failed::TimedOut,
            Self::Abandoned => Failed::Abandoned,
        }
    }

    /// Writes the error by `error`, or the message of what came instead.
    fn fmt_with(
        &self,
        f: &mut fmt::Formatter<'_>,
        error: impl FnOnce(&E, &mut fmt::Formatter<'_>) -> fmt::Result,
    ) -> fmt::Result {
        match self {
            Self::Error(failed) => error(failed, f),
            Self::Cancelled => f.write_str(CANCELLED),
            Self::TimedOut => f.write_str(TIMED_OUT),
            Self::Abandoned => f.write_str(ABANDONED),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_with(f, E::fmt)
    }
}

/// As the error, or the message: `main` and `unwrap` print an error by `Debug`.
impl<E: fmt::Debug> fmt::Debug for Failed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_with(f, E::fmt)
    }
}

impl<E: Error> Error for Failed<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Error(error) => error.source(),
            Self::Cancelled | Self::TimedOut | Self::Abandoned => None,
        }
    }
}

/// Converts an error by its own conversion. The other failures keep their message, and have the kind
/// `TimedOut` or `Other`.
impl<E> From<Failed<E>> for io::Error
where
    E: Into<Self>,
{
    fn from(failed: Failed<E>) -> Self {
        match failed {
            Failed::Error(error) => error.into(),
            Failed::TimedOut => Self::new(io::ErrorKind::TimedOut, TIMED_OUT),
            Failed::Cancelled => Self::other(CANCELLED),
            Failed::Abandoned => Self::other(ABANDONED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_as_its_error_and_adds_no_source() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::num::ParseIntError);

        let failed = Failed::Error(Outer("x".parse::<i32>().unwrap_err()));
        assert_eq!(failed.to_string(), "outer");
        assert_eq!(failed.source().unwrap().to_string(), "invalid digit found in string");
        assert!(Failed::<Outer>::TimedOut.source().is_none());
    }

    #[test]
    fn it_converts_to_an_io_error_as_its_error_does() {
        let refused = Failed::Error(io::Error::from_raw_os_error(13));
        assert_eq!(io::Error::from(refused).raw_os_error(), Some(13));
        let late = io::Error::from(Failed::<io::Error>::TimedOut);
        assert_eq!((late.kind(), late.to_string().as_str()), (io::ErrorKind::TimedOut, TIMED_OUT));
        let others = [(Failed::Cancelled, CANCELLED), (Failed::Abandoned, ABANDONED)];
        for (failed, text) in others {
            let failed: Failed<io::Error> = failed;
            let failed = io::Error::from(failed);
            assert_eq!((failed.kind(), failed.to_string().as_str()), (io::ErrorKind::Other, text));
        }
    }

    #[test]
    fn the_other_failures_have_messages() {
        let texts = [Failed::<String>::Cancelled, Failed::TimedOut, Failed::Abandoned]
            .map(|failed| failed.to_string());
        let abandoned = "abandoned: the promise was dropped without a result";
        assert_eq!(texts, ["cancelled", "timed out", abandoned]);
    }
}

//! Ending a process by signals: what came of it, and how sending one fails.

use crate::ExitReason;
use procession_core::Signal;
use procession_core::driver::Reason;
use std::fmt;
use std::io;
use std::time::Duration;

/// `ESRCH` on every Unix.
const NO_SUCH_PROCESS: i32 = 3;

/// Reports what `terminate` achieved.
///
/// # Examples
///
/// ```
/// use procession::{ProcessTerminated, Signal, Termination};
/// use std::time::Duration;
///
/// let reason = Err(ProcessTerminated::signalled(Signal::TERM));
/// let ended = Termination::new(reason, false, Duration::from_millis(1_234));
/// assert_eq!(ended.to_string(), "ended by signal 15 after 1.2 s");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Termination {
    reason: ExitReason,
    escalated: bool,
    is_gone: bool,
    after: Duration,
}

impl Termination {
    /// Creates a report of what is gone.
    pub fn new(reason: ExitReason, escalated: bool, after: Duration) -> Self {
        Self { reason, escalated, is_gone: true, after }
    }

    /// The same, with somebody who outlived the KILL.
    pub fn with_survivors(self) -> Self {
        Self { is_gone: false, ..self }
    }

    /// Returns how the process ended; an [unknown](crate::ProcessTerminated::is_lost) end where it
    /// has itself outlived the KILL.
    pub fn reason(&self) -> &ExitReason {
        &self.reason
    }

    /// Returns the signal that ended the process; `None` if it chose to exit, or if that is
    /// unknown.
    pub fn signal(&self) -> Option<Signal> {
        self.reason.as_ref().err().and_then(|terminated| terminated.signal())
    }

    /// Tells whether the process, or a member of its group where that is owned, outlived the grace
    /// period, so that KILL was sent.
    pub fn escalated(&self) -> bool {
        self.escalated
    }

    /// Tells whether nobody lives any more: the process, and its whole group where that is owned.
    ///
    /// `false` if a second after KILL somebody did: what runs as another user cannot be killed, and a
    /// process that waits for a disk or a network drive may take longer. Also where the system does
    /// not let the group be looked at. Processes that left the group do not count.
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Returns the time from the call of `terminate` to the end of all that.
    pub fn after(&self) -> Duration {
        self.after
    }
}

impl fmt::Display for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Ok(done) => done.fmt(f)?,
            Err(terminated) => terminated.fmt(f)?,
        }
        write!(f, " after {:.1} s", self.after.as_secs_f64())?;
        if self.is_gone { Ok(()) } else { f.write_str(", not all of its group") }
    }
}

/// Says why a signal was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The process was reaped, or its group is empty.
    #[error("cannot send the signal: the process has exited already")]
    ProcessExitedAlready,
    /// The process leads no group.
    #[error("cannot send the signal: the process leads no group of its own")]
    NoGroup,
    /// The reactor is gone, and no handle of it knows what has become of the process.
    #[error("cannot send the signal: the reactor is gone")]
    ReactorGone,
    /// The kernel refused.
    #[error("cannot send the signal: {}", Reason(.0))]
    Os(io::Error),
}

impl SignalError {
    /// Returns what the kernel said, if it was asked.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Os(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the kind that it has as an [`io::Error`].
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            // What ESRCH has, which has no kind of its own.
            Self::ProcessExitedAlready => io::Error::from_raw_os_error(NO_SUCH_PROCESS).kind(),
            Self::NoGroup => io::ErrorKind::InvalidInput,
            Self::ReactorGone => io::ErrorKind::NotConnected,
            Self::Os(error) => error.kind(),
        }
    }
}

/// Keeps kind and number: `ESRCH` for a process that has exited, what the kernel said, or none.
impl From<SignalError> for io::Error {
    fn from(error: SignalError) -> Self {
        match error {
            SignalError::ProcessExitedAlready => Self::from_raw_os_error(NO_SUCH_PROCESS),
            SignalError::Os(error) => error,
            error => Self::new(error.kind(), error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ProcessDone, ProcessTerminated};

    #[test]
    fn a_report_names_the_signal_that_ended_the_process() {
        let reason = Err(ProcessTerminated::signalled(Signal::KILL));
        let ended = Termination::new(reason, true, Duration::from_secs(10));
        assert_eq!(ended.signal(), Some(Signal::KILL));
        assert!(ended.escalated());
        assert_eq!(ended.to_string(), "ended by signal 9 after 10.0 s");
    }

    #[test]
    fn a_process_that_chose_to_exit_was_ended_by_no_signal() {
        let ended = Termination::new(Ok(ProcessDone::default()), false, Duration::ZERO);
        assert_eq!(ended.signal(), None);
        assert_eq!(ended.to_string(), "exited with status 0 after 0.0 s");
    }

    #[test]
    fn a_report_says_that_somebody_is_left() {
        let reason = Err(ProcessTerminated::signalled(Signal::TERM));
        let ended = Termination::new(reason, true, Duration::from_secs(2));
        assert!(ended.is_gone());
        let ended = ended.with_survivors();
        assert!(!ended.is_gone() && ended.escalated());
        assert_eq!(ended.to_string(), "ended by signal 15 after 2.0 s, not all of its group");
    }

    #[test]
    fn signal_errors_become_io_errors_of_a_sensible_kind() {
        let gone = io::Error::from(SignalError::ProcessExitedAlready);
        assert_eq!(gone.raw_os_error(), Some(3));
        let no_group = io::Error::from(SignalError::NoGroup);
        assert_eq!(no_group.kind(), io::ErrorKind::InvalidInput);
        let reactor = io::Error::from(SignalError::ReactorGone);
        assert_eq!(reactor.kind(), io::ErrorKind::NotConnected);
        let refused = io::Error::from(SignalError::Os(io::Error::from_raw_os_error(1)));
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }
}

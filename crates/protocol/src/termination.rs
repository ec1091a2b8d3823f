//! Ending a process by signals: the result of `terminate`, and the error of sending a signal.

use std::fmt;
use std::io;
use std::time::Duration;

use procession_core::Signal;
use procession_core::driver::Reason;

use crate::ExitReason;

/// `ESRCH` on every Unix.
const NO_SUCH_PROCESS: i32 = 3;

/// The result of `terminate`.
///
/// # Examples
///
/// ```
/// use procession::{ProcessTerminated, Signal, Termination};
/// use std::time::Duration;
///
/// let reason = Err(ProcessTerminated::signalled(Signal::TERM));
/// let ended = Termination::new(reason, false, Duration::from_millis(1_234));
/// assert_eq!(ended.to_string(), "ended by signal 15 (SIGTERM) after 1.2 s");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Termination {
    reason: ExitReason,
    escalated: bool,
    is_gone: bool,
    after: Duration,
}

impl Termination {
    /// Creates a result of which [`is_gone`](Self::is_gone) is true.
    pub fn new(reason: ExitReason, escalated: bool, after: Duration) -> Self {
        Self { reason, escalated, is_gone: true, after }
    }

    /// Marks that a process outlived the KILL.
    pub fn with_survivors(self) -> Self {
        Self { is_gone: false, ..self }
    }

    /// Returns how the process ended; an [unknown](crate::ProcessTerminated::is_lost) end if the process
    /// itself outlived the KILL.
    pub fn reason(&self) -> &ExitReason {
        &self.reason
    }

    /// Returns the signal that ended the process; `None` if the process exited, or if its end is
    /// unknown.
    pub fn signal(&self) -> Option<Signal> {
        self.reason.as_ref().err().and_then(|terminated| terminated.signal())
    }

    /// Returns whether KILL was sent, because the process, or a member of its owned group, outlived the
    /// grace period.
    pub fn escalated(&self) -> bool {
        self.escalated
    }

    /// Returns whether the process, and every member of its owned group, is gone.
    ///
    /// It is `false` if a process was still alive a second after KILL: a process of another user cannot
    /// be killed, and a process that waits for a disk or a network drive may take longer. A child that a
    /// tracer holds counts as alive, because it cannot be reaped. It is also
    /// `false` if the system does not show which processes of the group are alive. Processes that left
    /// the group do not count.
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Returns the time from the call of `terminate` to the end of the process and its owned group.
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

/// The reason why a signal was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The process was reaped, or its group is empty.
    #[error("cannot send the signal: the process has exited already")]
    ProcessExitedAlready,
    /// The process leads no group.
    #[error("cannot send the signal: the process leads no group of its own")]
    NoGroup,
    /// The reactor is gone, so its handles do not know whether the process has ended.
    #[error("cannot send the signal: the reactor is gone")]
    ReactorGone,
    /// The kernel refused.
    #[error("cannot send the signal: {}", Reason(.0))]
    Os(io::Error),
}

impl SignalError {
    /// Returns the error of the kernel, if the kernel refused the signal.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Os(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the kind of this error as an [`io::Error`].
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            // The kind of ESRCH, which has no name.
            Self::ProcessExitedAlready => io::Error::from_raw_os_error(NO_SUCH_PROCESS).kind(),
            Self::NoGroup => io::ErrorKind::InvalidInput,
            Self::ReactorGone => io::ErrorKind::NotConnected,
            Self::Os(error) => error.kind(),
        }
    }
}

/// Keeps the kind and the number: `ESRCH` for a process that has exited, the kernel's number, or none.
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
    fn a_result_names_the_signal_that_ended_the_process() {
        let reason = Err(ProcessTerminated::signalled(Signal::KILL));
        let ended = Termination::new(reason, true, Duration::from_secs(10));
        assert_eq!(ended.signal(), Some(Signal::KILL));
        assert!(ended.escalated());
        assert_eq!(ended.to_string(), "ended by signal 9 (SIGKILL) after 10.0 s");
    }

    #[test]
    fn a_process_that_exited_was_ended_by_no_signal() {
        let ended = Termination::new(Ok(ProcessDone::default()), false, Duration::ZERO);
        assert_eq!(ended.signal(), None);
        assert_eq!(ended.to_string(), "exited with status 0 after 0.0 s");
    }

    #[test]
    fn a_result_shows_that_a_process_is_left() {
        let reason = Err(ProcessTerminated::signalled(Signal::TERM));
        let ended = Termination::new(reason, true, Duration::from_secs(2));
        assert!(ended.is_gone());
        let ended = ended.with_survivors();
        assert!(!ended.is_gone() && ended.escalated());
        assert_eq!(
            ended.to_string(),
            "ended by signal 15 (SIGTERM) after 2.0 s, not all of its group"
        );
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

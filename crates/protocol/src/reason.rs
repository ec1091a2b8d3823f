//! How a process ended: [`ExitReason`] and its two halves.
//!
//! Everything is derived from one wait status. If there is none, the reason is
//! [`ProcessTerminated::unknown`], which holds the cause.

use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use procession_core::Signal;
use procession_core::driver::debug_by_message;

use crate::ChildFd;
use crate::unknown_end::UnknownEnd;

/// How a process ended: `Ok` for exit status 0, `Err` for anything else.
///
/// [`ExitReasonExt`](crate::ExitReasonExt) has `exit_code` and `signal` of both.
#[doc(alias = "Failure")]
#[doc(alias = "ExitStatus")]
pub type ExitReason = Result<ProcessDone, ProcessTerminated>;

/// Converts a wait status, as `waitpid` returns it, to an [`ExitReason`].
pub(crate) fn exit_reason(raw_status: i32, usage: Option<ResourceUsage>) -> ExitReason {
    let ending = Ending::shared(Ok(raw_status), usage);
    if raw_status == 0 { Ok(ProcessDone(ending)) } else { Err(ProcessTerminated(ending)) }
}

/// Adds the descriptors that descendants held open when the child's output was cut off.
pub(crate) fn with_held_fds(reason: ExitReason, held: Vec<ChildFd>) -> ExitReason {
    with_ending(reason, |ending| ending.held = held)
}

/// Adds the descriptors that the stop of the loop closed.
pub(crate) fn with_stopped_fds(reason: ExitReason, stopped: Vec<ChildFd>) -> ExitReason {
    with_ending(reason, |ending| ending.stopped = stopped)
}

fn with_ending(mut reason: ExitReason, change: impl FnOnce(&mut Ending)) -> ExitReason {
    match &mut reason {
        Ok(ProcessDone(ending)) | Err(ProcessTerminated(ending)) => change(Arc::make_mut(ending)),
    }
    reason
}

/// The resources that a reaped child used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceUsage {
    user_time: Duration,
    system_time: Duration,
    peak_rss_bytes: Option<u64>,
}

impl ResourceUsage {
    /// Creates a report; the peak is in bytes, `None` if it is unknown.
    pub fn new(user_time: Duration, system_time: Duration, peak_rss_bytes: Option<u64>) -> Self {
        Self { user_time, system_time, peak_rss_bytes }
    }

    /// Returns the processor time spent in the program.
    #[doc(alias = "ru_utime")]
    pub fn user_time(&self) -> Duration {
        self.user_time
    }

    /// Returns the processor time spent in the kernel on behalf of the program.
    #[doc(alias = "ru_stime")]
    pub fn system_time(&self) -> Duration {
        self.system_time
    }

    /// Returns the largest resident set in bytes. `None` if the kernel's figure may be that of the
    /// parent, which exec includes.
    #[doc(alias = "ru_maxrss")]
    pub fn peak_rss_bytes(&self) -> Option<u64> {
        self.peak_rss_bytes
    }
}

/// The end of a process that exited with status 0.
///
/// # Examples
///
/// ```
/// use procession::ProcessDone;
///
/// assert_eq!(ProcessDone::default().to_string(), "exited with status 0");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ProcessDone(Arc<Ending>);

/// The end of a process that did not exit with status 0.
///
/// # Examples
///
/// ```
/// use procession::{ProcessTerminated, Signal};
///
/// let killed = ProcessTerminated::signalled(Signal::TERM);
/// assert_eq!(killed.signal(), Some(Signal::TERM));
/// assert_eq!(killed.to_string(), "ended by signal 15 (SIGTERM)");
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProcessTerminated(Arc<Ending>);

/// Has the kind `Other`, and keeps the error: [`get_ref`](io::Error::get_ref) returns it.
impl From<ProcessTerminated> for io::Error {
    fn from(error: ProcessTerminated) -> Self {
        Self::other(error)
    }
}

/// The contents of both halves. Shared, because each child's reason is in two events and in its state.
#[derive(Clone, PartialEq, Eq)]
struct Ending {
    status: Result<ExitStatus, UnknownEnd>,
    usage: Option<ResourceUsage>,
    held: Vec<ChildFd>,
    stopped: Vec<ChildFd>,
    /// Only set if the process did not exit with status 0.
    stderr_line: Option<Box<str>>,
}

impl Ending {
    fn shared(status: Result<i32, UnknownEnd>, usage: Option<ResourceUsage>) -> Arc<Self> {
        let status = status.map(ExitStatus::from_raw);
        let (held, stopped) = (Vec::new(), Vec::new());
        Arc::new(Self { status, usage, held, stopped, stderr_line: None })
    }
}

impl ProcessTerminated {
    /// Creates the reason of a child that exited. Only the low eight bits of `code` count, as in the
    /// kernel.
    pub fn exited(code: i32) -> Self {
        Self(Ending::shared(Ok((code & 0xff) << 8), None))
    }

    /// Creates the reason of a child that a signal ended. Only the low seven bits of its number count.
    pub fn signalled(signal: Signal) -> Self {
        Self(Ending::shared(Ok(signal.as_raw() & 0x7f), None))
    }

    /// Creates the reason of a child that somebody else reaped, so its end is unknown.
    pub fn lost() -> Self {
        Self::unknown(UnknownEnd::Taken)
    }

    /// Creates the reason of a child whose end is unknown.
    pub fn unknown(why: UnknownEnd) -> Self {
        Self(Ending::shared(Err(why), None))
    }

    /// Adds the last line that the process wrote to its stderr, for the message.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::ProcessTerminated;
    ///
    /// let failed = ProcessTerminated::exited(2).with_stderr_line("no such key");
    /// assert_eq!(failed.to_string(), "exited with status 2: no such key");
    /// ```
    #[must_use]
    pub fn with_stderr_line(mut self, line: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).stderr_line = Some(line.into().into());
        self
    }

    /// Returns the last line that the process wrote to its stderr, if it was kept.
    pub fn stderr_line(&self) -> Option<&str> {
        self.0.stderr_line.as_deref()
    }
}

impl Default for ProcessDone {
    fn default() -> Self {
        Self(Ending::shared(Ok(0), None))
    }
}

macro_rules! getters {
    ($type:ident) => {
        impl $type {
            /// Returns the exit status, or `None` if the process did not exit by itself.
            #[doc(alias = "exitCode")]
            pub fn exit_code(&self) -> Option<i32> {
                self.0.status.ok().and_then(|status| status.code())
            }

            /// Returns the signal that ended the process, if one did.
            pub fn signal(&self) -> Option<Signal> {
                self.0.status.ok().and_then(|status| status.signal()).map(Signal::from_raw)
            }

            /// Returns whether the process left a core dump.
            pub fn core_dumped(&self) -> bool {
                self.0.status.is_ok_and(|status| status.core_dumped())
            }

            /// Returns whether the end is unknown; see [`unknown_end`](Self::unknown_end).
            pub fn is_lost(&self) -> bool {
                self.0.status.is_err()
            }

            /// Returns why the end is unknown, or `None` if it is known.
            pub fn unknown_end(&self) -> Option<UnknownEnd> {
                self.0.status.err()
            }

            /// Returns the wait status of the kernel, or `None` if it was lost.
            pub fn raw_status(&self) -> Option<i32> {
                self.0.status.ok().map(ExitStatusExt::into_raw)
            }

            /// Returns the status as the standard library's type, or `None` if it was lost.
            pub fn exit_status(&self) -> Option<ExitStatus> {
                self.0.status.ok()
            }

            /// Returns the resources that the child used, if they are known.
            pub fn usage(&self) -> Option<&ResourceUsage> {
                self.0.usage.as_ref()
            }

            /// Returns the descriptors that descendants still held open when `drain_after_exit`
            /// closed them; empty if they had ended before.
            pub fn held_fds(&self) -> &[ChildFd] {
                &self.0.held
            }

            /// Returns the descriptors that the stop of the reactor closed; empty if they had ended
            /// before.
            pub fn stopped_fds(&self) -> &[ChildFd] {
                &self.0.stopped
            }
        }
    };
}

getters!(ProcessDone);
getters!(ProcessTerminated);

impl fmt::Display for ProcessDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

debug_by_message!(ProcessTerminated, ProcessDone);

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.status {
            Ok(status) => status,
            Err(why) => {
                write!(f, "ended with an unknown status: {why}")?;
                return EscapedLine(self.stderr_line.as_deref()).fmt(f);
            }
        };
        match (status.code(), status.signal()) {
            (Some(code), _) => write!(f, "exited with status {code}")?,
            (None, Some(signal)) => {
                write!(f, "ended by signal {signal}")?;
                match (Signal::from_raw(signal).name(), status.core_dumped()) {
                    (Some(name), false) => write!(f, " (SIG{name})")?,
                    (Some(name), true) => write!(f, " (SIG{name}, core dumped)")?,
                    (None, true) => f.write_str(" (core dumped)")?,
                    (None, false) => {}
                }
            }
            (None, None) => write!(f, "ended with wait status {:#06x}", status.into_raw())?,
        }
        EscapedLine(self.stderr_line.as_deref()).fmt(f)
    }
}

/// A line for a message. Control characters are escaped, because the message may go to a terminal.
struct EscapedLine<'a>(Option<&'a str>);

impl fmt::Display for EscapedLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(line) = self.0 else { return Ok(()) };
        f.write_str(": ")?;
        for c in line.chars() {
            if c.is_control() && c != '\t' {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_zero_alone_is_done() {
        assert_eq!(exit_reason(0, None), Ok(ProcessDone::default()));
        assert_eq!(exit_reason(3 << 8, None), Err(ProcessTerminated::exited(3)));
        assert_eq!(exit_reason(15, None), Err(ProcessTerminated::signalled(Signal::TERM)));
    }

    #[test]
    fn a_core_dump_is_named() {
        let reason = exit_reason(6 | 0x80, None).unwrap_err();
        assert_eq!(reason.signal(), Some(Signal::from_raw(6)));
        assert!(reason.core_dumped());
        assert_eq!(reason.exit_code(), None);
        assert_eq!(reason.to_string(), "ended by signal 6 (SIGABRT, core dumped)");
    }

    #[test]
    fn a_signal_is_named_by_number_and_by_name_if_it_has_one() {
        let text = |signal| ProcessTerminated::signalled(signal).to_string();
        assert_eq!(text(Signal::KILL), "ended by signal 9 (SIGKILL)");
        assert_eq!(text(Signal::from_raw(40)), "ended by signal 40");
        let reason = exit_reason(40 | 0x80, None).unwrap_err();
        assert_eq!(reason.to_string(), "ended by signal 40 (core dumped)");
    }

    #[test]
    fn a_lost_status_has_no_parts() {
        let lost = ProcessTerminated::lost();
        assert!(lost.is_lost());
        assert_eq!(
            (lost.exit_code(), lost.signal(), lost.raw_status(), lost.exit_status()),
            (None, None, None, None)
        );
        assert_eq!(lost.to_string(), "ended with an unknown status: somebody else waited for it");
    }

    #[test]
    fn the_last_line_of_stderr_is_shown_on_one_line() {
        let reason = ProcessTerminated::exited(1);
        assert_eq!(reason.stderr_line(), None);
        let reason = reason.with_stderr_line("a\tb\u{1b}[2J\r");
        assert_eq!(reason.stderr_line(), Some("a\tb\u{1b}[2J\r"));
        assert_eq!(reason.to_string(), "exited with status 1: a\tb\\u{1b}[2J\\r");
        assert_eq!(reason.exit_code(), Some(1));
    }

    #[test]
    fn an_exit_code_keeps_its_low_eight_bits() {
        assert_eq!(ProcessTerminated::exited(300).exit_code(), Some(44));
        assert_eq!(ProcessTerminated::exited(-1).exit_code(), Some(255));
    }

    #[test]
    fn usage_and_held_descriptors_are_kept() {
        let usage = ResourceUsage::new(Duration::from_millis(5), Duration::from_millis(2), None);
        let reason = exit_reason(0, Some(usage.clone()));
        let done = with_held_fds(reason, vec![ChildFd::STDOUT]).unwrap();
        assert_eq!(done.usage(), Some(&usage));
        assert_eq!(done.held_fds(), [ChildFd::STDOUT]);
        assert_eq!(done.raw_status(), Some(0));
        let reason = with_held_fds(Err(ProcessTerminated::lost()), vec![ChildFd::STDERR]);
        assert_eq!(reason.unwrap_err().held_fds(), [ChildFd::STDERR]);
    }
}

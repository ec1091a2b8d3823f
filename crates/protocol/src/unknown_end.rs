//! [`UnknownEnd`]: why the end of a process is unknown.

use std::fmt;
use std::io;

use procession_core::driver::Reason;

/// Why the end of a process is unknown.
///
/// Linux 6.15 and later keeps the status of a reaped child for every holder of its pidfd. There, the
/// first two variants occur only without a pidfd.
///
/// # Examples
///
/// ```
/// use procession::{ProcessTerminated, UnknownEnd};
///
/// let lost = ProcessTerminated::unknown(UnknownEnd::SigchldIgnored);
/// assert_eq!(lost.unknown_end(), Some(UnknownEnd::SigchldIgnored));
/// assert_eq!(
///     lost.to_string(),
///     "ended with an unknown status: SIGCHLD is ignored in this program"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnknownEnd {
    /// Other code in the program waited for it, perhaps by waiting for any child.
    Taken,
    /// The program ignores SIGCHLD, or has set `SA_NOCLDWAIT`: the kernel reaps its children, and keeps
    /// no status. The program may have inherited that setting (`nohup`-like wrappers, some service
    /// managers).
    SigchldIgnored,
    /// The system refuses the wait with this error number, most likely because of a filter.
    WaitRefused(i32),
    /// It was not reaped in time: its termination gave up, or no code waited for it.
    NotReaped,
}

impl fmt::Display for UnknownEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("somebody else waited for it"),
            Self::SigchldIgnored => f.write_str("SIGCHLD is ignored in this program"),
            Self::WaitRefused(errno) => {
                let reason = io::Error::from_raw_os_error(*errno);
                write!(f, "the system refuses to wait for it: {}", Reason(&reason))
            }
            Self::NotReaped => f.write_str("it was not reaped by then"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::UnknownEnd;
    use crate::ProcessTerminated;

    #[test]
    fn each_cause_has_its_message() {
        for (why, says) in [
            (UnknownEnd::Taken, "somebody else waited for it"),
            (UnknownEnd::SigchldIgnored, "SIGCHLD is ignored in this program"),
            (
                UnknownEnd::WaitRefused(1),
                "the system refuses to wait for it: Operation not permitted",
            ),
            (UnknownEnd::NotReaped, "it was not reaped by then"),
        ] {
            let ended = ProcessTerminated::unknown(why);
            assert!(ended.is_lost());
            assert_eq!(ended.to_string(), format!("ended with an unknown status: {says}"));
            let with_line = ended.with_stderr_line("bye");
            assert_eq!(with_line.to_string(), format!("ended with an unknown status: {says}: bye"));
        }
        assert_eq!(ProcessTerminated::exited(1).unknown_end(), None);
        assert_eq!(ProcessTerminated::lost().unknown_end(), Some(UnknownEnd::Taken));
    }
}

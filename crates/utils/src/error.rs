//! [`OutputError`]: why a program has no outcome, or none that was asked for.

use crate::{Ended, Outcome, Partial, Stream};
use bytes::Bytes;
use procession_core::Signal;
use procession_core::driver::Reason;
use procession_process_transport::SpawnError;
use procession_protocol::ProcessTerminated;
use std::error::Error;
use std::fmt;
use std::io;

/// Why a program has no outcome, or none that was asked for.
///
/// Printed, it names the program and its arguments, quoted for a shell, what happened, after what
/// time, and the last lines of its standard error, or what of it is kept, with an ellipsis where
/// that is cut. Control characters are escaped. It can be sent to other threads.
///
/// # What is left
///
/// [`TimedOut`](Self::TimedOut), [`TooLong`](Self::TooLong) and [`Stdin`](Self::Stdin) come when nothing
/// of the program's group is alive: it is terminated first, which takes
/// [`kill_grace`](crate::Run::kill_grace) where it ignores TERM. At the latest they come a second after
/// KILL, which what runs as another user outlives, and what waits for a disk or a network drive.
/// Processes that left the group are not touched. What is in `outcome` is as of the failure.
///
/// # Examples
///
/// ```
/// use procession::{Failed, OutputError, Reactor, Run};
///
/// let mut reactor = Reactor::new()?;
/// match reactor.block_on(Run::new("grep").args(["x", "/no such file"]).check()) {
///     Err(Failed::Error(OutputError::Failed { outcome, .. })) => {
///         assert_eq!(outcome.exit_code(), Some(2));
///     }
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum OutputError {
    /// It could not be started.
    Spawn(SpawnError),
    /// It wrote to its standard error, where that counts as a failure.
    ///
    /// It was not killed (dropping the reactor kills it), and what it writes from then on is
    /// discarded.
    #[non_exhaustive]
    UnexpectedStderr {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs up to then.
        outcome: Box<Partial>,
        /// The end of the process.
        ended: Ended,
    },
    /// It wrote more than the limit, where that counts as a failure; it was
    /// [terminated](Self#what-is-left).
    #[non_exhaustive]
    TooLong {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs up to then; of the one that is too long, what is kept of it.
        outcome: Box<Partial>,
        /// The one that is too long.
        stream: Stream,
        /// The limit.
        max_bytes: usize,
    },
    /// A signal ended it, where an exit status was asked for.
    #[non_exhaustive]
    Signalled {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs, and the signal.
        outcome: Box<Outcome>,
    },
    /// Its exit status, which was asked for, is not known; the message says why.
    #[non_exhaustive]
    Lost {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs.
        outcome: Box<Outcome>,
    },
    /// It exited with another status than 0, and [`Run::check`](crate::Run::check) was asked for.
    #[non_exhaustive]
    Failed {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs, and the status.
        outcome: Box<Outcome>,
    },
    /// The time given to [`Run::timeout`](crate::Run::timeout) passed; it was
    /// [terminated](Self#what-is-left).
    #[non_exhaustive]
    TimedOut {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs up to then.
        outcome: Box<Partial>,
        /// The signal that had stopped it, if it was stopped: TTIN or TTOU of a child in the
        /// background of a terminal that it reads or changes.
        stopped_by: Option<Signal>,
    },
    /// The reactor stopped, which closed its outputs before their end, or cut its input short.
    ///
    /// The stop does not kill it: this comes when it has ended, in a later turn perhaps.
    #[non_exhaustive]
    Stopped {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs up to the stop, and how it ended.
        outcome: Box<Outcome>,
    },
    /// The reader that its standard input comes from failed; it was [terminated](Self#what-is-left).
    #[non_exhaustive]
    Stdin {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs up to then.
        outcome: Box<Partial>,
        /// What the reader said.
        source: io::Error,
    },
}

impl OutputError {
    /// The standard output up to the failure; `None` if it could not be started.
    pub fn stdout(&self) -> Option<&Bytes> {
        self.outputs().map(|(stdout, _)| stdout)
    }

    /// The standard error up to the failure; `None` if it could not be started.
    pub fn stderr(&self) -> Option<&Bytes> {
        self.outputs().map(|(_, stderr)| stderr)
    }

    /// How it ended, if it had ended by then.
    pub fn terminated(&self) -> Option<&ProcessTerminated> {
        match self {
            Self::Signalled { outcome, .. }
            | Self::Lost { outcome, .. }
            | Self::Failed { outcome, .. }
            | Self::Stopped { outcome, .. } => outcome.reason.as_ref().err(),
            Self::Spawn(_)
            | Self::UnexpectedStderr { .. }
            | Self::TooLong { .. }
            | Self::TimedOut { .. }
            | Self::Stdin { .. } => None,
        }
    }

    /// What the system answered to the start, or the reader of the standard input said.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Spawn(error) => Some(error.io_error()),
            Self::Stdin { source, .. } => Some(source),
            _ => None,
        }
    }

    /// The kind of [`io_error`](Self::io_error); else `TimedOut` or `Other`.
    pub fn kind(&self) -> io::ErrorKind {
        match (self.io_error(), self) {
            (Some(error), _) => error.kind(),
            (None, Self::TimedOut { .. }) => io::ErrorKind::TimedOut,
            (None, _) => io::ErrorKind::Other,
        }
    }

    fn outputs(&self) -> Option<(&Bytes, &Bytes)> {
        match self {
            Self::Spawn(_) => None,
            Self::UnexpectedStderr { outcome, .. }
            | Self::TooLong { outcome, .. }
            | Self::TimedOut { outcome, .. }
            | Self::Stdin { outcome, .. } => Some((&outcome.stdout, &outcome.stderr)),
            Self::Signalled { outcome, .. }
            | Self::Lost { outcome, .. }
            | Self::Failed { outcome, .. }
            | Self::Stopped { outcome, .. } => Some((&outcome.stdout, &outcome.stderr)),
        }
    }
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn(error) => error.fmt(f),
            Self::UnexpectedStderr { command, outcome, .. } => {
                write!(f, "{command} wrote to its standard error{}", outcome.tail())
            }
            Self::TooLong { command, stream, max_bytes, .. } => {
                write!(f, "{command} wrote more than {max_bytes} bytes to its {stream}")
            }
            Self::Signalled { command, outcome }
            | Self::Lost { command, outcome }
            | Self::Failed { command, outcome } => Ending(command, outcome).fmt(f),
            Self::TimedOut { command, outcome, stopped_by } => {
                let after = outcome.after.as_secs_f64();
                let (stopped, tail) = (Stopped(*stopped_by), outcome.tail());
                write!(f, "{command} timed out after {after:.2} s{stopped}{tail}")
            }
            Self::Stopped { command, outcome } => {
                write!(f, "the reactor stopped before {command} ended{}", outcome.tail())
            }
            Self::Stdin { command, source, .. } => {
                write!(f, "cannot read the standard input for {command}: {}", Reason(source))
            }
        }
    }
}

/// The source of the reason, which is printed already.
impl Error for OutputError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.io_error().and_then(Error::source)
    }
}

impl From<SpawnError> for OutputError {
    fn from(error: SpawnError) -> Self {
        Self::Spawn(error)
    }
}

/// Keeps the kind, and the number or else the message.
impl From<OutputError> for io::Error {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Spawn(error) => error.into(),
            error => {
                let number = error.io_error().and_then(Self::raw_os_error);
                Reason::into_io_error(error.kind(), number, error)
            }
        }
    }
}

/// That a program was stopped, if it was.
struct Stopped(Option<Signal>);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |signal| write!(f, ", stopped by {signal}"))
    }
}

/// The command, how it ended, when, and the last it said.
struct Ending<'a>(&'a str, &'a Outcome);

impl fmt::Display for Ending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(command, outcome) = self;
        match &outcome.reason {
            Ok(done) => write!(f, "{command} {done}")?,
            Err(terminated) => write!(f, "{command} {terminated}")?,
        }
        write!(f, " after {:.2} s{}", outcome.after.as_secs_f64(), outcome.tail())
    }
}

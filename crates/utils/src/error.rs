//! [`OutputError`]: why a run failed.

use std::error::Error;
use std::fmt;
use std::io;

use bytes::Bytes;
use procession_core::Signal;
use procession_core::driver::{Reason, debug_by_message};
use procession_process_transport::SpawnError;
use procession_protocol::ProcessTerminated;

#[cfg(feature = "reactor")]
use crate::background::error::BackgroundError;
use crate::{Ended, LaunchError, Outcome, Partial, Stream};

/// Why a run failed: the program gave no outcome, or not the outcome that the run asked for.
///
/// The printed error names the program and its arguments, quoted for a shell, says what happened
/// and after how long, and ends with the last lines of the program's standard error. An ellipsis
/// marks where these are cut. Control characters are escaped. The error can be sent to other
/// threads.
///
/// # What is left
///
/// [`TimedOut`](Self::TimedOut), [`TooLong`](Self::TooLong) and [`Stdin`](Self::Stdin) terminate
/// the program's process group first, and are reported when no process of the group is alive. That
/// takes up to [`kill_grace`](crate::Run::kill_grace) if a process ignores TERM. They are reported
/// one second after KILL at the latest: a process of another user, or one that waits for a disk or
/// a network drive, can outlive KILL. Processes that left the group are not terminated. `outcome`
/// has the outputs as they were at the failure.
///
/// # Examples
///
/// ```
/// use procession::{OutputError, Run};
///
/// match Run::new("grep").args(["x", "/no such file"]).check().output_blocking() {
///     Err(OutputError::Failed { outcome, .. }) => {
///         assert_eq!(outcome.exit_code(), Some(2));
///     }
///     other => panic!("{other:?}"),
/// }
/// ```
#[non_exhaustive]
pub enum OutputError {
    /// The program could not be started.
    Spawn(SpawnError),
    /// The program wrote to its standard error, and the run counts that as a failure.
    ///
    /// The program was not killed; dropping the reactor kills it. Its further output is discarded.
    /// After a blocking run, [`Ended`] says what happens to it.
    #[non_exhaustive]
    UnexpectedStderr {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs up to the failure.
        outcome: Box<Partial>,
        /// The end of the process.
        ended: Ended,
    },
    /// The program wrote more than the limit, and the run counts that as a failure. The program was
    /// [terminated](Self#what-is-left).
    #[non_exhaustive]
    TooLong {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs up to the failure. The output that is too long has only the kept part.
        outcome: Box<Partial>,
        /// The output that is too long.
        stream: Stream,
        /// The limit.
        max_bytes: usize,
    },
    /// A signal ended the program, and the run asked for an exit status.
    #[non_exhaustive]
    Signalled {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs, and the signal.
        outcome: Box<Outcome>,
    },
    /// The run asked for an exit status, and it is not known. The message says why.
    #[non_exhaustive]
    Lost {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs.
        outcome: Box<Outcome>,
    },
    /// The program exited with a status other than 0, and the run asked for
    /// [`check`](crate::Run::check).
    #[non_exhaustive]
    Failed {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs, and the status.
        outcome: Box<Outcome>,
    },
    /// The time given to [`Run::timeout`](crate::Run::timeout) passed. The program was
    /// [terminated](Self#what-is-left).
    #[non_exhaustive]
    TimedOut {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs up to the failure.
        outcome: Box<Partial>,
        /// The signal that had stopped the program, if it was stopped. TTIN and TTOU stop a
        /// background process that reads or changes its terminal.
        stopped_by: Option<Signal>,
    },
    /// The reactor stopped: it closed the outputs before their end, or cut the input short.
    ///
    /// The stop does not kill the program. This error is reported when the program has ended,
    /// possibly in a later turn of the loop.
    #[non_exhaustive]
    Stopped {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs up to the stop, and the exit reason.
        outcome: Box<Outcome>,
    },
    /// The [`Background`](crate::Background) that runs the program gave no outcome.
    #[cfg(feature = "reactor")]
    #[non_exhaustive]
    Background {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Why not.
        error: BackgroundError,
    },
    /// The launcher of [`Run::on`](crate::Run::on) cannot carry the command. Nothing was started.
    #[non_exhaustive]
    Launch {
        /// Program, arguments and place.
        command: String,
        /// What cannot be carried.
        error: LaunchError,
    },
    /// The machine that the program should run on cannot be reached. Nothing was started.
    #[non_exhaustive]
    Unreachable {
        /// Program, arguments and place.
        command: String,
        /// Why not, in the words of the client.
        reason: String,
    },
    /// The connection to the machine that the program runs on was lost.
    ///
    /// The machine ends the program by itself when it notices. Outputs may be incomplete.
    #[non_exhaustive]
    ConnectionLost {
        /// Program, arguments and place.
        command: String,
        /// Both outputs up to the loss. The exit reason is that of the local client.
        outcome: Box<Outcome>,
        /// Whether the program may have started. If not, it never will.
        may_have_started: bool,
    },
    /// The reader that supplies the standard input failed. The program was
    /// [terminated](Self#what-is-left).
    #[non_exhaustive]
    Stdin {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Both outputs up to the failure.
        outcome: Box<Partial>,
        /// The error of the reader.
        source: io::Error,
    },
}

impl OutputError {
    /// Returns the standard output up to the failure, or `None` if the program could not be
    /// started.
    pub fn stdout(&self) -> Option<&Bytes> {
        self.outputs().map(|(stdout, _)| stdout)
    }

    /// Returns the standard error up to the failure, or `None` if the program could not be started.
    pub fn stderr(&self) -> Option<&Bytes> {
        self.outputs().map(|(_, stderr)| stderr)
    }

    /// Returns how the program ended, if it had ended when the run failed.
    pub fn terminated(&self) -> Option<&ProcessTerminated> {
        match self {
            Self::Signalled { outcome, .. }
            | Self::Lost { outcome, .. }
            | Self::Failed { outcome, .. }
            | Self::Stopped { outcome, .. } => outcome.reason.as_ref().err(),
            #[cfg(feature = "reactor")]
            Self::Background { .. } => None,
            Self::Spawn(_)
            | Self::Launch { .. }
            | Self::Unreachable { .. }
            | Self::ConnectionLost { .. }
            | Self::UnexpectedStderr { .. }
            | Self::TooLong { .. }
            | Self::TimedOut { .. }
            | Self::Stdin { .. } => None,
        }
    }

    /// Returns the error of the system call that failed at the start, or that of the standard
    /// input's reader.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Spawn(error) => Some(error.io_error()),
            Self::Stdin { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Returns the kind of [`io_error`](Self::io_error), or else `TimedOut`, that of the background's
    /// error, `InvalidInput` for what cannot be carried, `HostUnreachable`,
    /// `ConnectionAborted`, or `Other`.
    pub fn kind(&self) -> io::ErrorKind {
        match (self.io_error(), self) {
            (Some(error), _) => error.kind(),
            (None, Self::TimedOut { .. }) => io::ErrorKind::TimedOut,
            (None, Self::Launch { .. }) => io::ErrorKind::InvalidInput,
            (None, Self::Unreachable { .. }) => io::ErrorKind::HostUnreachable,
            (None, Self::ConnectionLost { .. }) => io::ErrorKind::ConnectionAborted,
            #[cfg(feature = "reactor")]
            (None, Self::Background { error, .. }) => error.kind(),
            (None, _) => io::ErrorKind::Other,
        }
    }

    fn outputs(&self) -> Option<(&Bytes, &Bytes)> {
        match self {
            #[cfg(feature = "reactor")]
            Self::Background { .. } => None,
            Self::Spawn(_) | Self::Launch { .. } | Self::Unreachable { .. } => None,
            Self::UnexpectedStderr { outcome, .. }
            | Self::TooLong { outcome, .. }
            | Self::TimedOut { outcome, .. }
            | Self::Stdin { outcome, .. } => Some((&outcome.stdout, &outcome.stderr)),
            Self::Signalled { outcome, .. }
            | Self::Lost { outcome, .. }
            | Self::Failed { outcome, .. }
            | Self::ConnectionLost { outcome, .. }
            | Self::Stopped { outcome, .. } => Some((&outcome.stdout, &outcome.stderr)),
        }
    }
}

debug_by_message!(OutputError);

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
            #[cfg(feature = "reactor")]
            Self::Background { command, error } => write!(f, "{command} gave no outcome: {error}"),
            Self::Launch { command, error } => write!(f, "{command} was not started: {error}"),
            Self::Unreachable { command, reason } => {
                write!(f, "{command} was not started: {reason}")
            }
            Self::ConnectionLost { command, outcome, may_have_started } => {
                let (after, tail) = (outcome.after.as_secs_f64(), outcome.tail());
                let what = match may_have_started {
                    true => "lost its connection",
                    false => "was not started: its connection was lost",
                };
                write!(f, "{command} {what} after {after:.2} s{tail}")
            }
            Self::Stdin { command, source, .. } => {
                write!(f, "cannot read the standard input for {command}: {}", Reason(source))
            }
        }
    }
}

/// The source is that of the inner error, whose own text is already in this error's text.
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

/// Keeps the kind, and either the OS error number or the message.
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

/// Displays the signal that stopped a program, if one did.
struct Stopped(Option<Signal>);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |signal| write!(f, ", stopped by {signal}"))
    }
}

/// Displays the command, how and when it ended, and the last lines of its standard error.
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

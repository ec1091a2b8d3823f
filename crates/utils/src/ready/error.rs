//! [`ReadyError`]: why a program did not become ready.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use procession_core::driver::{Reason, debug_by_message};
use procession_process_transport::SpawnError;
use procession_protocol::ExitReason;

use crate::Ready;
use crate::message::Tail;
use crate::run_setup::RunSetup;

/// Why a program did not become ready. The program and its group have ended when this is reported, as
/// far as they could be ended.
///
/// # Examples
///
/// ```
/// use procession::{Command, Reactor, Ready};
/// use std::time::Duration;
///
/// let mut reactor = Reactor::new()?;
/// let slow = Command::new("sh").args(["-c", "echo loading; sleep 60"]);
/// let slow = Ready::line("ready").start(slow, Duration::from_millis(300));
/// let error = reactor.block_on(slow).unwrap_err().to_string();
/// assert!(error.starts_with("sh -c 'echo loading; sleep 60' was not ready after 0.3"));
/// assert!(error.ends_with(r#" s (ready: a line contains "ready"): loading"#));
/// # Ok::<(), std::io::Error>(())
/// ```
#[non_exhaustive]
pub enum ReadyError {
    /// The program could not be started.
    Spawn(SpawnError),
    /// Somebody else already accepts connections there, so the program was not started.
    #[non_exhaustive]
    AlreadyReady {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// What was waited for.
        ready: Ready,
    },
    /// The program ended before it was ready.
    #[non_exhaustive]
    Exited {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// What was waited for.
        ready: Ready,
        /// How it ended.
        reason: ExitReason,
        /// The last 64 KiB of both outputs.
        output: Bytes,
    },
    /// The program was not ready in time. It was terminated.
    #[non_exhaustive]
    TimedOut {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// What was waited for.
        ready: Ready,
        /// The time from the start.
        after: Duration,
        /// The last 64 KiB of both outputs.
        output: Bytes,
    },
    /// The readiness could not be watched, so the program was not started, or was terminated.
    Watch {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// What was to be waited for.
        ready: Ready,
        /// Why not.
        source: io::Error,
    },
}

impl ReadyError {
    /// Returns the last 64 KiB of both outputs, or `None` if the program was not started.
    pub fn output(&self) -> Option<&Bytes> {
        match self {
            Self::Exited { output, .. } | Self::TimedOut { output, .. } => Some(output),
            Self::Spawn(_) | Self::AlreadyReady { .. } | Self::Watch { .. } => None,
        }
    }

    /// Returns the error of the system, if one was the reason.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Spawn(error) => Some(error.io_error()),
            Self::Watch { source, .. } => Some(source),
            Self::AlreadyReady { .. } | Self::Exited { .. } | Self::TimedOut { .. } => None,
        }
    }

    /// Returns the kind of this error as an [`io::Error`].
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Spawn(error) => error.io_error().kind(),
            Self::Watch { source, .. } => source.kind(),
            Self::AlreadyReady { .. } => io::ErrorKind::AddrInUse,
            Self::TimedOut { .. } => io::ErrorKind::TimedOut,
            Self::Exited { .. } => io::ErrorKind::Other,
        }
    }
}

debug_by_message!(ReadyError);

impl fmt::Display for ReadyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = |output| Tail::of(output, None, RunSetup::default());
        match self {
            Self::Spawn(error) => error.fmt(f),
            Self::AlreadyReady { command, ready } => {
                write!(f, "{command} was not started: before it, {ready}")
            }
            Self::Exited { command, ready, reason, output } => {
                write!(f, "{command} ")?;
                match reason {
                    Ok(done) => done.fmt(f)?,
                    Err(terminated) => terminated.fmt(f)?,
                }
                write!(f, " before it was ready (ready: {ready}){}", tail(output))
            }
            Self::TimedOut { command, ready, after, output } => {
                let after = after.as_secs_f64();
                let tail = tail(output);
                write!(f, "{command} was not ready after {after:.2} s (ready: {ready}){tail}")
            }
            Self::Watch { command, ready, source } => {
                write!(f, "cannot watch whether {command} is ready ({ready}): {}", Reason(source))
            }
        }
    }
}

/// The source is that of the inner error, whose own text is already in this error's text.
impl Error for ReadyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.io_error().and_then(Error::source)
    }
}

/// Keeps the kind, and either the OS error number or the message.
impl From<ReadyError> for io::Error {
    fn from(error: ReadyError) -> Self {
        match error {
            ReadyError::Spawn(error) => error.into(),
            error => {
                let number = error.io_error().and_then(Self::raw_os_error);
                Reason::into_io_error(error.kind(), number, error)
            }
        }
    }
}

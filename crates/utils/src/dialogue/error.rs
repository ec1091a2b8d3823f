//! [`DialogueError`]: why a step of a dialogue failed.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use procession_core::WriteError;
use procession_core::driver::{Reason, debug_by_message};
use procession_protocol::ExitReason;

use crate::message::Tail;
use crate::run_setup::RunSetup;

/// Why a step of a [`Dialogue`](crate::Dialogue) failed.
///
/// The printed error names the program and its arguments, says what was waited for, and ends with the
/// last lines of the [transcript](crate::Dialogue::transcript), without echo and secrets. The program
/// runs on, and what came is kept for the next wait.
///
/// # Examples
///
/// ```
/// use procession::{Command, Reactor, StartDialogue};
/// use std::time::Duration;
///
/// let mut reactor = Reactor::new()?;
/// let error = reactor.block_on(async {
///     let cat = Command::new("sh").args(["-c", "echo 'user name:'; exec cat"]);
///     let mut cat = procession::Handle::current().dialogue(cat)?;
///     let login = cat.expect("login: ").within(Duration::from_millis(300)).await;
///     Ok::<_, procession::SpawnError>(login.unwrap_err().to_string())
/// })?;
/// assert!(error.starts_with(r#"sh -c 'echo '\''user name:'\''; exec cat' timed out after 0.3"#));
/// assert!(error.ends_with(r#" s without "login: ": user name:"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
pub enum DialogueError {
    /// A pattern cannot be used. The wait did not begin.
    #[non_exhaustive]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// The time of the wait was over.
    #[non_exhaustive]
    TimedOut {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// What was waited for.
        wanted: String,
        /// How long the wait took.
        after: Duration,
        /// How the program ended, if it has. A process that it has started then holds its output open, or
        /// the wait had not looked at all of it.
        reason: Option<ExitReason>,
        /// The last 4 KiB of the transcript.
        tail: String,
    },
    /// The output ended before a match.
    #[non_exhaustive]
    Ended {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// What was waited for.
        wanted: String,
        /// How the program ended, if it has.
        reason: Option<ExitReason>,
        /// The last 4 KiB of the transcript.
        tail: String,
    },
    /// More came without a match than [may be held](crate::Dialogue::set_max_held_bytes), or before the
    /// program had read what it was [sent](crate::Dialogue::send).
    #[non_exhaustive]
    TooLong {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// What was waited for.
        wanted: String,
        /// The limit.
        max_bytes: usize,
        /// The last 4 KiB of the transcript.
        tail: String,
    },
    /// The program takes no more input.
    #[non_exhaustive]
    Write {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// Why not.
        error: WriteError,
        /// The last 4 KiB of the transcript.
        tail: String,
    },
    /// The terminal still echoes what is typed, so the secret was not sent.
    #[non_exhaustive]
    Echoes {
        /// Program and arguments, quoted for a shell.
        command: String,
        /// The last 4 KiB of the transcript.
        tail: String,
    },
    /// The reactor was dropped.
    #[non_exhaustive]
    ReactorGone {
        /// Program and arguments, quoted for a shell.
        command: String,
    },
}

impl DialogueError {
    /// Returns the kind of this error as an [`io::Error`].
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Pattern { .. } => io::ErrorKind::InvalidInput,
            Self::TimedOut { .. } => io::ErrorKind::TimedOut,
            Self::Ended { .. } => io::ErrorKind::UnexpectedEof,
            Self::TooLong { .. } => io::ErrorKind::FileTooLarge,
            Self::Write { error, .. } => error.kind(),
            Self::Echoes { .. } => io::ErrorKind::PermissionDenied,
            Self::ReactorGone { .. } => io::ErrorKind::NotConnected,
        }
    }

    /// Returns the end of the transcript, or `None` if the error has none.
    pub fn tail(&self) -> Option<&str> {
        match self {
            Self::TimedOut { tail, .. }
            | Self::Ended { tail, .. }
            | Self::TooLong { tail, .. }
            | Self::Write { tail, .. }
            | Self::Echoes { tail, .. } => Some(tail),
            Self::Pattern { .. } | Self::ReactorGone { .. } => None,
        }
    }
}

debug_by_message!(DialogueError);

impl fmt::Display for DialogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the program says is not about the parent's terminal.
        let setup = RunSetup { is_foreground: true, ..RunSetup::default() };
        let tail = Tail::of(self.tail().unwrap_or_default().as_bytes(), None, setup);
        match self {
            Self::Pattern { pattern, reason } => {
                write!(f, "cannot wait for {pattern}: {reason}")
            }
            Self::TimedOut { command, wanted, after, reason, .. } => {
                let after = after.as_secs_f64();
                write!(f, "{command} ")?;
                if let Some(reason) = reason {
                    write!(f, "{}, its output is open, and the wait ", How(reason))?;
                }
                write!(f, "timed out after {after:.2} s without {wanted}{tail}")
            }
            Self::Ended { command, wanted, reason: None, .. } => {
                write!(f, "{command} closed its output without {wanted}{tail}")
            }
            Self::Ended { command, wanted, reason: Some(reason), .. } => {
                write!(f, "{command} {} without {wanted}{tail}", How(reason))
            }
            Self::TooLong { command, wanted, max_bytes, .. } => {
                write!(f, "{command} printed more than {max_bytes} bytes without {wanted}{tail}")
            }
            Self::Write { command, error, .. } => {
                write!(f, "cannot write to {command}: {error}{tail}")
            }
            Self::Echoes { command, .. } => {
                let why = "it was not sent, because the terminal would show it";
                write!(f, "{command} asked for no secret: {why}{tail}")
            }
            Self::ReactorGone { command } => {
                write!(f, "cannot talk to {command}: the reactor is gone")
            }
        }
    }
}

/// Prints how a program ended.
struct How<'a>(&'a ExitReason);

impl fmt::Display for How<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(done) => done.fmt(f),
            Err(terminated) => terminated.fmt(f),
        }
    }
}

impl Error for DialogueError {}

/// Keeps the kind and the message.
impl From<DialogueError> for io::Error {
    fn from(error: DialogueError) -> Self {
        Reason::into_io_error(error.kind(), None, error)
    }
}

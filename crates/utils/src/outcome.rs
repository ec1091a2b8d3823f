//! What a program left: its outputs, and how it ended.

use crate::message::Tail;
use bytes::Bytes;
use procession_core::Signal;
use procession_protocol::{ChildFd, ExitReason, ResourceUsage};
use std::str::{self, Utf8Error};
use std::time::Duration;

/// What a program wrote, how it ended, and how long that took.
///
/// # Examples
///
/// ```
/// use procession::{Reactor, Run};
///
/// let mut reactor = Reactor::new()?;
/// let outcome = reactor.block_on(Run::new("sh").args(["-c", "echo hi; exit 3"])).unwrap();
/// assert_eq!(outcome.stdout, "hi\n");
/// assert_eq!(outcome.exit_code(), Some(3));
/// assert!(!outcome.is_success() && !outcome.is_truncated());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// What it wrote to its standard output, or to both where they were merged.
    pub stdout: Bytes,
    /// What it wrote to its standard error.
    pub stderr: Bytes,
    /// Where `stdout` lacks something, if it was longer than what is kept.
    pub stdout_gap: Option<Gap>,
    /// Where `stderr` lacks something, if it was longer than what is kept.
    pub stderr_gap: Option<Gap>,
    /// How it ended.
    pub reason: ExitReason,
    /// The time from its start to its end and that of its outputs.
    pub after: Duration,
    pub(crate) about: About,
}

/// What a program wrote so far, when waiting for it came to an end before the program did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Partial {
    /// What it wrote to its standard output, or to both where they were merged.
    pub stdout: Bytes,
    /// What it wrote to its standard error.
    pub stderr: Bytes,
    /// Where `stdout` lacks something, if it was longer than what is kept.
    pub stdout_gap: Option<Gap>,
    /// Where `stderr` lacks something, if it was longer than what is kept.
    pub stderr_gap: Option<Gap>,
    /// The time from its start.
    pub after: Duration,
    pub(crate) about: About,
}

/// What is known of a program beforehand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// Both outputs go through one pipe.
    pub(crate) is_merged: bool,
    /// It is left where it can use the parent's terminal.
    pub(crate) is_foreground: bool,
}

/// A part of an output that was read and not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Where in what was kept it is missing, in bytes from the beginning.
    pub at: usize,
    /// Its length.
    pub skipped_bytes: u64,
}

macro_rules! outputs {
    ($type:ident) => {
        impl $type {
            /// The standard output as text.
            ///
            /// # Errors
            ///
            /// It is not UTF-8.
            pub fn stdout_utf8(&self) -> Result<&str, Utf8Error> {
                str::from_utf8(&self.stdout)
            }

            /// The standard error as text.
            ///
            /// # Errors
            ///
            /// It is not UTF-8.
            pub fn stderr_utf8(&self) -> Result<&str, Utf8Error> {
                str::from_utf8(&self.stderr)
            }

            /// Tells whether one of the outputs was longer than what is kept.
            pub fn is_truncated(&self) -> bool {
                self.stdout_gap.is_some() || self.stderr_gap.is_some()
            }

            /// The end of the program's complaints: of both outputs, if they went through one pipe.
            pub(crate) fn tail(&self) -> Tail<'_> {
                let (complaints, gap) = match self.about.is_merged {
                    true => (&self.stdout, self.stdout_gap),
                    false => (&self.stderr, self.stderr_gap),
                };
                Tail::of(complaints, gap, self.about)
            }
        }
    };
}

outputs!(Outcome);
outputs!(Partial);

impl Outcome {
    pub(crate) fn new(partial: Partial, reason: ExitReason) -> Self {
        let Partial { stdout, stderr, stdout_gap, stderr_gap, after, about } = partial;
        Self { stdout, stderr, stdout_gap, stderr_gap, reason, after, about }
    }

    /// Tells whether it exited with status 0.
    pub fn is_success(&self) -> bool {
        self.reason.is_ok()
    }

    /// The exit status, or `None` if a signal ended it or somebody else reaped it.
    pub fn exit_code(&self) -> Option<i32> {
        match &self.reason {
            Ok(done) => done.exit_code(),
            Err(terminated) => terminated.exit_code(),
        }
    }

    /// The signal that ended it, if one did.
    pub fn signal(&self) -> Option<Signal> {
        self.reason.as_ref().err().and_then(|terminated| terminated.signal())
    }

    /// What it used of processor and memory, where that is known.
    pub fn usage(&self) -> Option<&ResourceUsage> {
        match &self.reason {
            Ok(done) => done.usage(),
            Err(terminated) => terminated.usage(),
        }
    }

    /// The outputs that descendants still held open when
    /// [`drain_after_exit`](crate::Run::drain_after_exit) closed them.
    ///
    /// What the program itself wrote is complete also then.
    pub fn held_fds(&self) -> &[ChildFd] {
        match &self.reason {
            Ok(done) => done.held_fds(),
            Err(terminated) => terminated.held_fds(),
        }
    }
}

/// Whether the stop of the reactor cut off an output, or the input.
pub(crate) fn is_stopped(reason: &ExitReason) -> bool {
    let fds = match reason {
        Ok(done) => done.stopped_fds(),
        Err(terminated) => terminated.stopped_fds(),
    };
    !fds.is_empty()
}

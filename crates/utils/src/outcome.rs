//! The outcome of a program: its outputs, and how it ended.

use std::str::{self, Utf8Error};
use std::time::Duration;

use bytes::Bytes;
use procession_core::Signal;
use procession_protocol::{ChildFd, ExitReason, ResourceUsage};

use crate::gap::Gap;
use crate::message::Tail;
use crate::run_setup::RunSetup;

/// What a program wrote, how it ended, and how long that took.
///
/// # Examples
///
/// ```
/// use procession::Run;
///
/// let outcome = Run::new("sh").args(["-c", "echo hi; exit 3"]).output_blocking()?;
/// assert_eq!(outcome.stdout, "hi\n");
/// assert_eq!(outcome.exit_code(), Some(3));
/// assert!(!outcome.is_success() && !outcome.is_truncated());
/// # Ok::<(), procession::OutputError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The standard output, or both outputs if they were merged.
    pub stdout: Bytes,
    /// The standard error.
    pub stderr: Bytes,
    /// The gap in `stdout`, if the output was longer than the part that is kept.
    pub stdout_gap: Option<Gap>,
    /// The gap in `stderr`, if the output was longer than the part that is kept.
    pub stderr_gap: Option<Gap>,
    /// The exit reason.
    pub reason: ExitReason,
    /// The time from the start to the end of the program and of its outputs.
    pub after: Duration,
    pub(crate) setup: RunSetup,
}

/// What a program wrote until a failure ended the run before the program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Partial {
    /// The standard output, or both outputs if they were merged.
    pub stdout: Bytes,
    /// The standard error.
    pub stderr: Bytes,
    /// The gap in `stdout`, if the output was longer than the part that is kept.
    pub stdout_gap: Option<Gap>,
    /// The gap in `stderr`, if the output was longer than the part that is kept.
    pub stderr_gap: Option<Gap>,
    /// The time from the start to the failure.
    pub after: Duration,
    pub(crate) setup: RunSetup,
}

macro_rules! outputs {
    ($type:ident) => {
        impl $type {
            /// Returns the standard output as text.
            ///
            /// # Errors
            ///
            /// If it is not UTF-8.
            pub fn stdout_utf8(&self) -> Result<&str, Utf8Error> {
                str::from_utf8(&self.stdout)
            }

            /// Returns the standard error as text.
            ///
            /// # Errors
            ///
            /// If it is not UTF-8.
            pub fn stderr_utf8(&self) -> Result<&str, Utf8Error> {
                str::from_utf8(&self.stderr)
            }

            /// Returns whether an output was longer than the part that is kept.
            pub fn is_truncated(&self) -> bool {
                self.stdout_gap.is_some() || self.stderr_gap.is_some()
            }

            /// Returns the end of the standard error, or that of both outputs if they went through
            /// one pipe.
            pub(crate) fn tail(&self) -> Tail<'_> {
                let (complaints, gap) = match self.setup.is_merged {
                    true => (&self.stdout, self.stdout_gap),
                    false => (&self.stderr, self.stderr_gap),
                };
                Tail::of(complaints, gap, self.setup)
            }
        }
    };
}

outputs!(Outcome);
outputs!(Partial);

impl Outcome {
    pub(crate) fn new(partial: Partial, reason: ExitReason) -> Self {
        let Partial { stdout, stderr, stdout_gap, stderr_gap, after, setup } = partial;
        Self { stdout, stderr, stdout_gap, stderr_gap, reason, after, setup }
    }

    /// Returns whether the program exited with status 0.
    pub fn is_success(&self) -> bool {
        self.reason.is_ok()
    }

    /// Returns the exit status, or `None` if a signal ended the program or other code reaped it.
    pub fn exit_code(&self) -> Option<i32> {
        match &self.reason {
            Ok(done) => done.exit_code(),
            Err(terminated) => terminated.exit_code(),
        }
    }

    /// Returns the signal that ended the program, if one did.
    pub fn signal(&self) -> Option<Signal> {
        self.reason.as_ref().err().and_then(|terminated| terminated.signal())
    }

    /// Returns how the program ended, in words.
    ///
    /// # Examples
    ///
    /// ```
    /// let outcome = procession::Run::new("sh").args(["-c", "exit 3"]).output_blocking()?;
    /// assert_eq!(outcome.reason_text(), "exited with status 3");
    /// # Ok::<(), procession::OutputError>(())
    /// ```
    pub fn reason_text(&self) -> String {
        match &self.reason {
            Ok(done) => done.to_string(),
            Err(terminated) => terminated.to_string(),
        }
    }

    /// Returns the processor time and the memory that the program used, if they are known.
    pub fn usage(&self) -> Option<&ResourceUsage> {
        match &self.reason {
            Ok(done) => done.usage(),
            Err(terminated) => terminated.usage(),
        }
    }

    /// Returns the outputs that descendants still held open when
    /// [`drain_after_exit`](crate::Run::drain_after_exit) closed them.
    ///
    /// The outputs have everything that the program itself wrote in this case too.
    pub fn held_fds(&self) -> &[ChildFd] {
        match &self.reason {
            Ok(done) => done.held_fds(),
            Err(terminated) => terminated.held_fds(),
        }
    }
}

/// Returns whether a stop of the reactor cut off an output or the input.
pub(crate) fn is_stopped(reason: &ExitReason) -> bool {
    let fds = match reason {
        Ok(done) => done.stopped_fds(),
        Err(terminated) => terminated.stopped_fds(),
    };
    !fds.is_empty()
}

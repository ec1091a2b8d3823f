//! What can go wrong between `spawn_process` and the first instruction of the program: one error,
//! which says at which step, on what, and why.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io;

pub use crate::sys::Step;

/// What a step does, for messages: the subject follows.
const fn doing(step: Step) -> &'static str {
    match step {
        Step::Validate => "invalid command:",
        Step::Resolve => "cannot look up the user or group",
        Step::Pipe => "cannot make the descriptor for",
        Step::Pty => "cannot open the pseudo-terminal for",
        Step::Clone => "cannot clone a process for",
        Step::FdMap => "cannot hand on the descriptors to",
        Step::Session => "cannot start a session for",
        Step::ControllingTerminal => "cannot acquire the controlling terminal for",
        Step::ProcessGroup => "cannot set the process group of",
        Step::Limits => "cannot set a resource limit of",
        Step::Umask => "cannot set the umask of",
        Step::Priority => "cannot set the priority, the processors or the OOM score of",
        Step::Chdir => "cannot change to the directory",
        Step::Groups => "cannot set the supplementary groups of",
        Step::Gid => "cannot set the group id of",
        Step::Uid => "cannot set the user id of",
        Step::Capabilities => "cannot clear the ambient capabilities of",
        Step::ParentDeathSignal => "cannot set the parent death signal of",
        Step::Signals => "cannot prepare the signals of",
        Step::Exec => "cannot execute",
        Step::Register => "the reactor cannot take",
    }
}

/// A child that could not be started.
///
/// When it is returned nothing was called back, every descriptor made for the child is closed, the
/// child, if there was one, is reaped, and the caller's descriptors are as they were.
///
/// # Examples
///
/// ```
/// use procession_process_transport::{Command, Step};
///
/// let error = Command::new("/no/such/program").spawn().unwrap_err();
/// assert_eq!(error.step(), Step::Exec);
/// assert_eq!(error.raw_os_error(), Some(2));
/// assert_eq!(error.to_string(), "cannot execute \"/no/such/program\"");
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{} {subject:?}{}{detail}", doing(*step), if detail.is_empty() { "" } else { ": " })]
#[non_exhaustive]
pub struct SpawnError {
    step: Step,
    subject: OsString,
    /// What number and text of the source do not say; often empty.
    detail: Cow<'static, str>,
    source: io::Error,
}

impl SpawnError {
    pub(crate) fn new(
        step: Step,
        subject: impl AsRef<OsStr>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self {
            step,
            subject: subject.as_ref().to_owned(),
            detail: Cow::Borrowed(""),
            source: source.into(),
        }
    }

    pub(crate) fn os(step: Step, subject: impl AsRef<OsStr>, errno: i32) -> Self {
        Self::new(step, subject, io::Error::from_raw_os_error(errno))
    }

    pub(crate) fn invalid(subject: impl AsRef<OsStr>) -> Self {
        Self::os(Step::Validate, subject, libc::EINVAL)
    }

    /// Adds to the message what the subject alone leaves open.
    pub(crate) fn because(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The step that failed.
    pub fn step(&self) -> Step {
        self.step
    }

    /// What it failed on: the program, the directory, the argument, the option.
    pub fn subject(&self) -> &OsStr {
        &self.subject
    }

    /// Why: what the system answered.
    pub fn io_error(&self) -> &io::Error {
        &self.source
    }

    /// The error number, as in `errno(3)`.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }

    /// The kind of [`SpawnError::io_error`].
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// Keeps the kind, and the error itself: as [`get_ref`](io::Error::get_ref), and as what is printed.
impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> Self {
        Self::new(error.kind(), error)
    }
}

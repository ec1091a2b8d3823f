//! What can go wrong between `spawn_process` and the first instruction of the program: one error,
//! which says at which step, on what, and why.

use procession_core::driver::Reason;
use std::borrow::Cow;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
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

/// A child that could not be started: it prints at which step, on what, and why.
///
/// When it is returned nothing was called back, every descriptor made for the child is closed, the
/// child, if there was one, is reaped, and the caller's descriptors are as they were.
///
/// # Examples
///
/// ```
/// use procession::{Command, Step};
///
/// let error = Command::new("/no/such/program").spawn().unwrap_err();
/// assert_eq!(error.step(), Step::Exec);
/// assert_eq!(error.raw_os_error(), Some(2));
/// assert_eq!(error.to_string(), r#"cannot execute "/no/such/program": No such file or directory"#);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SpawnError {
    step: Step,
    /// What the message begins with.
    verb: Cow<'static, str>,
    subject: OsString,
    /// What the message has between subject and reason; often empty.
    more: Cow<'static, str>,
    /// What the message has in place of the system's words; often empty.
    why: Cow<'static, str>,
    reason: io::Error,
}

impl SpawnError {
    /// Makes an error for a test double of whatever starts children; a spawn makes its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{SpawnError, Step};
    /// use std::io::ErrorKind;
    ///
    /// let error = SpawnError::new(Step::Exec, "git", ErrorKind::NotFound);
    /// assert_eq!(error.to_string(), r#"cannot execute "git": entity not found"#);
    /// assert_eq!(error.kind(), ErrorKind::NotFound);
    /// ```
    pub fn new(step: Step, subject: impl AsRef<OsStr>, reason: impl Into<io::Error>) -> Self {
        Self {
            step,
            verb: Cow::Borrowed(doing(step)),
            subject: subject.as_ref().to_owned(),
            more: Cow::Borrowed(""),
            why: Cow::Borrowed(""),
            reason: reason.into(),
        }
    }

    pub(crate) fn os(step: Step, subject: impl AsRef<OsStr>, errno: i32) -> Self {
        Self::new(step, subject, io::Error::from_raw_os_error(errno))
    }

    /// A command that is refused before the system is asked.
    pub(crate) fn invalid(subject: impl AsRef<OsStr>, why: impl Into<Cow<'static, str>>) -> Self {
        Self::os(Step::Validate, subject, libc::EINVAL).because(why)
    }

    /// Has the message begin with this, and not with what the step does.
    pub(crate) fn by(mut self, verb: impl Into<Cow<'static, str>>) -> Self {
        self.verb = verb.into();
        self
    }

    /// Has the message say this, and not the reason in the system's words.
    pub(crate) fn because(mut self, why: impl Into<Cow<'static, str>>) -> Self {
        self.why = why.into();
        self
    }

    /// Has the message say this right after the subject.
    pub(crate) fn with(mut self, more: impl Into<Cow<'static, str>>) -> Self {
        self.more = more.into();
        self
    }

    /// The step that failed.
    pub fn step(&self) -> Step {
        self.step
    }

    /// What it failed on: the program, the file, the directory, the argument, the option.
    pub fn subject(&self) -> &OsStr {
        &self.subject
    }

    /// Why: what the system answered.
    pub fn io_error(&self) -> &io::Error {
        &self.reason
    }

    /// The error number, as in `errno(3)`.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.reason.raw_os_error()
    }

    /// The kind of [`SpawnError::io_error`].
    pub fn kind(&self) -> io::ErrorKind {
        self.reason.kind()
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, subject, more, why, reason, .. } = self;
        write!(f, "{verb} {subject:?}{more}: ")?;
        if why.is_empty() { Reason(reason).fmt(f) } else { f.write_str(why) }
    }
}

/// The source of the reason, which is printed already.
impl Error for SpawnError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}

/// Keeps the kind, and the number that the system has answered.
///
/// An [`io::Error`] has either a number or a text. So what has a number prints the reason alone, as
/// the errors of [`std::process`] do, and what was refused before the system was asked keeps its
/// message, and the error itself as [`get_ref`](io::Error::get_ref). To keep the message of all of
/// them: `io::Error::new(error.kind(), error)`.
impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> Self {
        let is_ours = matches!(error.step, Step::Validate | Step::Resolve) && !error.why.is_empty();
        if is_ours {
            return Self::new(error.kind(), error);
        }
        Reason::into_io_error(error.kind(), error.raw_os_error(), error)
    }
}

//! The error of a spawn, for everything between the call and the first instruction of the program:
//! it names the step, the subject and the reason.

use std::borrow::Cow;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;

use procession_core::driver::{Reason, debug_by_message};

pub use crate::sys::Step;

/// Returns the beginning of the message for a step; the subject follows.
const fn message_start(step: Step) -> &'static str {
    match step {
        Step::Validate => "invalid command:",
        Step::Resolve => "cannot look up the user or group",
        Step::Pipe => "cannot make the descriptor for",
        Step::Pty => "cannot open the pseudo-terminal for",
        Step::Clone => "cannot clone a process for",
        Step::FdMap => "cannot hand on the descriptors to",
        Step::Scope => "cannot join the scope for",
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

/// The error of a child that could not be started. Its message names the step, the subject and the
/// reason.
///
/// When it is returned, no callback has run, every descriptor made for the child is closed, the
/// child, if any, is reaped, and the caller's descriptors are as they were.
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
#[non_exhaustive]
pub struct SpawnError {
    step: Step,
    /// The beginning of the message.
    verb: Cow<'static, str>,
    subject: OsString,
    /// Text between subject and reason; often empty.
    more: Cow<'static, str>,
    /// Text instead of the system's reason; often empty.
    why: Cow<'static, str>,
    reason: io::Error,
}

impl SpawnError {
    /// Creates an error for a test double of code that starts children; a spawn creates its own.
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
            verb: Cow::Borrowed(message_start(step)),
            subject: subject.as_ref().to_owned(),
            more: Cow::Borrowed(""),
            why: Cow::Borrowed(""),
            reason: reason.into(),
        }
    }

    pub(crate) fn os(step: Step, subject: impl AsRef<OsStr>, errno: i32) -> Self {
        Self::new(step, subject, io::Error::from_raw_os_error(errno))
    }

    /// Creates the error of a command that is refused before any system call.
    pub(crate) fn invalid(subject: impl AsRef<OsStr>, why: impl Into<Cow<'static, str>>) -> Self {
        Self::os(Step::Validate, subject, libc::EINVAL).because(why)
    }

    /// Replaces the beginning of the message.
    pub(crate) fn by(mut self, verb: impl Into<Cow<'static, str>>) -> Self {
        self.verb = verb.into();
        self
    }

    /// Replaces the system's reason in the message.
    pub(crate) fn because(mut self, why: impl Into<Cow<'static, str>>) -> Self {
        self.why = why.into();
        self
    }

    /// Adds text right after the subject.
    pub(crate) fn with(mut self, more: impl Into<Cow<'static, str>>) -> Self {
        self.more = more.into();
        self
    }

    /// Returns the step that failed.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Returns what the step failed on: the program, the file, the directory, the argument, the
    /// option.
    pub fn subject(&self) -> &OsStr {
        &self.subject
    }

    /// Returns the reason: the system's error.
    pub fn io_error(&self) -> &io::Error {
        &self.reason
    }

    /// Returns the error number, as in `errno(3)`.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.reason.raw_os_error()
    }

    /// Returns the kind of [`SpawnError::io_error`].
    pub fn kind(&self) -> io::ErrorKind {
        self.reason.kind()
    }
}

debug_by_message!(SpawnError);

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, subject, more, why, reason, .. } = self;
        write!(f, "{verb} {subject:?}{more}: ")?;
        if why.is_empty() { Reason(reason).fmt(f) } else { f.write_str(why) }
    }
}

/// The source is that of the reason, because the message shows the reason itself.
impl Error for SpawnError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}

/// Keeps the kind, and the system's error number if there is one.
///
/// An [`io::Error`] has either a number or a text. An error with a number therefore prints the
/// reason alone, like the errors of [`std::process`]. An error without a system call keeps its
/// message, and is available through [`get_ref`](io::Error::get_ref). To keep the message in all
/// cases, use `io::Error::new(error.kind(), error)`.
impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> Self {
        let is_ours = matches!(error.step, Step::Validate | Step::Resolve) && !error.why.is_empty();
        if is_ours {
            return Self::new(error.kind(), error);
        }
        Reason::into_io_error(error.kind(), error.raw_os_error(), error)
    }
}

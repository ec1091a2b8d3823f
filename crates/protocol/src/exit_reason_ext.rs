//! The status and the signal of an [`ExitReason`], whether it is `Ok` or `Err`.

use procession_core::Signal;

use crate::reason::{ExitReason, ProcessDone, ProcessTerminated};

/// A supertrait that other crates cannot name.
mod sealed {
    #[expect(unnameable_types, reason = "this seals the trait")]
    pub trait Sealed {}

    impl Sealed for super::ExitReason {}
}

/// The status and the signal of an [`ExitReason`], whether it is `Ok` or `Err`.
///
/// This trait is sealed: no other crate can implement it, so methods may be added.
///
/// # Examples
///
/// ```
/// use procession::{ExitReason, ExitReasonExt, ProcessDone, ProcessTerminated, Signal};
///
/// let done: ExitReason = Ok(ProcessDone::default());
/// assert_eq!((done.exit_code(), done.signal()), (Some(0), None));
/// let killed: ExitReason = Err(ProcessTerminated::signalled(Signal::KILL));
/// assert_eq!((killed.exit_code(), killed.signal()), (None, Some(Signal::KILL)));
/// ```
#[doc(alias = "ExitStatusExt")]
pub trait ExitReasonExt: sealed::Sealed {
    /// Returns the exit status, or `None` if the process did not exit by itself.
    #[doc(alias = "exitCode")]
    #[doc(alias = "code")]
    fn exit_code(&self) -> Option<i32>;

    /// Returns the signal that ended the process, if one did.
    fn signal(&self) -> Option<Signal>;
}

impl ExitReasonExt for ExitReason {
    fn exit_code(&self) -> Option<i32> {
        self.as_ref().map_or_else(ProcessTerminated::exit_code, ProcessDone::exit_code)
    }

    fn signal(&self) -> Option<Signal> {
        self.as_ref().map_or_else(ProcessTerminated::signal, ProcessDone::signal)
    }
}

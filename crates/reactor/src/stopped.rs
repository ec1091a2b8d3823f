//! Why a run ended, and how the program ends for the same reason.

use std::io::{self, Write};
use std::process::{ExitCode, Termination};

use procession_core::Signal;
use thiserror::Error;

use crate::sys::signals;

/// Why [`Reactor::run`](crate::Reactor::run) or a related method returned.
///
/// As the result of `main`, it ends the program accordingly: by the same signal after a signal,
/// otherwise with success. A shell that runs the program in a loop stops at Ctrl-C only if the
/// program dies by the signal.
///
/// As an error, it is why [`run_until`](crate::Reactor::run_until) failed.
///
/// # Examples
///
/// ```
/// use procession::{Reactor, Stopped};
/// use std::time::Duration;
///
/// fn main() -> std::io::Result<Stopped> {
///     let mut reactor = Reactor::new()?;
///     reactor.call_later(Duration::from_millis(1), |reactor| reactor.stop());
///     reactor.run() // or Ctrl-C: then the program dies by SIGINT
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Stopped {
    /// [`Handle::stop`](crate::Handle::stop) was called.
    #[error("stopped by the program")]
    Called,
    /// This signal told the process to end.
    #[error("stopped by {0}")]
    Signal(Signal),
    /// The future of [`run_main`](crate::run_main) is ready.
    #[error("finished")]
    Finished,
}

/// Has the kind `Other`, because `Interrupted` would ask for another try, and keeps the error.
impl From<Stopped> for io::Error {
    fn from(stopped: Stopped) -> Self {
        Self::other(stopped)
    }
}

/// The exit status of a program that cannot die by a signal is this plus the signal's number.
const BY_SIGNAL: i32 = 128;

impl Termination for Stopped {
    /// Ends the process by the signal, if there is one: flushes the standard output, restores the
    /// signal's default action, and raises the signal.
    ///
    /// The first process of a PID namespace (of a container) cannot die by a signal. It ends with
    /// status 128 plus the signal's number. So does a program if the signal's default action does
    /// not end it.
    fn report(self) -> ExitCode {
        let Self::Signal(signal) = self else { return ExitCode::SUCCESS };
        // The standard library flushes for programs that return from `main`. Nobody is left who
        // could handle an error.
        io::stdout().flush().ok();
        signals::act_by_default(signal.as_raw());
        u8::try_from(BY_SIGNAL.saturating_add(signal.as_raw()))
            .map_or(ExitCode::FAILURE, ExitCode::from)
    }
}

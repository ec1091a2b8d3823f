//! Why a run has ended, and how a program ends for the same reason.

use std::io::{self, Write};
use std::process::{ExitCode, Termination};

use procession_core::Signal;
use thiserror::Error;

use crate::sys::signals;

/// Why [`Reactor::run`](crate::Reactor::run) and its relatives have returned.
///
/// As the result of `main` it ends the program as that asks for: after a signal by the same signal,
/// else with success. A shell that runs the program in a loop stops at Ctrl-C only if the program
/// dies by the signal.
///
/// As an error it is what [`run_until`](crate::Reactor::run_until) fails with.
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

/// The exit status of a program that cannot die by a signal, less the signal's number.
const BY_SIGNAL: i32 = 128;

impl Termination for Stopped {
    /// Ends the process by the signal, if it is one: flushes the standard output, puts the signal's
    /// default action back, and raises it.
    ///
    /// The first process of a PID namespace (of a container) cannot die so, and ends with status 128
    /// and the number of the signal; a program that a signal does not end by default does likewise.
    fn report(self) -> ExitCode {
        let Self::Signal(signal) = self else { return ExitCode::SUCCESS };
        // std does it for programs that return from `main`. There is nobody left to be told.
        io::stdout().flush().ok();
        signals::act_by_default(signal.as_raw());
        u8::try_from(BY_SIGNAL.saturating_add(signal.as_raw()))
            .map_or(ExitCode::FAILURE, ExitCode::from)
    }
}

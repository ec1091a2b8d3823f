//! Run a program and get its output: one call, safe by default.
//!
//! [`Run`] starts a program, writes its standard input, reads both outputs to their end within
//! limits, waits for its exit, and gives one [`Outcome`] or one [`OutputError`].
//! [`get_process_output`], [`get_process_output_merged`], [`get_process_value`] and
//! [`get_process_output_and_value`] are Twisted's helpers, built on [`Run`]. [`run_all()`] runs
//! many programs with a limit on how many run at once.
//!
//! Every helper starts its program at once, on the thread's current reactor, and gives a
//! [`Deferred`](procession_core::Deferred). You can await it, pass it to `block_on`, or continue it
//! with callbacks. Dropping it, cancelling it, and a timeout terminate the child: its process group
//! gets TERM, and KILL after a grace of two seconds. This happens in the background, and the child
//! is reaped. If the reactor stops before the program has ended, the result is the error
//! [`OutputError::Stopped`].
//!
//! # What this crate does not do
//!
//! This crate runs no shell, parses no command lines and builds no pipelines. It does not keep
//! children running and holds no dialogue with them: implement `ProcessProtocol` for that.
//!
//! # Examples
//!
//! ```no_run
//! // Not run: it needs git, and a repository.
//! # use procession::{Reactor, Run};
//! # use std::time::Duration;
//! # let mut reactor = Reactor::new()?;
//! let log = reactor.block_on(Run::new("git").args(["log", "-1", "--format=%H"]).timeout(Duration::from_secs(5)).check())?;
//! println!("{}", log.stdout_utf8()?.trim());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Printed with `{}`, the error has all that a log needs:
//!
//! ```
//! use procession::{Reactor, Run};
//!
//! let mut reactor = Reactor::new()?;
//! let git = Run::new("sh").args(["-c", "echo fatal: no repository >&2; exit 128"]);
//! let error = reactor.block_on(git.check()).unwrap_err().to_string();
//! assert!(error.starts_with("sh -c 'echo fatal: no repository >&2; exit 128' exited with status 128 after 0."));
//! assert!(error.ends_with(" s: fatal: no repository"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! With callbacks, anywhere in a program that runs a reactor:
//!
//! ```
//! use procession::{Protocol, Transport, get_process_output};
//!
//! # struct FortuneQuoter;
//! impl Protocol for FortuneQuoter {
//!     fn connection_made(&mut self, transport: &Transport) {
//!         let transport = transport.clone();
//!         get_process_output("fortune").done(move |output| {
//!             if let Ok(quote) = output { transport.write(quote); }
//!             transport.lose_connection();
//!         });
//!     }
//! }
//! ```

#![warn(clippy::print_stdout, clippy::print_stderr)]
#![forbid(unsafe_code)]

mod background;
mod collector;
mod ended;
mod error;
mod gap;
mod job;
mod keep;
mod lines;
mod message;
mod named;
mod outcome;
mod reading;
mod run;
mod run_all;
mod run_setup;
mod stdin;
mod streams;
mod terminal_wanted;

pub use background::{
    Background, BackgroundChild, BackgroundError, BackgroundInput, BackgroundOutput, InBackground,
};
pub use ended::Ended;
pub use error::OutputError;
pub use gap::Gap;
pub use keep::Keep;
pub use lines::{OutputLine, Stream};
pub use named::{
    get_process_output, get_process_output_and_value, get_process_output_merged, get_process_value,
};
pub use outcome::{Outcome, Partial};
pub use run::Run;
pub use run_all::{Progress, RunAll, RunAllError, RunResult, run_all};
pub use stdin::Stdin;

/// Checks that an unused result is a warning, and that `drop` and `detach` count as a use.
///
/// ```no_run
/// #![deny(unused_must_use)]
/// use procession::{Run, get_process_output, run_all};
///
/// drop(Run::new("true").start());
/// drop(run_all(["true"], 1).all());
/// get_process_output("true").detach();
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// procession::Run::new("true").start();
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// procession::run_all(["true"], 1).all();
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// procession::get_process_output("true");
/// ```
#[cfg(doctest)]
struct UnusedResults;

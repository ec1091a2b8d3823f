//! What goes wrong: programs that do not start or do not end well, and callbacks that panic.
//!
//! # A program that does not start
//!
//! The call that starts the child fails at once, and no callback is called. The error
//! ([`SpawnError`](crate::SpawnError)) has the step that failed and the system's reason. A
//! helper wraps it in `OutputError::Spawn`:
//!
//! ```
//! use procession::prelude::*;
//! use procession::Step;
//! use std::error::Error;
//! use std::io;
//!
//! struct Quiet;
//! impl ProcessProtocol for Quiet {}
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let mut reactor = Reactor::new()?;
//!
//! let error = reactor.spawn_process(Quiet, "no-such-program").unwrap_err();
//! assert_eq!((error.step(), error.kind()), (Step::Exec, io::ErrorKind::NotFound));
//! # Ok(())
//! # }
//! ```
//!
//! The text of an error at [`Step::Exec`](crate::Step::Exec) says what is at fault, as far as the system shows
//! it: the interpreter of a script, also one whose line ends in a carriage return; the loader of a binary that
//! was built for another C library; the mode of a file. A script without `#!` is an error (`ENOEXEC`): no
//! shell is tried. Arguments and environment have a limit together, and each argument one of 128 KiB
//! (`E2BIG`).
//!
//! [`Command::new`](crate::Command::new) documents how a program is looked up.
//!
//! # A program that does not end well
//!
//! The end of a child is an [`ExitReason`](crate::ExitReason), a `Result`: `Ok` for exit status
//! 0, else [`ProcessTerminated`](crate::ProcessTerminated). For `Run` every end is an outcome.
//! With [`check`](crate::Run::check), every end but status 0 is an
//! [`OutputError`](crate::OutputError). Its message shows the command line, how the child
//! ended, and what it wrote to stderr.
//!
//! A helper returns a [`Deferred`](crate::Deferred), whose error is a
//! [`Failed`](crate::Failed): the helper's own error, or a cancellation. `?` passes both on; a
//! `match` tells them apart:
//!
//! ```
//! use procession::prelude::*;
//! use procession::OutputError;
//! use std::error::Error;
//! use std::time::Duration;
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let mut reactor = Reactor::new()?;
//!
//! let slow = Run::new("sleep").arg("60").timeout(Duration::from_millis(20));
//! match reactor.block_on(slow) {
//!     Ok(outcome) => println!("{}", outcome.stdout.escape_ascii()),
//!     Err(Failed::Error(OutputError::TimedOut { .. })) => println!("too slow"),
//! #   #[cfg(any())]
//!     Err(other) => return Err(other.into()),
//! #   Err(other) => panic!("{other}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # A callback that panics
//!
//! The panic unwinds out of `run`, `turn` or `block_on`. The protocol is dropped without another
//! callback, and its child is still reaped. Nothing else changes: `run` may be called again. A server
//! that should survive a bug in a callback calls `run` in a loop:
//!
//! ```
//! use procession::prelude::*;
//! use std::error::Error;
//! use std::time::Duration;
//! use std::panic::{AssertUnwindSafe, catch_unwind};
//!
//! fn main() -> Result<Stopped, Box<dyn Error>> {
//!     let mut reactor = Reactor::new()?;
//!     reactor.call_soon(|_| panic!("this one has a bug"));
//!     reactor.call_later(Duration::from_millis(20), |reactor| reactor.stop());
//!     loop {
//!         let ran = catch_unwind(AssertUnwindSafe(|| reactor.run()));
//!         if let Ok(stopped) = ran { return Ok(stopped?) }
//!     }
//! }
//! ```
//!
//! Rust's panic hook has already printed the message. Each further `run` fires the startup triggers
//! again. If a stop was requested before the panic, the next `run` honours it first. A panic in the
//! future of `run_main` or `run_until` ends that future, and a panic in a task of `spawn_local` ends the
//! task. A program that is built with `panic = "abort"` ends at the first panic.
//!
//! # References
//!
//! [execve(2)](https://man7.org/linux/man-pages/man2/execve.2.html).

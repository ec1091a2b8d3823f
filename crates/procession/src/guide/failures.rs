//! What goes wrong: programs that do not start or do not end well, and callbacks that panic.
//!
//! # A program that does not start
//!
//! The call that starts a child fails, at once, and nothing is called back. The error
//! ([`SpawnError`](crate::SpawnError)) has the step that failed and the system's reason; a
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
//! What `execve(2)` refuses at [`Step::Exec`](crate::Step::Exec):
//!
//! | reason | cause |
//! |---|---|
//! | `ENOENT`, No such file or directory | no such program, in `PATH` or at that path |
//! | the same, for a script that is there | the interpreter that its first line names is not there. A line that ends in a carriage return, as in a file from Windows, names `/bin/sh\r` |
//! | the same, for a binary that is there | its dynamic loader is not there: it was built for another C library |
//! | `EACCES`, Permission denied | the file may not be executed: no `x` bit, a directory, or a file system mounted `noexec` |
//! | `ENOEXEC`, Exec format error | a script without `#!`, which no shell is tried for, or a binary for another processor |
//! | `E2BIG`, Argument list too long | arguments and environment together, or one of them, exceed the limit: 128 KiB for one |
//!
//! [`Command::new`](crate::Command::new) says how a program is found.
//!
//! # A program that does not end well
//!
//! Any end of a child is an [`ExitReason`](crate::ExitReason), a `Result`: `Ok` for exit status
//! 0, else [`ProcessTerminated`](crate::ProcessTerminated). For `Run` any end is an outcome, and
//! after [`check`](crate::Run::check) every end but status 0 is an
//! [`OutputError`](crate::OutputError), whose message shows the command line, the end, and what
//! stderr says.
//!
//! A helper's result is a [`Deferred`](crate::Deferred), whose error is a
//! [`Failed`](crate::Failed): the helper's own error, or a cancellation. `?` takes both; a `match`
//! sees both:
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
//! The panic unwinds out of `run`, or of `turn` or `block_on`. The protocol is dropped without another
//! callback, its child is still reaped, and everything else stays as it is: `run` may be called again.
//! A server that is to outlive the bugs of its callbacks goes on in a loop:
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
//! Rust's panic hook has printed the message by then. Each further `run` fires the startup triggers
//! again; a stop that was asked for before the panic is honoured by the next `run`. A panic in the
//! future of `run_main` or `run_until` ends that future, and one in a task of `spawn_local` ends the
//! task. A program that is built with `panic = "abort"` ends at the first one.
//!
//! # References
//!
//! [execve(2)](https://man7.org/linux/man-pages/man2/execve.2.html).

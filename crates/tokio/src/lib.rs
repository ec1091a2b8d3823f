//! Children on tokio: with any descriptors, on terminals, in process groups that end as a whole.
//!
//! [`Command`] and [`Child`] have the names and the form of `tokio::process`, so that two lines
//! change in a port:
//!
//! ```
//! use procession_tokio::{Command, Stdio}; // was: tokio::process::Command, std::process::Stdio
//! use tokio::io::AsyncReadExt;
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> std::io::Result<()> {
//!     let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
//!     let mut text = String::new();
//!     child.stdout.take().expect("it is a pipe").read_to_string(&mut text).await?;
//!     assert_eq!(text, "hello\n");
//!     assert!(child.wait().await?.success());
//!     Ok(())
//! }
//! ```
//!
//! All options of procession are methods of this command too, and every descriptor number has a
//! stream:
//!
//! ```
//! use procession_tokio::{Command, Fd, Signal, Stdio};
//! use std::time::Duration;
//! use tokio::io::AsyncWriteExt;
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut command = Command::new("sh");
//!     command.args(["-c", "read word <&3; sleep 600"]).child_fd(3, Fd::to_child()).owned(true);
//!     let mut child = command.spawn()?;
//!     child.take_writer(3)?.write_all(b"a word\n").await?;
//!     let ended = child.terminate(Signal::TERM, Duration::from_secs(5)).await?;
//!     assert!(ended.is_gone()); // the shell and the sleep
//!     Ok(())
//! }
//! ```
//!
//! # At a glance
//!
//! | To | Use |
//! |---|---|
//! | describe a child | [`Command`], [`Stdio`], [`Fd`], [`Pty`] |
//! | start it | [`Command::spawn`]: a [`Child`] |
//! | run it to its end | [`Command::output`], [`Command::status`] |
//! | read and write | [`Child::stdin`], [`Child::stdout`], [`Child::take_reader`], [`Child::take_writer`] |
//! | wait for it | [`Child::wait`], [`Child::wait_with_output`], [`Child::try_wait`] |
//! | end it, and its group | [`Child::signal`], [`Child::terminate`], [`Child::kill`] |
//! | take over a child that runs | [`Child::adopt`] |
//! | end children with the program | [`Command::owned`], [`end_children_with_program`] |
//!
//! # How it works
//!
//! The exit of a child is reported by its pidfd. No handler of SIGCHLD and no thread is made. Nothing installs
//! a signal handler, except [`end_children_with_program`] if the program calls it.
//!
//! A descriptor gets into the poller of a runtime when a call on it would block, and not before. So
//! a spawn needs no runtime, what never blocks costs no `epoll_ctl(2)`, and a child and its streams
//! may go to another runtime, also after the first one has ended.
//!
//! # Errors
//!
//! * [`Command::spawn`] fails with a [`SpawnError`], which says which step failed, on what, and why.
//! * [`Child::take_reader`] and [`Child::take_writer`] fail with a [`TakeError`] if the number has no such end.
//! * [`Child::signal`] and [`Child::terminate`] fail with a [`SignalError`].
//! * The others fail with an [`io::Error`](std::io::Error), as those of tokio do.
//!
//! # Panics
//!
//! What would block panics in a runtime without I/O. A termination, and a wait that needs pauses, also panic
//! in one without time. Outside of a runtime they give an error.
//!
//! # Platform
//!
//! | On | What differs |
//! |---|---|
//! | Linux | the tests pass with musl and as 32-bit programs; on older kernels see `procession-process-transport` |
//! | without pidfds | a wait looks at the child after pauses of 1 to 50 ms ([`Child::has_pidfd`]) |
//! | macOS, FreeBSD, NetBSD | it compiles, and nobody has run it there. A child is forked |
//!
//! # Costs
//!
//! * A spawn and its wait take 88 system calls, 18 of them the parent's; `tokio::process` takes 166 and 38.
//!   The time does not grow with the memory or the descriptors of the program, as long as low numbers are free
//!   (`procession_process_transport::reserve_spawn_fds`).
//! * A child whose pipes are not used costs at most one `epoll_ctl(2)`.
//! * A read and a write that do not block are one system call each. A pipe grows to 1 MiB while much data
//!   passes, and an output is read 2.5 times as fast as tokio's.
//!
//! # Compared with `tokio::process`
//!
//! | there | here | what differs |
//! |---|---|---|
//! | `Command::new`, `arg`, `args`, `arg0`, `env`, `envs`, `env_remove`, `env_clear`, `current_dir` | the same | |
//! | `Command::stdin`, `stdout`, `stderr` | the same | they take [`Stdio`] and [`Fd`], and no `std::process::Stdio` |
//! | `Command::spawn` | [`spawn`](Command::spawn) | its error is [`SpawnError`], which `?` makes an `io::Error`; it needs no runtime; a number of 0 to 2 that the parent has closed is an error |
//! | `Command::status`, `output` | the same | their `io::Error` of a failed spawn has the kind and the number, as tokio's, and so no room for a text with the program: for that, use [`spawn`](Command::spawn), whose error names it |
//! | `Command::kill_on_drop` | [`kill_on_drop`](Command::kill_on_drop) | kills the whole group if the child leads one |
//! | `Command::uid`, `gid` | the same | the groups change with them; a failed look-up is an error, so with `uid` for a user that the database does not know, give `gid` as well |
//! | `Command::process_group` | the same | |
//! | `Command::pre_exec` | [`pre_exec`](Command::pre_exec) | the closure is `Fn` |
//! | `Command::as_std`, `as_std_mut`, `into_std`, `From<std::process::Command>`, `spawn_with` | none | [`AsRef`] gives procession's command |
//! | `Command::get_kill_on_drop` | none | |
//! | descriptors without close-on-exec | not inherited | the child has only what the command names: [`child_fd(n, Fd::inherit(fd))`](Command::child_fd) passes one on |
//! | signal mask and ignored signals | reset to the defaults | [`inherit_signals()`](Command::inherit_signals) keeps them |
//! | `Child::stdin`, `stdout`, `stderr` | the same | a terminal is in the first two |
//! | `Child::id`, `try_wait`, `start_kill`, `kill` | the same | a kill of an [owned](Command::owned) child is one of its group |
//! | `Child::wait`, `wait_with_output` | the same | they also close other inputs that were not taken; an unknown status is an error |
//! | the drop of a `Child` | [`Child`] | a task of the current runtime reaps the child |
//! | `ChildStdin`, `ChildStdout`, `ChildStderr` | the same | two types: [`ChildWriter`] and [`ChildReader`]; `shutdown` closes the child's input; no `AsFd` and no `from_std` |
//! | `ChildStdout::into_owned_fd`, `TryInto<Stdio>` | the same | |
//! | none | [`Child::take_reader`], [`Child::take_writer`] | streams of any number |
//! | none | [`Child::signal`], [`Child::signal_group`], [`Child::terminate`], [`Child::resize`], [`Child::reason`], [`Child::adopt`] | |
//! | none | [`Command::child_fd`], [`Command::pty`], [`Command::owned`], [`Command::rlimit`] and other options | those of [`procession_process_transport::Command`] |
//!
//! # What this crate does not do
//!
//! It runs no event loop, and no protocols, pipelines or helpers of one call: those need a reactor.
//! A dropped child is not terminated gently: it is killed, or runs on. It never sets a signal for
//! the death of the parent, because a worker of tokio may end before its program.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod child;
mod command;
mod ends;
mod exit_watch;
mod source;
mod stdio;
mod sys;

pub use child::{Child, ChildStderr, ChildStdin, ChildStdout};
pub use command::Command;
pub use ends::{ChildReader, ChildWriter};
pub use procession_core::Signal;
pub use procession_process_transport::{
    Fd, FileMode, Pty, Resource, Rlimit, SpawnError, Spawned, Step, TakeError,
    end_children_with_program,
};
pub use procession_protocol::{
    ChildFd, ExitReason, ExitReasonExt, SignalError, SpawnPath, Termination,
};
pub use stdio::Stdio;

/// Compiles the README's program as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

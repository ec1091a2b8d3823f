//! Child processes on an event loop.
//!
//! [`SpawnProcess::spawn_process`] starts a [`Command`] and gives everything that happens to the
//! child to a [`ProcessProtocol`](procession_protocol::ProcessProtocol): data from any of its
//! descriptors, their losses, its exit. The [`Process`](procession_protocol::Process) that it
//! returns, and that every callback is handed, writes, closes, pauses and signals.
//!
//! ```
//! use procession_core::{Deferred, Promise};
//! use procession_process_transport::{Command, SpawnProcess};
//! use procession_protocol::{ExitReason, Process, ProcessProtocol, ProcessTerminated};
//! use procession_reactor::Reactor;
//!
//! struct Upper {
//!     output: Vec<u8>,
//!     done: Promise<Vec<u8>, ProcessTerminated>,
//! }
//!
//! impl ProcessProtocol for Upper {
//!     fn connection_made(&mut self, process: &Process) {
//!         process.write("hello");
//!         process.close_stdin();
//!     }
//!
//!     fn out_received(&mut self, _: &Process, data: bytes::Bytes) {
//!         self.output.extend_from_slice(&data);
//!     }
//!
//!     fn process_ended(&mut self, _: &Process, reason: ExitReason) {
//!         self.done.complete(reason.map(|_| std::mem::take(&mut self.output)));
//!     }
//! }
//!
//! let mut reactor = Reactor::new()?;
//! let (done, output) = Deferred::new();
//! let tr = Command::new("tr").args(["a-z", "A-Z"]);
//! reactor.spawn_process(Upper { output: Vec::new(), done }, tr)?;
//! assert_eq!(reactor.block_on(output)?, b"HELLO");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What this crate does not do
//!
//! It runs no shell, parses no command lines, and keeps no children running: that is for what is
//! built on it. It reaps only children that it started, by pidfd, and installs no SIGCHLD handler
//! where pidfds exist.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod async_child;
mod command;
mod cstrings;
mod ends;
mod error;
pub mod fd_plan;
mod orphans;
mod panics;
mod pipeline;
mod platform;
mod prepare;
mod process;
mod route;
mod spawn;
mod sys;
mod terminal;

pub use async_child::{Child, ChildError, ChildOutput, OUTPUT_HIGH_BYTES};
pub use command::{Command, Fd, FileMode, Pty, Resource, Rlimit};
pub use error::{SpawnError, Step};
pub use pipeline::{Pipeline, RunningPipeline};
pub use spawn::{SpawnProcess, reserve_spawn_fds};

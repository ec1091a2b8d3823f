//! Child processes: a spawner that needs no loop, and the transport that puts its children on one.
//!
//! [`Command::spawn`] starts a child on any thread, with any descriptors, on a terminal if it is to
//! have one, and gives a [`Spawned`], whose verbs block:
//!
//! ```
//! use procession_process_transport::Command;
//! use std::{fs::File, io::Write};
//!
//! let mut tr = Command::new("tr").args(["a-z", "A-Z"]).spawn()?;
//! File::from(tr.take(0)?).write_all(b"hello")?;
//! assert_eq!(tr.output()?.stdout_utf8()?, "HELLO");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With the feature `reactor`, which is on by default, `SpawnProcess::spawn_process` starts a child
//! and gives everything that happens to it to a
//! [`ProcessProtocol`](procession_protocol::ProcessProtocol): data from any of its descriptors, their
//! losses, its exit. The [`Process`](procession_protocol::Process) that it returns, and that every
//! callback is handed, writes, closes, pauses and signals. `SpawnProcess::adopt` does the same with a
//! child that runs already.
//!
//! # What this crate does not do
//!
//! It runs no shell, parses no command lines, and keeps no children running: that is for what is
//! built on it. It reaps only children that it started, by pidfd, and installs no SIGCHLD handler
//! where pidfds exist, unless `ReapOrphans` asks for more.
//!
//! Without the feature `reactor` nothing of a loop is built: `cargo tree` shows neither
//! `procession-reactor` nor `polling`.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod adopted;
mod command;
mod error;
pub mod fd_plan;
mod group;
mod launch;
mod orphans;
mod own_children;
mod program_end;
mod sealed;
mod spawned;
mod sys;
mod terminal;
mod terminal_pair;
mod watchers;

#[cfg(feature = "reactor")]
mod adopt;
#[cfg(feature = "reactor")]
mod adopt_error;
#[cfg(feature = "reactor")]
mod async_child;
#[cfg(feature = "reactor")]
mod child;
#[cfg(feature = "reactor")]
mod fake_children;
#[cfg(feature = "reactor")]
mod orphan_watch;
#[cfg(feature = "reactor")]
mod pauses;
#[cfg(feature = "reactor")]
mod pipeline;
#[cfg(feature = "reactor")]
mod reap_orphans;
#[cfg(feature = "reactor")]
mod verbs;

#[cfg(feature = "reactor")]
pub use adopt_error::AdoptError;
#[cfg(feature = "reactor")]
pub use async_child::{Child, ChildError, ChildInput, ChildOutput, Lines};
pub use command::{Command, Fd, FileMode, Pty, Resource, Rlimit};
pub use error::{SpawnError, Step};
#[cfg(feature = "reactor")]
pub use fake_children::FakeChildren;
#[cfg(feature = "reactor")]
pub use pipeline::{Pipeline, RunningPipeline};
pub use program_end::{end_children_with_program, end_owned_groups};
#[cfg(feature = "reactor")]
pub use reap_orphans::ReapOrphans;
pub use spawned::{Output, Spawned, TakeError, reserve_spawn_fds};
pub use terminal::{OfTerminal, RawMode};
#[cfg(feature = "reactor")]
pub use verbs::SpawnProcess;

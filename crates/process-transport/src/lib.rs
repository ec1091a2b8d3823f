//! Child processes: a spawner that needs no loop, and a transport that runs its children on a loop.
//!
//! [`Command::spawn`] starts a child on any thread, with any descriptors, on a terminal if the command
//! has one. It returns a [`Spawned`], whose verbs block:
//!
//! ```
//! use procession::Command;
//! use std::{fs::File, io::Write};
//!
//! let mut tr = Command::new("tr").args(["a-z", "A-Z"]).spawn()?;
//! File::from(tr.take(0)?).write_all(b"hello")?;
//! assert_eq!(tr.output()?.stdout_utf8()?, "HELLO");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With the feature `reactor`, which is on by default, `SpawnProcess::spawn_process` starts a child
//! and reports its events to a [`ProcessProtocol`](procession_protocol::ProcessProtocol): data from
//! any of its descriptors, their losses, its exit. The call returns a
//! [`Process`](procession_protocol::Process), which every callback gets as well; its methods write,
//! close, pause and signal. `SpawnProcess::adopt` does the same with a child that already runs.
//!
//! # At a glance
//!
//! | To | Use |
//! |---|---|
//! | describe a child | [`Command`], [`Fd`], [`Pty`] |
//! | find its file | [`which`] |
//! | start it without a loop | [`Command::spawn`]: a [`Spawned`] |
//! | read all of its outputs | [`Spawned::output`] |
//! | wait for it | [`Spawned::wait`], [`Spawned::wait_timeout`], [`Spawned::try_wait`] |
//! | end it, and its group | [`Spawned::signal`], [`Spawned::terminate`] |
//! | start it on a loop | `SpawnProcess`: a protocol, an async `Child`, a `Pipeline` |
//! | keep all that it starts together | [`Scope`] |
//! | end children with the program | [`Command::owned`], [`end_children_with_program`] |
//! | test code that starts children | `FakeChildren` |
//!
//! # What this crate does not do
//!
//! It runs no shell, parses no command lines and does not restart children; build that on top.
//! It reaps only children that it started, by pidfd. It installs no SIGCHLD handler if pidfds exist.
//! `ReapOrphans` asks for more.
//!
//! Without the feature `reactor` no part of a loop is built: `cargo tree` shows neither
//! `procession-reactor` nor `polling`.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod adopted;
mod command;
mod elsewhere;
mod error;
mod fd_plan;
mod group;
mod launch;
mod listen_fds;
mod orphans;
mod own_children;
mod program_end;
mod scope;
mod sealed;
mod spawned;
mod sys;
mod terminal;
mod terminal_pair;
mod trace;
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
mod fake_verbs;
#[cfg(feature = "reactor")]
mod orphan_watch;
#[cfg(feature = "reactor")]
mod pauses;
#[cfg(feature = "reactor")]
mod pipeline;
#[cfg(feature = "reactor")]
mod reap_orphans;
#[cfg(feature = "reactor")]
mod recording;
#[cfg(feature = "reactor")]
mod soon;
#[cfg(feature = "reactor")]
mod verbs;

#[cfg(feature = "reactor")]
pub use adopt_error::AdoptError;
#[cfg(feature = "reactor")]
pub use async_child::{Child, ChildError, ChildInput, ChildOutput, Lines};
pub use command::{Command, Fd, FileMode, Pty, Resource, Rlimit};
pub use error::{SpawnError, Step};
#[cfg(feature = "reactor")]
pub use fake_children::{FakeChildren, FakeScript};
pub use launch::which;
pub use listen_fds::listen_fds;
#[cfg(feature = "reactor")]
pub use pipeline::{Pipeline, RunningPipeline};
pub use program_end::{end_children_with_program, end_owned_groups};
#[cfg(feature = "reactor")]
pub use reap_orphans::ReapOrphans;
pub use scope::{Scope, ScopeError, ScopeMechanism, ScopeTermination, ScopeUsage};
pub use spawned::{Output, Spawned, TakeError, reserve_spawn_fds};
pub use terminal::{OfTerminal, RawMode};
#[cfg(feature = "reactor")]
pub use verbs::SpawnProcess;

pub mod driver {
    //! For authors of loops and of blocking waits: what they need of a [`Command`](crate::Command) and
    //! of a [`Spawned`](crate::Spawned), beyond the blocking verbs.
    //!
    //! It is not part of what the version number promises: any release may change it.

    #[cfg(feature = "reactor")]
    pub use crate::async_child::ChunkSource;
    pub use crate::elsewhere::Elsewhere;
    pub use crate::spawned::{
        Attended, GrowingPipe, LoopCommand, LoopSpawned, Sink, Stopwatch, Terminating, Turn,
    };
    #[cfg(feature = "tracing")]
    pub use crate::trace::child_span;
}

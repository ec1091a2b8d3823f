//! Child processes: a spawner that needs no loop, and a transport that runs its children on a loop.
//!
//! [`Command::spawn`] starts a child on any thread, with any descriptors, on a terminal if the command
//! has one. It returns a [`Spawned`], whose verbs block. See the [example](#example).
//!
//! The feature `reactor`, which is on by default, adds the transport: a child's events are reported to a
//! [`ProcessProtocol`](procession_protocol::ProcessProtocol) on a loop. Without it, no part of a loop is
//! built: `cargo tree` shows neither `procession-reactor` nor `polling`.
//!
#![cfg_attr(
    feature = "reactor",
    doc = "[`SpawnProcess::spawn_process`] starts such a child. The protocol gets data from any of the child's
descriptors, their losses, and its exit. The call returns a [`Process`](procession_protocol::Process),
which every callback gets as well; its methods write, close, pause and signal. [`SpawnProcess::adopt`] does
the same with a child that already runs."
)]
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
//! | keep all that it starts together | [`Scope`] |
//! | end children with the program | [`Command::owned`], [`end_children_with_program`] |
#![cfg_attr(
    feature = "reactor",
    doc = "| start it on a loop, with a protocol | [`SpawnProcess::spawn_process`] |
| the same, without a stall of the loop | [`SpawnProcess::spawn_process_soon`] |
| start it for async code | [`SpawnProcess::spawn_child`]: a [`Child`] |
| connect several | [`Pipeline`], [`SpawnProcess::pipeline_output`] |
| reap children that others have left | [`ReapOrphans`] |
| test code that starts children | [`FakeChildren`] |"
)]
//!
//! # Example
//!
//! ```
//! use procession::Command;
//! use std::error::Error;
//! use std::{fs::File, io::Write};
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     let mut tr = Command::new("tr").args(["a-z", "A-Z"]).spawn()?;
//!     File::from(tr.take(0)?).write_all(b"hello")?;
//!     assert_eq!(tr.output()?.stdout_utf8()?, "HELLO");
//!     Ok(())
//! }
//! ```
//!
//! # Errors
//!
//! How a child ends is no error of a verb: it is an [`ExitReason`](procession_protocol::ExitReason).
//!
//! * [`SpawnError`] says which [`Step`] of a spawn failed, on what, and why. No child and no descriptor is left.
//! * [`TakeError`] says why a parent's end cannot be taken.
//! * [`SignalError`](procession_protocol::SignalError) says why a signal was not sent: the child has exited, it
//!   leads no group, or the kernel refuses.
//! * [`ScopeError`] says what a scope could not do, and why.
#![cfg_attr(
    feature = "reactor",
    doc = "* [`AdoptError`] says why a loop did not take a child, and gives the child back.
* [`ChildError`] says how an async child ended, or why a write to it failed."
)]
//!
//! # Panics
//!
//! No verb of a child panics by itself.
#![cfg_attr(
    feature = "reactor",
    doc = "A panic of `connection_made` unwinds out of `spawn_process`, and one of another callback out of the
loop; the child runs on without a protocol, and is reaped. A [`FakeChildren`] with a script panics in a
thread without a reactor."
)]
//!
//! # Platform
//!
//! | On | What differs |
//! |---|---|
//! | Linux 5.4 and later | supported. The tests pass on 5.10, 6.1, 6.12 and 7.2, also with musl and as 32-bit programs (x86; Arm compiles). x32 and other 32-bit processors are a compile error |
//! | before Linux 5.9 | there is no `close_range(2)`: a child copies the table of descriptors, and closes them one by one |
//! | before Linux 6.9 | a group is signalled by its number, so what a reaped child has left in its group does not end with the program |
//! | before Linux 6.11, 32-bit | a child copies the table of descriptors |
//! | before Linux 6.15 | the status of a child that other code has reaped is lost, and that is reported |
//! | without pidfds (a filter refuses them) | a loop watches exits by SIGCHLD, and a blocking verb looks every 5 ms |
//! | musl | [`reserve_spawn_fds`] cannot enlarge the table of descriptors |
//! | macOS, FreeBSD, NetBSD | it compiles, and nobody has run it there. A child is forked, and its exit watched by `kqueue(2)`. A [`Scope`] is process groups. [`Command::cpu_affinity`], [`Command::oom_score_adj`] and [`Command::parent_death_signal`] are errors. A termination of a group takes its whole grace |
//!
//! If a filter, a container or an old kernel refuses a call, the launch does without it, or gives a typed
//! error: `docs/launch-matrix.md` of the repository has each call.
//!
//! # Costs
//!
//! Counts do not depend on the machine, and tests hold their limits:
//!
//! * A spawn on a loop with three pipes, its end included, takes the parent at most 34 system calls, besides
//!   waits; the child's 62 `rt_sigaction` set its signals to their defaults. Together that is 103, where
//!   tokio takes 168.
//! * The time does not grow with the memory, the descriptors or the children of the program, as long as a
//!   low number is free: [`reserve_spawn_fds`] keeps some. The calling thread stands still until the exec,
//!   usually 50 to 350 µs.
//! * A child takes one descriptor for its pidfd, and one for each pipe. On a loop, a child with one pipe takes
//!   at most 600 bytes of memory, and at most 21 system calls of the parent from its start to its end. An exit
//!   costs one `waitid(2)`, however many children there are.
//! * An echo, a message to a child and its answer, takes three system calls, and 0.74 of tokio's
//!   instructions.
//! * A pipe starts with 64 KiB and grows to 1 MiB while much data passes (Linux; see
//!   [`Command::adaptive_pipes`]).
//!
//! # What this crate does not do
//!
//! It runs no shell, parses no command lines and does not restart children; build that on top.
//! It reaps only children that it started, by pidfd. It installs no SIGCHLD handler if pidfds exist.
//!
//! # References
//!
//! [clone(2)](https://man7.org/linux/man-pages/man2/clone.2.html),
//! [pidfd_open(2)](https://man7.org/linux/man-pages/man2/pidfd_open.2.html),
//! [close_range(2)](https://man7.org/linux/man-pages/man2/close_range.2.html),
//! [waitid(2)](https://man7.org/linux/man-pages/man2/waitid.2.html),
//! [pty(7)](https://man7.org/linux/man-pages/man7/pty.7.html),
//! [cgroups(7)](https://man7.org/linux/man-pages/man7/cgroups.7.html).

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

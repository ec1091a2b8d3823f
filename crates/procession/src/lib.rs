//! Child processes on an event loop: with any descriptors, on terminals, in process groups. Callbacks
//! report the events of a child in a guaranteed order.
//!
//! Run a program and get its output:
//!
//! ```
//! use procession::{Reactor, Run};
//! use std::error::Error;
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     let mut reactor = Reactor::new()?;
//!     let date = reactor.block_on(Run::new("date").arg("+%Y").check())?;
//!     println!("it is {}", date.stdout_utf8()?.trim());
//!     Ok(())
//! }
//! ```
//!
//! Receive every event of a child as it happens:
//!
//! ```
//! use procession::prelude::*;
//!
//! struct Echo;
//!
//! impl ProcessProtocol for Echo {
//!     fn connection_made(&mut self, process: &Process) {
//!         process.write("hello\n");
//!         process.close_stdin();
//!     }
//!
//!     fn out_received(&mut self, _: &Process, data: Bytes) {
//!         assert_eq!(data, "hello\n");
//!     }
//!
//!     fn process_ended(&mut self, _: &Process, reason: ExitReason) {
//!         assert!(reason.is_ok());
//!         Handle::current().stop();
//!     }
//! }
//!
//! fn main() -> Result<Stopped, Box<dyn std::error::Error>> {
//!     let mut reactor = Reactor::new()?;
//!     reactor.spawn_process(Echo, Command::new("cat"))?;
//!     Ok(reactor.run()?) // on Ctrl-C the program dies by SIGINT
//! }
//! ```
//!
//! On tokio, smol or another executor, and on threads that block, a [`Background`] runs the loop on a
//! thread of its own:
//!
//! ```
//! use procession::{Background, Run};
//! use std::error::Error;
//! use std::time::Duration;
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     let children = Background::start()?; // `Send`, `Sync` and `Clone`: one for the whole program
//!     let upload = b"picture".to_vec();
//!     let convert = Run::new("cat").arg("-").stdin(upload).timeout(Duration::from_secs(5)).check();
//!     let thumbnail = children.run(convert).wait()?; // or `.await`, on any executor
//!     assert_eq!(thumbnail.stdout, "picture");
//!     Ok(())
//! }
//! ```
//!
//! The [`guide`] has more programs, and pages on [other executors](guide::any_executor),
//! [conversations](guide::conversations), [dialogues](guide::dialogues), [failures](guide::failures),
//! [lifetimes](guide::lifetimes), [terminals](guide::terminals), [services](guide::services),
//! [PID 1](guide::pid_1), and [Twisted's names](guide::porting). The [`prelude`] has the names that its first programs use.
//!
//! # Overview
//!
//! **Helpers of one call**: [`Run`] with its [`Outcome`], on a loop or
//! [blocking](Run::output_blocking), [`run_all()`], and Twisted's
//! [`get_process_output`] and its relatives. [`Keep`] says which part of an output is kept, [`Stdin`]
//! what the program reads.
//!
//! **Commands**: [`Command`], its descriptors ([`Fd`]) and its terminal ([`Pty`]); [`which`].
//!
//! **Children without a loop**: [`Command::spawn`] returns a [`Spawned`], whose verbs block.
//!
//! **Children on a loop**: [`SpawnProcess`] starts a child with a [`ProcessProtocol`], which acts through
//! a [`Process`], or as a [`Child`] for async code. [`Pipeline`] connects several children.
//!
//! **Dialogues**: [`StartDialogue`] starts a program that is talked to as a [`Dialogue`], by
//! [`Pattern`]s that are waited for.
//!
//! **Any executor**: [`Background`], its [`BackgroundChild`], and [`InBackground`], the result that any
//! executor awaits and any thread waits for.
//!
//! **Children on tokio**: the module `tokio`, with the feature of that name. `use procession::*` would
//! hide the crate tokio behind it, so import the names that you need, or the [`prelude`].
//!
//! **The end of children**: [`ExitReason`], [`Termination`], [`end_children_with_program`],
//! [`ReapOrphans`].
//!
//! **Connections**: [`NetTransports`] for TCP and Unix streams, [`Protocol`] and [`Transport`].
//!
//! **Bytes**: [`LineReceiver`] cuts the bytes of a child or a connection into lines, [`FrameReceiver`]
//! into frames of each [`Framing`]; [`Utf8Chunks`] makes text of them.
//!
//! **Terminals**: [`OfTerminal`], [`RawMode`], [`Termios`], [`WindowSize`].
//!
//! **The loop**: [`Reactor`] waits, [`Handle`] does everything else, [`Remote`] passes calls from other
//! threads. [`Deferred`] and [`Promise`] carry a result that arrives later.
//!
//! **Tests**: [`FakeChildren`], [`FakeProcess`], [`FakeConnection`] and [`FakeClock`].
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `reactor` (default, needed by `net`) | [`Reactor`], [`Handle`], [`run_main`] and the other types of a loop; [`SpawnProcess`], [`Child`], [`Pipeline`], [`ReapOrphans`], [`FakeChildren`] |
//! | `run` (default) | [`Run`] with [`Run::output_blocking`], and the types of its arguments and results |
//! | `run` and `reactor` | runs on a loop: [`Run::start`], [`run_all()`], [`Background`] with its types, [`Dialogue`], [`Monitor`], the `get_process_…` functions |
//! | `regex` | `line` and `Pattern::regex`: regular expressions in dialogues |
//! | `net` (default) | [`NetTransports`], [`Destination`], [`Listener`], [`ConnectError`], [`ListenError`] |
//! | `tokio` | the module `tokio`: a `Command` and a `Child` for programs on tokio, without a reactor |
//! | `tracing` | a span of the crate `tracing` for each child: program, process id, path; its start, signals and end, time limits, further attempts; no arguments, variables or data |
//! | `net` and `run` together | the [`guide`], whose programs use both |
//!
//! Without any feature the crate has commands, [`Spawned`] children, values and protocols.
//!
//! # Errors
//!
//! How a child ends is no error of a verb: it is an [`ExitReason`]. Each error prints what failed, on what,
//! and why, and converts to [`std::io::Error`]. [`guide::failures`] shows what to do with them.
//!
//! * A child that does not start: [`SpawnError`] has the step, the object and the reason. Nothing is left behind.
//! * A run: [`OutputError`]; many runs: [`RunAllError`]; a launcher: [`LaunchError`].
//! * A verb of a child or a connection: [`SignalError`], [`WriteError`], [`ForwardError`], [`ProducerError`],
//!   [`TakeError`], [`AdoptError`]; of an async child: [`ChildError`]; of a scope: [`ScopeError`].
//! * A connection: [`ConnectError`]; a listener: [`ListenError`]; a frame: [`FrameError`].
//! * A dialogue: [`DialogueError`]; programs that are kept running: [`MonitorError`], [`ReadyError`]; a loop on a
//!   thread of its own: [`BackgroundError`].
//! * A [`Deferred`] fails with [`Failed`]: an error of its producer, a cancellation, a timeout, or a promise that
//!   was dropped.
//!
//! # Panics
//!
//! What needs a loop panics in a thread that has none: [`Handle::current`], and the helpers that start by it. A
//! wait for a loop panics on the thread of that loop. A panic of a callback unwinds out of `run` when
//! everything is consistent again: the protocol is dropped, its child runs on and is reaped, and `run` may be
//! called again. No other verb panics, unless its page says so.
//!
//! # Platform
//!
//! | On | State |
//! |---|---|
//! | Linux 5.4 and later | supported: developed on x86-64 with glibc. The tests pass on 5.10, 6.1, 6.12, 6.18 and 7.2, on 7.2 on aarch64, with musl, and as 32-bit programs on x86 |
//! | Linux on armv7 | it compiles |
//! | macOS, FreeBSD, NetBSD | it compiles, and nobody has run it there. Children are forked, scopes are process groups, and the options of [`Command`] that only Linux has are errors |
//!
//! Each part that differs has a section *Platform*. An older kernel, or a filter, that refuses a call gets a
//! slower way or a typed error: before Linux 5.9 a child copies the table of descriptors, before 6.9 what a
//! reaped child has left in its group does not end with the program, before 6.15 the status of a child that
//! other code has reaped is lost.
//!
//! # Costs
//!
//! Counts do not depend on the machine, and tests hold their limits:
//!
//! | Of | Costs |
//! |---|---|
//! | a spawn | at most 34 system calls of the parent, for three pipes and with the child's end. It does not grow with the memory, the descriptors or the children of the program (see [`reserve_spawn_fds`]) |
//! | its thread | stands still until the exec, usually 50 to 350 µs; [`spawn_process_soon`](SpawnProcess::spawn_process_soon) avoids that |
//! | a child with one pipe | two descriptors, and at most 600 bytes of memory |
//! | a message to a child and its answer | three system calls, and 0.74 of tokio's instructions |
//! | a turn of the loop | one system call; with nothing to do, none |
//! | a run | 35 system calls of its parent, besides waits; no thread |
//!
//! [`guide`] and the pages of the items have the limits of memory and of time.
//!
//! # What this crate does not do
//!
//! It is not a shell: it does not split command lines or expand globs. It does not sandbox
//! its children. It does not run on Windows.

// Pages link to items of every feature.
#![cfg_attr(
    all(doc, not(all(feature = "net", feature = "run"))),
    allow(rustdoc::broken_intra_doc_links, reason = "some of them are not there")
)]
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

#[cfg(all(feature = "net", feature = "run"))]
pub mod guide;
pub mod prelude;

#[doc(inline)]
pub use bytes::{Bytes, BytesMut};
#[doc(inline)]
pub use procession_core::{
    AlreadyCompleted, Clock, Deferred, Failed, FakeClock, IntoBytes, IntoDeferred, Mark, NoError,
    ParseSignalError, Promise, Signal, Timer, WriteError, first_of, gather, gather_all,
    set_unhandled_error_hook,
};
#[cfg(feature = "net")]
#[doc(inline)]
pub use procession_net_transport::{
    ConnectError, Destination, ListenError, Listener, NetTransports,
};
#[cfg(feature = "reactor")]
#[doc(inline)]
pub use procession_process_transport::{
    AdoptError, Child, ChildError, ChildInput, ChildOutput, FakeChildren, FakeScript, Lines,
    Pipeline, ReapOrphans, RunningPipeline, SpawnProcess,
};
#[doc(inline)]
pub use procession_process_transport::{
    Command, Fd, FileMode, OfTerminal, Output, Pty, RawMode, Resource, Rlimit, Scope, ScopeError,
    ScopeMechanism, ScopeTermination, ScopeUsage, SpawnError, Spawned, Step, TakeError,
    end_children_with_program, end_owned_groups, listen_fds, reserve_spawn_fds, which,
};
#[doc(inline)]
pub use procession_protocol::{
    Address, ChildFd, ConnectionEvent, Event, ExitReason, ExitReasonExt, Factory, FakeConnection,
    FakeFd, FakeProcess, ForwardError, FrameError, FrameErrorKind, FrameReceiver, Framing,
    KeptStderr, Line, LineReceiver, Pace, Process, ProcessDone, ProcessProtocol, ProcessTerminated,
    Producer, ProducerError, ProducerErrorKind, Protocol, ReadProducer, ResourceUsage, SignalError,
    SpawnPath, StreamAdapter, Target, Termination, Termios, Transport, UnknownEnd, Utf8Chunks,
    WindowSize,
};
#[cfg(feature = "reactor")]
#[doc(inline)]
pub use procession_reactor::{
    DelayedCall, Handle, Interest, JoinHandle, NotRunning, Phase, Reactor, Readiness, Registered,
    Registration, Remote, SignalWatch, Stopped, SystemEvent, TimerError, Trigger, TriggerResult,
    run_main,
};
#[cfg(feature = "tokio")]
#[doc(inline)]
pub use procession_tokio as tokio;
#[cfg(feature = "regex")]
#[doc(inline)]
pub use procession_utils::line;
#[cfg(all(feature = "run", feature = "reactor"))]
#[doc(inline)]
pub use procession_utils::{
    Background, BackgroundChild, BackgroundError, BackgroundInput, BackgroundOutput, Dialogue,
    DialogueError, Expect, Found, Host, HostProgress, HostState, Hosts, InBackground, Monitor,
    MonitorChange, MonitorError, MonitorEvent, MonitorEvents, MonitorTable, Pattern, Policy,
    ProgramRow, ProgramState, Ready, ReadyError, ReadyProgram, RunningMonitor, StartDialogue,
};
#[cfg(feature = "run")]
#[doc(inline)]
pub use procession_utils::{
    Ended, Gap, Keep, LaunchError, Launcher, Outcome, OutputError, OutputLine, Partial, Run, Srun,
    Ssh, Stdin, Stream,
};
#[cfg(all(feature = "run", feature = "reactor"))]
#[doc(inline)]
pub use procession_utils::{
    Places, Progress, RunAll, RunAllError, RunLines, get_process_output,
    get_process_output_and_value, get_process_output_merged, get_process_value, run_all,
};

pub mod driver {
    //! The inner parts of the layers, for authors of transports.
    //!
    //! The version number promises nothing about this module: any release may change it.

    #[doc(inline)]
    pub use procession_core::driver as core;
    #[doc(inline)]
    pub use procession_process_transport::driver as process_transport;
    #[doc(inline)]
    pub use procession_protocol::driver as protocol;
    #[cfg(feature = "reactor")]
    #[doc(inline)]
    pub use procession_reactor::driver as reactor;
}

/// Compiles the programs of the workspace's README as doctests.
#[cfg(all(doctest, feature = "net", feature = "run"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// Compiles the programs of this package's README as doctests.
#[cfg(all(doctest, feature = "net", feature = "run"))]
#[doc = include_str!("../README.md")]
struct PackageReadme;

//! Run a program and get its output: one call, safe by default.
//!
//! [`Run`] starts a program, writes its standard input, reads both outputs to their end within
//! limits, waits for its exit, and gives one [`Outcome`] or one [`OutputError`].
//! [`get_process_output`], [`get_process_output_merged`], [`get_process_value`] and
//! [`get_process_output_and_value`] are Twisted's helpers, built on [`Run`]. [`run_all()`] runs
//! many programs with a limit on how many run at once.
//!
//! [`Run::on`] runs a program on another machine, by [`Ssh`] or [`Srun`], and [`run_all()`] sends programs to the
//! slots of [`Hosts`]. A [`Launcher`] of your own takes them elsewhere.
//!
//! [`Run::output_blocking`] runs the program in the thread that calls, without a loop and without
//! another thread.
//!
//! On a loop every helper starts its program at once, on the thread's current reactor, and gives a
//! [`Deferred`](procession_core::Deferred). You can await it, pass it to `block_on`, or continue it
//! with callbacks. Dropping it, cancelling it, and a timeout terminate the child: its process group
//! gets TERM, and KILL after a grace of two seconds. This happens in the background, and the child
//! is reaped. If the reactor stops before the program has ended, the result is the error
//! [`OutputError::Stopped`].
//!
//! [`Dialogue`] talks to a program: it waits for what the program prints, and answers.
//!
//! [`Background`] runs a reactor on a thread of its own, for programs on another executor or without
//! any.
//!
//! The feature `regex` adds regular expressions to dialogues. The feature `reactor`, which is on by
//! default, adds everything that runs on a loop. Without it,
//! [`Run`] blocks, and `cargo tree` shows neither `procession-reactor` nor `polling`.
//!
//! # At a glance
//!
//! | To | Use |
//! |---|---|
//! | run a program to its end | [`Run`], [`Run::output_blocking`] |
//! | bound its output, its time, its tries | [`Run::keep`], [`Run::timeout`], [`Run::retry`] |
//! | follow its lines | [`Run::for_each_line`], `Run::lines` |
//! | run many | `run_all` |
//! | talk to a program | `Dialogue` |
//! | keep programs running | `Monitor`, `Ready` |
//! | run on any executor, or from threads | `Background` |
//!
//! # What this crate does not do
//!
//! This crate parses no command lines, builds no pipelines, and runs no shell but to launch programs elsewhere. It does not keep
//! children running and gives their events to no protocol: implement `ProcessProtocol` for that.
//!
//! # Examples
//!
//! ```no_run
//! // Not run: it needs git, and a repository.
//! # use procession::Run;
//! # use std::time::Duration;
//! let log = Run::new("git").args(["log", "-1", "--format=%H"]).timeout(Duration::from_secs(5)).check();
//! println!("{}", log.output_blocking()?.stdout_utf8()?.trim());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Printed with `{}`, the error has all that a log needs:
//!
//! ```
//! use procession::Run;
//!
//! let git = Run::new("sh").args(["-c", "echo fatal: no repository >&2; exit 128"]);
//! let error = git.check().output_blocking().unwrap_err().to_string();
//! assert!(error.starts_with("sh -c 'echo fatal: no repository >&2; exit 128' exited with status 128 after 0."));
//! assert!(error.ends_with(" s: fatal: no repository"));
//! ```

// Pages link to items of the feature.
#![cfg_attr(
    all(doc, not(feature = "reactor")),
    allow(rustdoc::broken_intra_doc_links, reason = "some of them are not there")
)]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![forbid(unsafe_code)]

mod blocking;
mod ended;
mod error;
mod feed;
mod gap;
mod keep;
mod launcher;
mod lines;
mod message;
mod outcome;
mod random;
mod rest;
mod rules;
mod run;
mod run_setup;
#[cfg_attr(
    not(feature = "reactor"),
    expect(dead_code, reason = "some facts come from a loop alone")
)]
mod run_state;
mod srun;
mod ssh;
mod stdin;
mod streams;
mod terminal_wanted;
mod trace;

#[cfg(feature = "reactor")]
mod background;
#[cfg(feature = "reactor")]
mod collector;
#[cfg(feature = "reactor")]
mod deadline_timer;
#[cfg(feature = "reactor")]
mod dialogue;
#[cfg(feature = "reactor")]
mod ended_on_loop;
#[cfg(feature = "reactor")]
mod hosts;
#[cfg(feature = "reactor")]
mod job;
#[cfg(feature = "reactor")]
mod listening;
#[cfg(feature = "reactor")]
mod monitor;
#[cfg(feature = "reactor")]
mod named;
#[cfg(feature = "reactor")]
mod reading;
#[cfg(feature = "reactor")]
mod ready;
#[cfg(feature = "reactor")]
mod run_all;
#[cfg(feature = "reactor")]
mod tail;

#[cfg(feature = "reactor")]
pub use background::{
    Background, BackgroundChild, BackgroundError, BackgroundInput, BackgroundOutput, InBackground,
};
#[cfg(feature = "regex")]
pub use dialogue::line;
#[cfg(feature = "reactor")]
pub use dialogue::{Dialogue, DialogueError, Expect, Found, Pattern, StartDialogue};
pub use ended::Ended;
pub use error::OutputError;
pub use gap::Gap;
#[cfg(feature = "reactor")]
pub use hosts::{Host, HostProgress, HostState, Hosts};
pub use keep::Keep;
pub use launcher::{LaunchError, Launcher};
pub use lines::{OutputLine, Stream};
#[cfg(feature = "reactor")]
pub use monitor::{
    Monitor, MonitorChange, MonitorError, MonitorEvent, MonitorEvents, MonitorTable, Policy,
    ProgramRow, ProgramState, RunningMonitor,
};
#[cfg(feature = "reactor")]
pub use named::{
    get_process_output, get_process_output_and_value, get_process_output_merged, get_process_value,
};
pub use outcome::{Outcome, Partial};
#[cfg(feature = "reactor")]
pub use ready::{Ready, ReadyError, ReadyProgram};
pub use run::Run;
#[cfg(feature = "reactor")]
pub use run::RunLines;
#[cfg(feature = "reactor")]
pub use run_all::{Places, Progress, RunAll, RunAllError, run_all};
pub use srun::Srun;
pub use ssh::Ssh;
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
#[cfg(all(doctest, feature = "reactor"))]
struct UnusedResults;

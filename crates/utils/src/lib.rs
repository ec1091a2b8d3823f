//! Run a program and get its output: one call, safe by default.
//!
//! [`Run`] starts a program, writes its standard input, reads both outputs to their end within
//! limits, waits for its exit, and gives one [`Outcome`] or one [`OutputError`].
//! [`Run::output_blocking`] does that in the thread that calls, without a loop and without another
//! thread. [`Run::on`] runs the program on another machine, by [`Ssh`], [`Srun`] or a [`Launcher`] of your own.
//!
#![cfg_attr(
    feature = "reactor",
    doc = "On a loop every helper starts its program at once, on the thread's current reactor, and gives a
[`Deferred`](procession_core::Deferred). You can await it, pass it to `block_on`, or continue it
with callbacks. Dropping it, cancelling it, and a timeout terminate the child: its process group
gets TERM, and KILL after a grace of two seconds. This happens in the background, and the child
is reaped. If the reactor stops before the program has ended, the result is the error
[`OutputError::Stopped`]. [`Background`] runs a reactor on a thread of its own, for programs on another
executor or without any."
)]
//!
//! The feature `reactor`, which is on by default, adds everything that runs on a loop. Without it,
//! `cargo tree` shows neither `procession-reactor` nor `polling`. The feature `regex` adds regular
//! expressions to dialogues.
//!
//! # At a glance
//!
//! | To | Use |
//! |---|---|
//! | run a program to its end | [`Run`], [`Run::output_blocking`] |
//! | bound its output, its time, its tries | [`Run::keep`], [`Run::timeout`], [`Run::retry`] |
//! | give it input | [`Stdin`] |
//! | follow its lines | [`Run::for_each_line`] |
//! | run it elsewhere | [`Run::on`] with [`Ssh`], [`Srun`] or a [`Launcher`] |
#![cfg_attr(
    feature = "reactor",
    doc = "| follow its lines as a stream | [`Run::lines`] |
| run many | [`run_all()`], on the slots of [`Hosts`] too |
| use Twisted's names | [`get_process_output`], [`get_process_output_merged`], [`get_process_value`], [`get_process_output_and_value`] |
| talk to a program | [`Dialogue`] |
| keep programs running | [`Monitor`], [`Ready`] |
| run on any executor, or from threads | [`Background`] |"
)]
//!
//! # Example
//!
//! Printed with `{}`, an error has all that a log needs:
//!
//! ```
//! use procession::Run;
//! use std::error::Error;
//! use std::time::Duration;
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     let date = Run::new("date").arg("+%Y").timeout(Duration::from_secs(5)).check();
//!     println!("it is {}", date.output_blocking()?.stdout_utf8()?.trim());
//!
//!     let git = Run::new("sh").args(["-c", "echo fatal: no repository >&2; exit 128"]).check();
//!     let error = git.output_blocking().unwrap_err().to_string();
//!     let command = "sh -c 'echo fatal: no repository >&2; exit 128'";
//!     assert!(error.starts_with(&format!("{command} exited with status 128 after 0.")));
//!     assert!(error.ends_with(" s: fatal: no repository"));
//!     Ok(())
//! }
//! ```
//!
//! # Errors
//!
//! An error prints the command, the reason, and the end of what the program wrote. An exit status other than 0 is
//! an error only after [`Run::check`].
//!
//! * [`OutputError`]: the program did not start, was too slow, wrote too much, or ended badly. The error has the
//!   [output](OutputError::stdout) so far.
//! * [`LaunchError`]: a launcher cannot carry the command.
#![cfg_attr(
    feature = "reactor",
    doc = "* [`RunAllError`]: the first error of many runs, and which run it was.
* [`DialogueError`]: a step of a dialogue failed. It ends with the last lines of the transcript.
* [`MonitorError`]: a program cannot be kept running, or has failed for good.
* [`ReadyError`]: a program did not become ready.
* [`BackgroundError`]: the loop on a thread of its own has stopped."
)]
//!
//! # Panics
//!
//! A blocking run does not panic, unless its callback does.
#![cfg_attr(
    feature = "reactor",
    doc = "What starts on a loop panics in a thread without a reactor. [`InBackground::wait`] panics on the
background's own thread, and [`Ended::wait`] on that of the program's loop: they would wait for themselves. A
panic of a callback unwinds out of the loop, or out of the blocking run; the program's group is terminated."
)]
//!
//! # Platform
//!
//! | On | What differs |
//! |---|---|
//! | Linux | the kernel kills the child if this program is killed or crashes (`PR_SET_PDEATHSIG` in `prctl(2)`). The tests pass on 5.10, 6.1, 6.12 and 7.2, with musl, and as 32-bit programs |
//! | macOS, FreeBSD, NetBSD | it compiles, and nobody has run it there. A child outlives a crash of this program. The living processes of a group are not seen, so a timeout takes its whole grace. `Ready::notify` is an error |
//!
//! # Costs
//!
//! * Of each output the first 64 MiB are kept ([`Run::keep`]); the rest is read and counted. A line is cut at
//!   64 KiB.
//! * After the exit, a descendant may hold the outputs for half a second. A group has two seconds between
//!   TERM and KILL. Both can be set.
//! * A run takes its parent 35 system calls besides its waits. It starts no thread.
#![cfg_attr(
    feature = "reactor",
    doc = "* A [`Background`] is one thread; two more start while several runs wait to start. A run there takes two
wake-ups of a thread. Output of a child there that nobody takes stops the child, at 1.5 MiB in memory.
* A [`Dialogue`] holds at most 1 MiB for a wait, and 64 KiB of transcript. A wait looks at each byte once."
)]
//!
//! # What this crate does not do
//!
//! This crate parses no command lines, builds no pipelines, and runs no shell but to launch programs elsewhere.
//! It gives the events of a child to no protocol: implement `ProcessProtocol` for that.

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

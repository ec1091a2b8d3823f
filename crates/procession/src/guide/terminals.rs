//! Programs that read the terminal, Ctrl-C and Ctrl-Z.
//!
//! # Which children have the program's terminal
//!
//! | child | reads `/dev/tty` | Ctrl-C and Ctrl-Z |
//! |---|---|---|
//! | of [`Run`], [`run_all`](crate::run_all) and the named helpers | fails with `ENXIO` at once: the child leads a session, which has no terminal | passed on by [`run`](crate::Reactor::run), `run_until` and `run_main` |
//! | the same with [`foreground`](crate::Run::foreground) | as the program itself | reach it directly |
//! | `owned(true)` or `process_group(0)` | is stopped: it is in the background | passed on, if it is owned |
//! | any other of `spawn_process`, of `spawn_child`, of a pipeline | as the program itself | reach it directly |
//! | `new_session()` | fails with `ENXIO` at once | passed on, if it is owned |
//! | with a terminal of its own, `pty(…)` | reads that terminal | reach it if typed there |
//!
//! git, ssh and sudo ask for passwords on `/dev/tty`. Under a helper they fail at once with a message.
//! The helper's error names the call that lets them ask:
//!
//! ```
//! use procession::prelude::*;
//! # fn main() -> std::io::Result<()> {
//! # let mut reactor = Reactor::new()?;
//! # let git = || Command::new("sh").args(["-c", "echo \"fatal: could not read Username for 'https://example.org': No such device or address\" >&2; exit 128"]);
//! # #[cfg(any())]
//! let git = || Command::new("git").args(["clone", "https://example.org/private"]);
//!
//! let error = reactor.block_on(Run::from(git()).check()).unwrap_err();
//! assert!(error.to_string().ends_with("(it asked for a terminal: foreground() lets it use the parent's)"));
//!
//! let asks = Run::from(git()).foreground();     // it asks on the program's terminal
//! # drop(asks);
//! # Ok(())
//! # }
//! ```
//!
//! The kernel stops a child in the background that reads the terminal, and nobody continues it. If the
//! helper has a timeout, its error shows this: `timed out after 5.00 s, stopped by SIGTTIN`. Without a
//! timeout, [`Process::stopped_by`](crate::Process::stopped_by) returns the signal.
//!
//! If the command of a helper sets `process_group` or `new_session`, or has a terminal, that setting
//! replaces the helper's session. With `nice` the child leads a group in the program's session instead of
//! a session: each session has a scheduling group of its own (autogroups in `sched(7)`), and a nice value
//! counts only within one.
//!
//! # A helper's program on a terminal of its own
//!
//! A terminal serves the child's descriptors 0, 1 and 2, which a helper otherwise sets itself.
//! `Stdin::as_in_command()` makes `Run` leave the standard input to the terminal. The whole output is then
//! in `stdout`, with the line ends of the terminal.
//!
//! A command with a terminal is an error with `merge_stderr`, in a `get_process_…` helper, and as a stage
//! of a pipeline. The error names an alternative. Instead of a stage, spawn the program by itself and
//! [`forward`](crate::Process::forward) its output.
//!
//! # A line of more than 4,095 bytes
//!
//! A terminal starts in canonical mode, in which the child reads whole lines. The kernel keeps the first
//! 4,095 bytes of a line and its line feed. It discards the bytes between them, without an error. So a
//! long line that `process.write` sends to a child with [`pty`](crate::Command::pty) arrives cut.
//! To send long lines, a paste or data, use a pipe and no terminal, or take the terminal out of canonical
//! mode:
//!
//! ```
//! use procession::prelude::*;
//!
//! struct Paste;
//!
//! impl ProcessProtocol for Paste {
//!     fn connection_made(&mut self, process: &Process) {
//!         if let Ok(mut settings) = process.termios() {
//!             settings.set_canonical(false);
//!             process.set_termios(&settings).ok();
//!         }
//!     }
//! }
//! ```
//!
//! Outside of canonical mode the end-of-file character is an ordinary byte: only a hang-up ends the
//! input.
//!
//! # Effects of a session of its own
//!
//! A helper's child leads a session. Therefore it
//!
//! - cannot use the ticket that sudo keeps for a terminal and its session, and fails a sudoers rule with
//!   `requiretty`: with `.command(|command| command.process_group(0))` both work, and `foreground()` also
//!   lets sudo ask;
//! - cannot write to `/dev/tty`, nor read the terminal's size from it;
//! - may get a controlling terminal: if it opens a terminal that belongs to no session (a serial line)
//!   without `O_NOCTTY`. A Ctrl-C that is typed there then ends it.
//!
//! # Ctrl-Z
//!
//! The terminal stops its foreground group, but not the groups that the program owns. So a run in the
//! main thread handles SIGTSTP if that would stop the program. It stops the groups that
//! [end with the program](crate::Command::owned), then the program itself, as the shell expects.
//! When the shell continues the program (`fg`), the program continues those groups. In between, the
//! clocks of all reactors stand still, and with them all timers and time limits.
//!
//! - A group whose leader was already stopped by somebody else stays stopped.
//! - The kernel does not stop a program that nobody would continue, because its parent is in another
//!   session.
//! - While the program [watches](crate::Handle::on_signal) SIGTSTP, nothing is stopped: the watch
//!   decides. A run does not handle SIGTSTP `without_signals`, in a thread other than the main one, in
//!   PID 1, or if the signal is ignored or has another handler.
//! - A program cannot handle SIGSTOP; nor does a run handle the stop of a program that reads the terminal
//!   in the background. After these stops the groups run on, and so do time limits. The same applies
//!   under `block_on` and `turn`.
//! - If the program is killed while it is stopped, some processes stay stopped: the members of a helper's
//!   group, whose leader dies with the program, and every group in a session of its own.
//!
//! # References
//!
//! [termios(3)](https://man7.org/linux/man-pages/man3/termios.3.html),
//! [credentials(7)](https://man7.org/linux/man-pages/man7/credentials.7.html) for sessions and groups,
//! [sched(7)](https://man7.org/linux/man-pages/man7/sched.7.html).
//!
//! [`Run`]: crate::Run

//! Programs that ask a terminal, Ctrl-C and Ctrl-Z.
//!
//! # Who has the program's terminal
//!
//! | child | reads `/dev/tty` | Ctrl-C and Ctrl-Z |
//! |---|---|---|
//! | of [`Run`], [`run_all`](crate::run_all) and the named helpers | `ENXIO` at once: it leads a session, which has no terminal | passed on by [`run`](crate::Reactor::run), `run_until` and `run_main` |
//! | the same with [`foreground`](crate::Run::foreground) | as the program itself | reach it directly |
//! | `owned(true)` or `process_group(0)` | is stopped: it is in the background | passed on, if it is owned |
//! | another of `spawn_process`, `spawn_child`, of a pipeline | as the program itself | reach it directly |
//! | `new_session()` | `ENXIO` at once | passed on, if it is owned |
//! | with a terminal of its own, `pty(…)` | that terminal | what is typed there |
//!
//! git, ssh and sudo ask for passwords on `/dev/tty`. Under a helper they fail at once, and say so. The
//! error names the call that lets them ask:
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
//! A child in the background that reads the terminal is stopped until somebody continues it, and nobody
//! does. With a timeout the error says so: `timed out after 5.00 s, stopped by SIGTTIN`. Without one,
//! [`Process::stopped_by`](crate::Process::stopped_by) returns the signal.
//!
//! If the command of a helper says `process_group` or `new_session`, or has a terminal, that counts
//! instead of the helper's session. With `nice` the child leads a group in the program's session: a session
//! has a scheduling group of its own (autogroups in `sched(7)`), and a nice value counts only within it.
//!
//! # A helper's program on a terminal of its own
//!
//! A terminal is the child's 0, 1 and 2, and a helper has its own idea of these. `Run` leaves its standard
//! input to the terminal if told so; the output is then all in `stdout`, with the terminal's line ends:
//!
//! ```
//! use procession::prelude::*;
//! use procession::Stdin;
//! use std::error::Error;
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let mut reactor = Reactor::new()?;
//!
//! let ls = Command::new("sh").args(["-c", "test -t 1 && echo colours"]).pty(Pty::new());
//! let outcome = reactor.block_on(Run::from(ls).stdin(Stdin::as_in_command()).check())?;
//! assert_eq!(outcome.stdout, "colours\r\n");
//! # Ok(())
//! # }
//! ```
//!
//! With `merge_stderr`, in a `get_process_…` helper and as a stage of a pipeline a command with a terminal
//! is an error, which names what to do instead. Instead of a stage, spawn the program by itself and
//! [`forward`](crate::Process::forward) its output.
//!
//! # A line of more than 4,095 bytes
//!
//! A terminal starts in canonical mode, in which the child reads whole lines. The kernel keeps 4,095
//! bytes of a line and its line feed; it discards what lies between, and reports that to nobody. So a
//! long line that `process.write` sends to a child with [`pty`](crate::Command::pty) arrives cut.
//! For long lines, a paste or data, take the terminal out of canonical mode, or use a pipe and no
//! terminal:
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
//! Out of canonical mode the end-of-file character is a byte as any other: nothing ends the input but a
//! hang-up.
//!
//! # What a session loses
//!
//! A helper's child, in its session,
//!
//! - does not have the ticket that sudo keeps for a terminal and its session, and fails a sudoers rule
//!   with `requiretty`: `.command(|command| command.process_group(0))` keeps both, and `foreground()` also
//!   lets sudo ask;
//! - cannot write to `/dev/tty`, nor ask it for its size;
//! - gets a terminal that no session has (a serial line) as its controlling terminal if it opens that
//!   without `O_NOCTTY`: Ctrl-C typed there ends it.
//!
//! # Ctrl-Z
//!
//! The terminal stops its foreground group, and not the groups that the program owns. So a run in the
//! main thread claims SIGTSTP if that would stop the program: it stops the groups that
//! [end with the program](crate::Command::owned), then the program itself, as the shell expects
//! it. When the shell continues the program (`fg`), those groups go on. Meanwhile the clocks of all
//! reactors stand still, and with them all timers and time limits.
//!
//! - A group whose leader somebody else has stopped before stays stopped.
//! - The kernel does not stop a program that nobody would continue, because its parent is in another
//!   session.
//! - While the program [watches](crate::Handle::on_signal) SIGTSTP, nothing is stopped: the watch
//!   decides. A run does not claim it `without_signals`, in another thread than the main one, in PID 1, or
//!   where it is ignored or has another handler.
//! - SIGSTOP, and a stop because the program itself reads the terminal in the background, cannot be
//!   claimed: groups run on, and time limits too. So they do under `block_on` and `turn`.
//! - A program that is killed while it is stopped leaves these stopped: the members of a helper's group,
//!   whose leader dies with the program, and every group in a session of its own.
//!
//! # References
//!
//! [termios(3)](https://man7.org/linux/man-pages/man3/termios.3.html),
//! [credentials(7)](https://man7.org/linux/man-pages/man7/credentials.7.html) for sessions and groups,
//! [sched(7)](https://man7.org/linux/man-pages/man7/sched.7.html).
//!
//! [`Run`]: crate::Run

//! Programs that are talked to: calculators, shells, and programs that ask for a password.
//!
//! A [`Dialogue`](crate::Dialogue) sends text to a program, and waits for what it prints. Programs that talk
//! to people often need a terminal: without one they print no prompt, or keep their output back in a buffer.
//! What they write to standard error is waited for as well; `stderr(Fd::null())` keeps it out, without a
//! terminal.
//!
//! ```
//! # #[cfg(feature = "regex")]
//! async fn multiply(handle: procession::Handle) -> Result<(), Box<dyn std::error::Error>> {
//!     use procession::{Command, Pty, StartDialogue, line};
//!     use std::time::Duration;
//!
//!     let mut bc = handle.dialogue(Command::new("bc").arg("-i").pty(Pty::new()))?;
//!     bc.send_line("6 * 7").await?;
//!     let answer = bc.expect(line(r"^\d+$")).within(Duration::from_secs(2)).await?;
//!     println!("{}", answer.text());
//!     Ok(())
//! }
//! ```
//!
//! The functions `line` and `Pattern::regex` need the feature `regex`. An error
//! shows what was waited for, and the end of what was said.
//!
//! # What can be waited for
//!
//! | Pattern | Matches |
//! | --- | --- |
//! | `"login: "`, [`Pattern::bytes`](crate::Pattern::bytes) | these bytes |
//! | [`Pattern::next_line`](crate::Pattern::next_line) | the next line, without its end |
//! | `line(r"^\d+$")` | the next line with a match |
//! | `Pattern::regex` | the first bytes with a match |
//! | [`Pattern::quiet`](crate::Pattern::quiet) | nothing, when the program has printed nothing for a time |
//! | [`Pattern::end`](crate::Pattern::end) | nothing, at the end of the output |
//!
//! [`expect_any`](crate::Dialogue::expect_any) waits for the first of several. [`Found`](crate::Found) says
//! which one it was, and has the match, what came before it, and the groups of an expression.
//!
//! The first byte at which a pattern matches decides. So the result does not depend on how the kernel cuts
//! the output into chunks, and `\d+` matches one digit: say what ends the number, `(\d+)\r`, or wait for a
//! line. An expression with `$` or `\b` at its end is decided by the byte that follows, so it does not find
//! a prompt, after which the program is silent.
//!
//! # Echo
//!
//! A terminal prints what is typed. `send_line("echo done")` followed by `expect("done")` finds the echo.
//! Wait for a whole line, as `line("^done$")` does, or turn the echo off before the first line is sent:
//!
//! ```
//! use procession::{Command, Pattern, Pty, Reactor, StartDialogue};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//!
//! let mut reactor = Reactor::new()?;
//! let mut sh = reactor.dialogue(Command::new("cat").pty(Pty::new()))?;
//! let mut terminal = sh.process().termios()?;
//! terminal.set_echo(false);
//! sh.process().set_termios(&terminal)?;
//! let said = reactor.block_on(async {
//!     sh.send_line("once").await?;
//!     sh.expect(Pattern::next_line()).await?;
//!     Ok::<_, procession::DialogueError>(sh.transcript())
//! })?;
//! assert_eq!(said, "once\nonce\n"); // sent, and printed by cat
//! # Ok(())
//! # }
//! ```
//!
//! Shells and other programs that edit their line turn the terminal's echo off and print what is typed
//! themselves. On a terminal, `TERM` is `dumb` unless the command sets it, so that most programs do without
//! control sequences.
//!
//! # Secrets
//!
//! [`send_secret`](crate::Dialogue::send_secret) waits until the terminal's echo is off. Many programs
//! discard what was typed before, and if it is never off, the secret would be shown: that is the error
//! [`Echoes`](crate::DialogueError::Echoes). From then on, `[secret]` stands for the secret in the transcript
//! and in the errors, even if the program prints it. The memory of the process is not wiped.
//!
//! ```no_run
//! // Not run: it needs a server.
//! use procession::{Command, DialogueError, Handle, Pattern, Pty, StartDialogue};
//! use std::time::Duration;
//!
//! async fn uptime(password: &str) -> Result<String, Box<dyn std::error::Error>> {
//!     let ssh = Command::new("ssh").args(["build@example.org", "uptime"]).pty(Pty::new());
//!     let mut ssh = Handle::current().dialogue(ssh)?;
//!     let questions = ["password: ", "(yes/no"];
//!     while ssh.expect_any(questions).within(Duration::from_secs(10)).await?.which == 1 {
//!         ssh.send_line("yes").await?;
//!     }
//!     ssh.send_secret(password).await?;
//!     let said = ssh.expect(Pattern::end()).within(Duration::from_secs(30)).await?;
//!     ssh.ended().await?;
//!     Ok(String::from_utf8_lossy(&said.before).into_owned())
//! }
//! ```
//!
//! # The end
//!
//! The drop of a dialogue ends the program's process group. [`end_input`](crate::Dialogue::end_input) lets a
//! program that reads end by itself, and [`ended`](crate::Dialogue::ended) gives its status. A wait that
//! fails ends nothing: what came is kept, and the next wait looks at it again.
//!
//! # What it costs
//!
//! A dialogue costs what an async [`Child`](crate::Child) costs, and one timer for a wait with a limit or a
//! pause. Each byte is looked at once for each pattern of a wait. On the machine on which this was written a
//! text was searched at 480 MB/s, lines at 550 MB/s, and an expression at 80 to 840 MB/s, in output like that
//! of `ls -l`. An expression takes some 35 µs to compile: make it once and clone it where that counts.
//! An expression costs a step for each of its places that a byte may be at. One like `.{200}x` has hundreds, and
//! takes a microsecond a byte; the loop goes on meanwhile, after some milliseconds each time, and a limit by
//! `within` counts. An expression whose automaton has more than 64 KiB is an error.
//!
//! At most 1 MiB is held for a wait ([`set_max_held_bytes`](crate::Dialogue::set_max_held_bytes)), 256 KiB
//! and a read are kept while nothing waits, and then the child's pipe fills up. The transcript keeps 64 KiB. A
//! program that prints more than that between two matches fails the wait with
//! [`TooLong`](crate::DialogueError::TooLong).
//!
//! # References
//!
//! [pty(7)](https://man7.org/linux/man-pages/man7/pty.7.html),
//! [termios(3)](https://man7.org/linux/man-pages/man3/termios.3.html) for echo and canonical mode.

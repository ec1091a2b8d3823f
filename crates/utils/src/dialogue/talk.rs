//! [`Dialogue`]: the verbs of a program that is talked to.

use std::fmt;

use bytes::Bytes;
use procession_core::IntoBytes;
use procession_process_transport::ChildError;
use procession_protocol::{Process, ProcessDone};

use super::error::DialogueError;
use super::expect::Expect;
use super::pattern::Pattern;
use super::session::Session;

/// A program that is talked to: it is sent text, and what it prints is waited for. Made by
/// [`StartDialogue::dialogue`](crate::StartDialogue::dialogue).
///
/// What the program prints is held until a wait consumes it, or [`take`](Self::take) does. At most
/// [`set_max_held_bytes`](Self::set_max_held_bytes) are held for a wait. While the program of the
/// dialogue does nothing, about 256 KiB more are read; then the child blocks when it prints.
///
/// Without a terminal, standard error comes through the same pipe as standard output, so a warning may match
/// a pattern too. `command.stderr(Fd::null())`, or another target, keeps it out.
///
/// The drop ends the program's process group: TERM, and KILL after two seconds, in the background.
///
/// # Examples
///
/// ```
/// use procession::{Command, Handle, Pattern, Reactor, StartDialogue};
/// use std::time::Duration;
///
/// let mut reactor = Reactor::new()?;
/// reactor.block_on(async {
///     let mut cat = Handle::current().dialogue(Command::new("cat"))?;
///     cat.send_line("one").await?;
///     let line = cat.expect(Pattern::next_line()).within(Duration::from_secs(5)).await?;
///     assert_eq!(line.text(), "one");
///     cat.send("two; three").await?;
///     let found = cat.expect_any(["; ", "three"]).await?;
///     assert_eq!((found.which, found.before), (0, "two".into()));
///     cat.end_input();
///     let found = cat.expect(Pattern::end()).await?;
///     assert_eq!(found.before, "three");
///     cat.ended().await?;
///     Ok::<_, Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "its drop ends the program"]
pub struct Dialogue(pub(super) Session);

impl Dialogue {
    /// Sends data as it is, then waits while the write queue is full.
    ///
    /// # Errors
    ///
    /// [`DialogueError::Write`] if the program takes no more input. [`DialogueError::TooLong`] if it prints
    /// more than [may be held](Self::set_max_held_bytes) before it has read the data, as `cat` does: a
    /// program does not read while it waits to print. The data stay queued, and go on when waits or
    /// [`take`](Self::take) make room. [`DialogueError::ReactorGone`].
    pub async fn send(&mut self, data: impl IntoBytes) -> Result<(), DialogueError> {
        let may_be_echoed = self.0.may_echo();
        self.0.write(data.into_bytes(), may_be_echoed).await
    }

    /// Sends a line and its end: a carriage return on a terminal, as the Enter key does, and a line
    /// feed on a pipe.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub async fn send_line(&mut self, line: impl AsRef<[u8]>) -> Result<(), DialogueError> {
        self.send(self.0.with_end(line.as_ref())).await
    }

    /// Sends a line that nobody may see, such as a password.
    ///
    /// The transcript and the errors of this dialogue show `[secret]` in its place, also where the
    /// program prints it, from now on. What a wait [finds](crate::Found) is as the program printed it.
    ///
    /// On a terminal, the secret is sent when the terminal's echo is off: programs turn it off before
    /// or after they print their question, and discard what was typed until then.
    ///
    /// # Errors
    ///
    /// [`DialogueError::Echoes`] if the echo is not off after two seconds: nothing was sent. If the program
    /// asks for a secret with the echo on, turn it off by
    /// [`Process::set_termios`](procession_protocol::Process::set_termios). Else as for [`send`](Self::send).
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Handle, Pty, Reactor, StartDialogue};
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.block_on(async {
    ///     let script = "printf 'Password: '; stty -echo; read p; stty echo; echo got ${#p}: $p";
    ///     let command = Command::new("sh").args(["-c", script]).pty(Pty::new());
    ///     let mut sh = Handle::current().dialogue(command)?;
    ///     sh.expect("Password: ").await?;
    ///     sh.send_secret("open sesame").await?;
    ///     sh.expect("got 11: open sesame").await?;
    ///     sh.ended().await?;
    ///     assert!(sh.transcript().ends_with("got 11: [secret]\n"));
    ///     Ok::<_, Box<dyn std::error::Error>>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn send_secret(&mut self, secret: impl AsRef<[u8]>) -> Result<(), DialogueError> {
        self.0.send_secret(secret.as_ref()).await
    }

    /// Ends the input: sends the end-of-file character (Ctrl-D) to a terminal, and closes a pipe, once what
    /// was sent before is written.
    ///
    /// A program on a terminal reads an end of file if the line so far is empty.
    pub fn end_input(&self) {
        if self.0.is_terminal {
            // A child that has ended needs no end of its input.
            self.0.child.process().send_eof().ok();
        } else {
            self.0.child.process().close_stdin();
        }
    }

    /// Waits for a pattern in what the program prints. A text is a pattern.
    ///
    /// The search begins after the previous match. [`Found`](crate::Found) has the match, and what came
    /// before it.
    ///
    /// # Errors
    ///
    /// The future fails with a [`DialogueError`], which says what was waited for: the time is over, the
    /// output has ended, more came than may be held, or the pattern cannot be used.
    pub fn expect(&mut self, pattern: impl Into<Pattern>) -> Expect<'_> {
        Expect::new(&mut self.0, vec![pattern.into()])
    }

    /// Waits for the first of several patterns. [`Found::which`](crate::Found::which) says which it was.
    ///
    /// # Errors
    ///
    /// As for [`expect`](Self::expect).
    pub fn expect_any(
        &mut self,
        patterns: impl IntoIterator<Item = impl Into<Pattern>>,
    ) -> Expect<'_> {
        Expect::new(&mut self.0, patterns.into_iter().map(Into::into).collect())
    }

    /// Takes what waits have looked at and not consumed, at most
    /// [`set_max_held_bytes`](Self::set_max_held_bytes): what a wait that fails with
    /// [`DialogueError::TooLong`] has looked at.
    #[must_use = "the next wait does not see it any more"]
    pub fn take(&mut self) -> Bytes {
        self.0.talk.take()
    }

    /// Sets the most bytes that are held for a wait. The default is 1 MiB. A wait that would need more
    /// fails with [`DialogueError::TooLong`].
    pub fn set_max_held_bytes(&mut self, max_bytes: usize) {
        self.0.talk.set_max_held_bytes(max_bytes);
    }

    /// Sets how much of the transcript is kept, in bytes: its end. The default is 64 KiB, the least is 4 KiB.
    pub fn set_max_transcript_bytes(&mut self, max_bytes: usize) {
        self.0.transcript.set_max_bytes(max_bytes);
    }

    /// Returns the end of what was said so far: what the program printed, as far as a wait has looked at
    /// it, and what it was sent.
    ///
    /// The echo of what was sent is left out: that of a terminal that echoes when the data are sent, and
    /// that of a program that edits its line. It must come in one piece, before the next data are sent.
    /// Secrets are masked. While the last bytes may be the beginning of a secret, they are missing.
    /// Carriage returns before line feeds are left out, and bytes that are not UTF-8 are replaced.
    pub fn transcript(&self) -> String {
        self.0.transcript.text()
    }

    /// Returns the handle for all else: signals, the terminal, its window size.
    pub fn process(&self) -> &Process {
        self.0.child.process()
    }

    /// Waits until the program has ended and all its descriptors are closed. What it prints meanwhile
    /// is added to the transcript, and discarded.
    ///
    /// The input of a pipe is closed first.
    ///
    /// # Errors
    ///
    /// The program ends with a status other than 0, by a signal, or with a lost status; or the
    /// reactor is gone.
    pub async fn ended(&mut self) -> Result<ProcessDone, ChildError> {
        self.0.ended().await
    }
}

impl fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialogue")
            .field("command", &self.0.line)
            .field("process", self.0.child.process())
            .finish_non_exhaustive()
    }
}

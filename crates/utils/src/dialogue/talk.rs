//! [`Dialogue`]: a child, its conversation and its transcript.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use procession_core::{IntoBytes, WriteError};
use procession_process_transport::{
    Child, ChildError, ChildOutput, Command, SpawnError, SpawnProcess,
};
use procession_protocol::{Process, ProcessDone};
use procession_reactor::Handle;

use super::alarm::Alarm;
use super::conversation::Conversation;
use super::error::DialogueError;
use super::expect::Expect;
use super::pattern::Pattern;
use super::transcript::Transcript;

/// How long a secret waits for the terminal's echo to be off, and how often it looks.
const ECHO_WAIT: Duration = Duration::from_secs(2);
const ECHO_LOOK: Duration = Duration::from_millis(2);
/// How much of the transcript an error has.
const TAIL_BYTES: usize = 4096;

/// A program that is talked to: it is sent text, and what it prints is waited for. Made by
/// [`StartDialogue::dialogue`](crate::StartDialogue::dialogue).
///
/// What the program prints is held until a wait consumes it, or [`take`](Self::take) does. At most
/// [`set_max_held_bytes`](Self::set_max_held_bytes) are held for a wait. While the program of the
/// dialogue does nothing, about 256 KiB more are read; then the child blocks when it prints.
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
pub struct Dialogue {
    pub(super) child: Child,
    pub(super) reactor: Handle,
    /// Program and arguments, quoted for messages.
    pub(super) line: String,
    pub(super) talk: Conversation,
    pub(super) alarm: Rc<Alarm>,
    /// `None` if the command gives its outputs to something else.
    output: Option<ChildOutput>,
    is_terminal: bool,
    transcript: Transcript,
}

impl Dialogue {
    pub(super) fn start(
        reactor: &Handle,
        line: String,
        command: Command,
    ) -> Result<Self, SpawnError> {
        let is_terminal = command.get_pty().is_some();
        let mut child = reactor.spawn_child(command)?;
        let output = child.take_output(1).or_else(|| child.take_output(2));
        Ok(Self {
            child,
            reactor: reactor.clone(),
            line,
            talk: Conversation::new(),
            alarm: Rc::default(),
            output,
            is_terminal,
            transcript: Transcript::new(),
        })
    }

    /// Sends data as it is, then waits while the write queue is full.
    ///
    /// # Errors
    ///
    /// [`DialogueError::Write`] if the program takes no more input, and if the wait would have to hold
    /// more of its output than [may be held](Self::set_max_held_bytes): the program does not read while
    /// it waits to print. [`DialogueError::ReactorGone`].
    pub async fn send(&mut self, data: impl IntoBytes) -> Result<(), DialogueError> {
        let data = data.into_bytes();
        self.transcript.on_sent(&data, self.is_terminal);
        self.write(data).await
    }

    /// Sends a line and its end: a carriage return on a terminal, as the Enter key does, and a line
    /// feed on a pipe.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub async fn send_line(&mut self, line: impl AsRef<[u8]>) -> Result<(), DialogueError> {
        self.send(self.with_end(line.as_ref())).await
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
        let since = self.reactor.now();
        while self.echoes() {
            if self.reactor.now().saturating_sub(since) >= ECHO_WAIT {
                return Err(DialogueError::Echoes {
                    command: self.line.clone(),
                    tail: self.tail(),
                });
            }
            self.reactor.sleep(ECHO_LOOK).await;
        }
        self.transcript.add_secret(secret.as_ref());
        let line = self.with_end(secret.as_ref());
        self.transcript.on_sent(&line, false);
        self.write(line.into_bytes()).await
    }

    /// Ends the input: sends the end-of-file character (Ctrl-D) to a terminal, and closes a pipe, once what
    /// was sent before is written.
    ///
    /// A program on a terminal reads an end of file if the line so far is empty.
    pub fn end_input(&self) {
        if self.is_terminal {
            // A child that has ended needs no end of its input.
            self.child.process().send_eof().ok();
        } else {
            self.child.process().close_stdin();
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
        Expect::new(self, vec![pattern.into()])
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
        Expect::new(self, patterns.into_iter().map(Into::into).collect())
    }

    /// Takes what waits have looked at and not consumed, at most
    /// [`set_max_held_bytes`](Self::set_max_held_bytes): what a wait that fails with
    /// [`DialogueError::TooLong`] has looked at.
    #[must_use = "the next wait does not see it any more"]
    pub fn take(&mut self) -> Bytes {
        self.talk.take()
    }

    /// Sets the most bytes that are held for a wait. The default is 1 MiB. A wait that would need more
    /// fails with [`DialogueError::TooLong`].
    pub fn set_max_held_bytes(&mut self, max_bytes: usize) {
        self.talk.set_max_held_bytes(max_bytes);
    }

    /// Sets how much of the transcript is kept, in bytes: its end. The default is 64 KiB, the least is 4 KiB.
    pub fn set_max_transcript_bytes(&mut self, max_bytes: usize) {
        self.transcript.set_max_bytes(max_bytes);
    }

    /// Returns the end of what was said so far: what the program printed, as far as a wait has looked at
    /// it, and what it was sent.
    ///
    /// The echo of what was sent is left out, if it comes before the next data are sent, and in one piece.
    /// Secrets are masked. While the last bytes may be the beginning of a secret, they are missing.
    /// Carriage returns before line feeds are left out, and bytes that are not UTF-8 are replaced.
    pub fn transcript(&self) -> String {
        self.transcript.text()
    }

    /// Returns the handle for all else: signals, the terminal, its window size.
    pub fn process(&self) -> &Process {
        self.child.process()
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
        let Self { child, output, transcript, .. } = self;
        let mut ended = pin!(child.ended());
        poll_fn(|cx| {
            while let Poll::Ready(Some(data)) = poll_output(output, cx) {
                transcript.on_output(&data);
            }
            ended.as_mut().poll(cx)
        })
        .await
    }

    /// Passes what has come to the conversation, until it has an answer or the output is empty.
    pub(super) fn take_in(&mut self, cx: &mut Context<'_>) {
        while !self.talk.is_decided() {
            match poll_output(&mut self.output, cx) {
                Poll::Ready(Some(data)) => {
                    self.transcript.on_output(&data);
                    self.talk.on_data(&data, self.reactor.now());
                }
                Poll::Ready(None) => return self.talk.on_end(),
                Poll::Pending => return,
            }
        }
    }

    /// Returns the last whole characters of the transcript.
    pub(super) fn tail(&self) -> String {
        let text = self.transcript.text();
        let from = text.len().saturating_sub(TAIL_BYTES);
        let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        text[from..].to_owned()
    }

    pub(super) fn reactor_gone(&self) -> DialogueError {
        DialogueError::ReactorGone { command: self.line.clone() }
    }

    fn with_end(&self, line: &[u8]) -> Vec<u8> {
        let end: &[u8] = if self.is_terminal { b"\r" } else { b"\n" };
        [line, end].concat()
    }

    /// Returns whether the terminal shows what is typed.
    fn echoes(&self) -> bool {
        self.is_terminal && self.process().termios().is_ok_and(|settings| settings.echoes())
    }

    async fn write(&mut self, data: Bytes) -> Result<(), DialogueError> {
        let written = self.write_and_read(data).await;
        written.map_err(|error| match error {
            WriteError::ReactorGone => self.reactor_gone(),
            error => DialogueError::Write { command: self.line.clone(), error, tail: self.tail() },
        })
    }

    async fn write_and_read(&mut self, data: Bytes) -> Result<(), WriteError> {
        let Self { child, output, talk, transcript, reactor, .. } = self;
        let mut written = pin!(child.write(data));
        poll_fn(|cx| {
            if let Poll::Ready(written) = written.as_mut().poll(cx) {
                return Poll::Ready(written.map_err(|error| match error {
                    ChildError::Write { error, .. } => error,
                    _ => WriteError::Closed,
                }));
            }
            // A program that waits to print may not read.
            while !talk.is_full() {
                match poll_output(output, cx) {
                    Poll::Ready(Some(data)) => {
                        transcript.on_output(&data);
                        talk.on_data(&data, reactor.now());
                    }
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(Err(WriteError::BufferFull))
        })
        .await
    }
}

fn poll_output(output: &mut Option<ChildOutput>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
    output.as_mut().map_or(Poll::Ready(None), |output| Pin::new(output).poll_next(cx))
}

impl fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialogue")
            .field("command", &self.line)
            .field("process", self.child.process())
            .finish_non_exhaustive()
    }
}

//! [`Session`]: a child, its conversation and its transcript.

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
use procession_protocol::{ProcessDone, Termios};
use procession_reactor::Handle;

use super::alarm::Alarm;
use super::conversation::Conversation;
use super::error::DialogueError;
use super::transcript::Transcript;

/// How long a secret waits for the terminal's echo to be off, and how often it looks.
const ECHO_WAIT: Duration = Duration::from_secs(2);
const ECHO_LOOK: Duration = Duration::from_millis(2);
/// How much of the transcript an error has.
const TAIL_BYTES: usize = 4096;
/// What a program does not do that prints too much while it is sent data.
const READING: &str = "reading what it was sent";

/// Why data were not written to the end.
enum NotWritten {
    /// The program takes no more.
    Failed(WriteError),
    /// The program printed more than may be held, and does not read until that is taken.
    NoRoom,
}

/// The child, and all that the waits and the verbs share.
pub(super) struct Session {
    pub(super) child: Child,
    pub(super) reactor: Handle,
    /// Program and arguments, quoted for messages.
    pub(super) line: String,
    pub(super) talk: Conversation,
    pub(super) alarm: Rc<Alarm>,
    /// `None` if the command gives its outputs to something else.
    pub(super) output: Option<ChildOutput>,
    pub(super) is_terminal: bool,
    pub(super) transcript: Transcript,
}

impl Session {
    pub(super) fn start(
        reactor: &Handle,
        children: &impl SpawnProcess,
        line: String,
        command: Command,
    ) -> Result<Self, SpawnError> {
        let is_terminal = command.get_pty().is_some();
        let mut child = children.spawn_child(command)?;
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

    /// Sends a line when the terminal shows nothing of it.
    pub(super) async fn send_secret(&mut self, secret: &[u8]) -> Result<(), DialogueError> {
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
        self.transcript.add_secret(secret);
        self.line = self.transcript.masked(&self.line);
        self.write(self.with_end(secret).into_bytes(), false).await
    }

    /// Waits for the end. What comes meanwhile is added to the transcript.
    pub(super) async fn ended(&mut self) -> Result<ProcessDone, ChildError> {
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
    ///
    /// Returns early, and wakes its task, if a search takes long.
    pub(super) fn take_in(&mut self, cx: &mut Context<'_>) {
        while !self.talk.is_decided() {
            if self.talk.is_behind() {
                cx.waker().wake_by_ref();
                return;
            }
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

    /// Returns the end of the transcript, for an error.
    pub(super) fn tail(&self) -> String {
        self.transcript.end(TAIL_BYTES)
    }

    pub(super) fn reactor_gone(&self) -> DialogueError {
        DialogueError::ReactorGone { command: self.line.clone() }
    }

    pub(super) fn with_end(&self, line: &[u8]) -> Vec<u8> {
        let end: &[u8] = if self.is_terminal { b"\r" } else { b"\n" };
        [line, end].concat()
    }

    /// Returns whether what is typed comes back: from the terminal, or from a program that edits its
    /// line and has taken the terminal out of canonical mode for that.
    pub(super) fn may_echo(&self) -> bool {
        let comes_back = |settings: Termios| settings.echoes() || !settings.is_canonical();
        self.is_terminal && self.child.process().termios().is_ok_and(comes_back)
    }

    /// Returns whether the terminal shows what is typed.
    fn echoes(&self) -> bool {
        self.is_terminal && self.child.process().termios().is_ok_and(|settings| settings.echoes())
    }

    pub(super) async fn write(
        &mut self,
        data: Bytes,
        may_be_echoed: bool,
    ) -> Result<(), DialogueError> {
        let written = self.write_and_read(data, may_be_echoed).await;
        written.map_err(|stopped| {
            let (command, tail) = (self.line.clone(), self.tail());
            match stopped {
                NotWritten::Failed(WriteError::ReactorGone) => self.reactor_gone(),
                NotWritten::Failed(error) => DialogueError::Write { command, error, tail },
                NotWritten::NoRoom => {
                    let (wanted, max_bytes) = (READING.to_owned(), self.talk.max_held_bytes());
                    DialogueError::TooLong { command, wanted, max_bytes, tail }
                }
            }
        })
    }

    async fn write_and_read(&mut self, data: Bytes, may_be_echoed: bool) -> Result<(), NotWritten> {
        let Self { child, output, talk, transcript, reactor, .. } = self;
        let mut written = pin!(child.write(data.clone()));
        let mut queued = Some(data);
        poll_fn(|cx| {
            let written = written.as_mut().poll(cx);
            // The first poll queues the data, and the loop writes them later.
            if let Some(data) = queued.take()
                && !matches!(written, Poll::Ready(Err(_)))
            {
                transcript.on_sent(&data, may_be_echoed);
            }
            if let Poll::Ready(written) = written {
                return Poll::Ready(written.map_err(|error| match error {
                    ChildError::Write { error, .. } => NotWritten::Failed(error),
                    _ => NotWritten::Failed(WriteError::Closed),
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
            Poll::Ready(Err(NotWritten::NoRoom))
        })
        .await
    }
}

fn poll_output(output: &mut Option<ChildOutput>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
    output.as_mut().map_or(Poll::Ready(None), |output| Pin::new(output).poll_next(cx))
}

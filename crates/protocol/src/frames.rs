//! [`FrameReceiver`]: splits a stream of bytes into frames. A pure value, usable on any byte stream.
//!
//! # Model
//!
//! Inputs: data and the end of the stream. Outputs: the contents of whole frames, then at most one error,
//! then nothing. They do not depend on how the stream is divided into chunks, and a frame comes as soon as
//! its last byte is there. Data after the end are ignored.
//!
//! Each frame is a head, which says the length, then the content, then what closes it. A head that says
//! more than the limit is an error before any of its content is kept. So the receiver keeps at most one
//! head, one content of the limit, and the chunks that were not examined yet. Memory for a content is
//! asked for as its bytes arrive, not because a head announces them.
//!
//! A frame within one chunk is a slice of that chunk; a frame that spans chunks is copied once.

mod error;
mod framing;
mod head;

use bytes::{Buf, Bytes, BytesMut};
pub use error::{FrameError, FrameErrorKind};
pub use framing::Framing;
use head::{Head, Search};

use crate::chunks::Chunks;

/// Splits a stream of bytes into frames, as [`LineReceiver`](crate::LineReceiver) splits it into lines.
///
/// [`Framing::frame`] is the other direction.
///
/// # Examples
///
/// ```
/// use procession::{FrameReceiver, Framing};
///
/// let mut frames = FrameReceiver::new(Framing::Netstring);
/// frames.on_data("5:hel".into());
/// assert_eq!(frames.poll(), None);
/// frames.on_data("lo,0:,".into());
/// assert_eq!(frames.poll().unwrap()?, "hello");
/// assert_eq!(frames.poll().unwrap()?, "");
/// assert_eq!(frames.poll(), None);
/// # Ok::<(), procession::FrameError>(())
/// ```
#[derive(Debug, Clone)]
pub struct FrameReceiver {
    framing: Framing,
    max_length: usize,
    /// The length of the content and of what closes it, of a frame whose head was taken from `partial`.
    body: Option<usize>,
    /// The beginning of a frame that spans chunks: of its head, or after that of its content.
    partial: BytesMut,
    /// How far a head in `partial` was searched.
    search: Search,
    chunks: Chunks,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    /// The error has been returned: nothing more comes.
    Failed,
}

impl FrameReceiver {
    /// The default of [`max_length`](Self::max_length), in bytes: 16 MiB.
    pub const DEFAULT_MAX_LENGTH: usize = 16 << 20;

    /// Creates a receiver of frames in this format.
    pub fn new(framing: Framing) -> Self {
        Self {
            framing,
            max_length: Self::DEFAULT_MAX_LENGTH,
            body: None,
            partial: BytesMut::new(),
            search: Search::default(),
            chunks: Chunks::default(),
            state: State::Open,
        }
    }

    /// Sets the greatest length of a content, in bytes. A longer one is an error as soon as its head is
    /// there.
    #[must_use]
    #[doc(alias = "MAX_LENGTH")]
    pub fn max_length(self, bytes: usize) -> Self {
        Self { max_length: bytes, ..self }
    }

    /// Adds data of the stream.
    #[doc(alias = "dataReceived")]
    pub fn on_data(&mut self, data: Bytes) {
        if self.state == State::Open {
            self.chunks.push_back(data);
        }
    }

    /// Ends the stream. If it ends inside a frame, [`poll`](Self::poll) says so after the whole frames.
    #[doc(alias = "connectionLost")]
    pub fn on_end(&mut self) {
        if self.state == State::Open {
            self.state = State::Ended;
        }
    }

    /// Takes the content of the next frame; `None` until the frame is whole.
    ///
    /// # Errors
    ///
    /// Fails if the frame is malformed or longer than the limit, or if the stream ends inside it. Nothing
    /// tells where a later frame begins, so this returns `None` from then on.
    #[doc(alias = "stringReceived")]
    pub fn poll(&mut self) -> Option<Result<Bytes, FrameError>> {
        let polled = self.poll_frame();
        if polled.as_ref().is_some_and(Result::is_err) {
            self.state = State::Failed;
            self.chunks = Chunks::default();
            self.partial = BytesMut::new();
        }
        polled
    }

    fn poll_frame(&mut self) -> Option<Result<Bytes, FrameError>> {
        if self.state == State::Failed {
            return None;
        }
        match self.poll_whole() {
            Ok(None) => self.end().map(Err),
            polled => polled.transpose(),
        }
    }

    /// Returns the error of a stream that ends inside a frame.
    fn end(&self) -> Option<FrameError> {
        let is_inside = self.body.is_some() || !self.partial.is_empty();
        let is_over = self.state == State::Ended && is_inside;
        is_over.then(|| self.error(FrameErrorKind::Incomplete))
    }

    fn poll_whole(&mut self) -> Result<Option<Bytes>, FrameError> {
        if self.body.is_none()
            && self.partial.is_empty()
            && let Some(content) = self.poll_slice()?
        {
            return Ok(Some(content));
        }
        loop {
            if let Some(length) = self.body {
                return self.poll_body(length);
            }
            let Some(chunk) = self.chunks.pop_front() else { return Ok(None) };
            self.take_head(chunk)?;
        }
    }

    /// Takes a frame that lies in the first chunk.
    fn poll_slice(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(chunk) = self.chunks.front() else { return Ok(None) };
        let head = self.framing.head(chunk, &mut Search::default(), self.max_length);
        let Some(head) = head.map_err(|kind| self.error(kind))? else { return Ok(None) };
        let whole = head.length.saturating_add(self.framing.body(head));
        if chunk.len() < whole {
            return Ok(None);
        }
        let mut body = self.chunks.take_front(whole);
        body.advance(head.length);
        self.open(body).map(Some)
    }

    /// Takes a head that this chunk continues.
    fn take_head(&mut self, mut chunk: Bytes) -> Result<(), FrameError> {
        let known = self.partial.len();
        // A head is short, so little of a large chunk is copied before it is found.
        let step = chunk.len().min(Head::STEP);
        self.partial.extend_from_slice(&chunk[..step]);
        let head = self.framing.head(&self.partial, &mut self.search, self.max_length);
        let Some(head) = head.map_err(|kind| self.error(kind))? else {
            chunk.advance(step);
            self.chunks.push_front(chunk);
            return Ok(());
        };
        chunk.advance(head.length - known);
        self.chunks.push_front(chunk);
        self.partial.clear();
        self.search = Search::default();
        self.body = Some(self.framing.body(head));
        Ok(())
    }

    /// Takes the rest of a frame whose head was taken.
    fn poll_body(&mut self, length: usize) -> Result<Option<Bytes>, FrameError> {
        if self.partial.is_empty() {
            let front = self.chunks.front().map_or(0, Bytes::len);
            if front >= length {
                let body = self.chunks.take_front(length);
                return self.close(body);
            }
        }
        while self.partial.len() < length {
            let Some(front) = self.chunks.front() else { return Ok(None) };
            let taken = front.len().min(length - self.partial.len());
            let taken = self.chunks.take_front(taken);
            self.partial.extend_from_slice(&taken);
        }
        let body = self.partial.split().freeze();
        self.close(body)
    }

    fn close(&mut self, body: Bytes) -> Result<Option<Bytes>, FrameError> {
        self.body = None;
        self.open(body).map(Some)
    }

    /// Returns the content without what closes the frame.
    fn open(&self, body: Bytes) -> Result<Bytes, FrameError> {
        self.framing.content(body).map_err(|kind| self.error(kind))
    }

    fn error(&self, kind: FrameErrorKind) -> FrameError {
        FrameError::of_stream(self.framing.name(), kind)
    }
}

#[cfg(test)]
mod tests;

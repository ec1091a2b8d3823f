//! The data that a child writes to one descriptor, as lines.

use std::future::poll_fn;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use procession_protocol::{Line, LineReceiver};

use super::output::ChildOutput;

/// The lines that a child writes to one of its descriptors: a stream, made by [`ChildOutput::lines`].
///
/// Its drop gives data that are not yet a whole line back to the output.
#[derive(Debug)]
#[must_use = "lines are read when they are asked for"]
pub struct Lines<'a, O: ChunkSource = ChildOutput> {
    output: &'a mut O,
    lines: LineReceiver,
    is_over: bool,
}

/// An output that can be read as lines.
pub trait ChunkSource: Stream<Item = Bytes> + Unpin {
    /// Takes chunks back, which then come first.
    fn put_back(&mut self, chunks: Vec<Bytes>);

    /// Returns a stream of the lines from here on.
    fn read_lines(&mut self) -> Lines<'_, Self>
    where
        Self: Sized,
    {
        Lines { output: self, lines: LineReceiver::new(), is_over: false }
    }
}

impl ChildOutput {
    /// Returns a stream of the lines from here on. A line ends at a line feed, with or without a carriage
    /// return before it. The last line may also end at the end of the output.
    ///
    /// A line that is longer than [`LineReceiver::DEFAULT_MAX_LENGTH`] is [cut](Line::is_cut).
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{ChildError, Command, Handle, Reactor, SpawnProcess};
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.block_on(async {
    ///     let printf = Command::new("printf").arg("one\\ntwo");
    ///     let mut child = Handle::current().spawn_child(printf)?;
    ///     let mut lines = child.stdout().lines();
    ///     assert_eq!(lines.next().await.unwrap(), "one");
    ///     assert_eq!(lines.next().await.unwrap(), "two");
    ///     assert!(lines.next().await.is_none());
    ///     Ok::<_, ChildError>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "next_line")]
    #[doc(alias = "read_line")]
    #[doc(alias = "BufReader")]
    pub fn lines(&mut self) -> Lines<'_> {
        self.read_lines()
    }
}

impl ChunkSource for ChildOutput {
    fn put_back(&mut self, chunks: Vec<Bytes>) {
        Self::put_back(self, chunks);
    }
}

impl<O: ChunkSource> Lines<'_, O> {
    /// Waits for the next line; returns `None` at the end.
    pub async fn next(&mut self) -> Option<Line> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<O: ChunkSource> Stream for Lines<'_, O> {
    type Item = Line;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Line>> {
        loop {
            let line = self.lines.poll();
            if line.is_some() || self.is_over {
                return Poll::Ready(line);
            }
            match ready!(Pin::new(&mut *self.output).poll_next(context)) {
                Some(data) => self.lines.on_data(data),
                None => {
                    self.is_over = true;
                    self.lines.on_end();
                }
            }
        }
    }
}

impl<O: ChunkSource> Drop for Lines<'_, O> {
    fn drop(&mut self) {
        self.lines.set_raw_mode();
        let rest: Vec<Bytes> = iter::from_fn(|| self.lines.poll_raw()).collect();
        self.output.put_back(rest);
    }
}

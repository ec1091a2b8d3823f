//! The write queue, a pure core: chunks in, slices out, water marks, close after flush, abort.
//!
//! It has no descriptor and makes no system call. See [`WriteQueue`] for the model.

use std::io::IoSlice;
use std::mem;

use bytes::{Buf, Bytes};

use crate::front_queue::FrontQueue;
use crate::level::Level;
use crate::{Mark, WriteError, spent::Spent};

/// Bytes that wait until a descriptor takes them.
///
/// # Model
///
/// Inputs: [`on_write`](Self::on_write) queues data, [`on_written`](Self::on_written) reports how much
/// the descriptor took, [`on_close`](Self::on_close) requests the end after all queued data,
/// [`on_flush_begins`](Self::on_flush_begins) is the moment after which a closing queue accepts no
/// data, [`on_abort`](Self::on_abort) ends the queue at once. Answers: [`slices`](Self::slices) returns
/// the data to write next, [`poll_mark`](Self::poll_mark) the crossings to report,
/// [`is_done`](Self::is_done) whether the descriptor can be closed.
///
/// When everything is written, at least one mark reports it, whatever the limits are: [`Mark::Drained`]
/// if the queue was above its low mark, else [`Mark::Emptied`]. `Emptied` is reported at no other
/// moment, and never with a low mark of 0.
///
/// Any order of inputs is legal. Repeated closes and aborts, and bytes never queued, are ignored.
///
/// # Examples
///
/// ```
/// use procession::{IntoBytes, Mark, WriteError, driver::core::WriteQueue};
///
/// let mut queue = WriteQueue::new();
/// queue.on_write("hello ".into_bytes())?;
/// queue.on_close();
/// queue.on_write("world".into_bytes())?; // the flush has not begun
/// queue.on_flush_begins();
/// assert_eq!(queue.on_write("!".into_bytes()), Err(WriteError::Closed));
///
/// drop(queue.on_written(8)); // what writev(2) returned
/// assert_eq!(queue.front().map(|chunk| &chunk[..]), Some(&b"rld"[..]));
/// drop(queue.on_written(3));
/// assert_eq!(queue.poll_mark(), Some(Mark::Drained));
/// assert!(queue.is_done());
/// # Ok::<(), WriteError>(())
/// ```
#[derive(Debug)]
pub struct WriteQueue {
    /// No chunk is empty.
    chunks: FrontQueue<Bytes>,
    /// The sum of the lengths of `chunks`.
    len: usize,
    /// Gets every change of `len`.
    level: Level,
    hard_limit: Option<usize>,
    /// The end was requested.
    closing: bool,
    /// A requested end must wait.
    held: bool,
    /// No more data is accepted. Implies `closing`.
    closed: bool,
}

impl WriteQueue {
    /// The high mark of a new queue, in bytes: 64 KiB.
    pub const DEFAULT_HIGH_BYTES: usize = 64 * 1024;
    /// The low mark of a new queue, in bytes: 0, so the queue is drained when it is empty.
    const DEFAULT_LOW_BYTES: usize = 0;

    /// Creates an empty queue with the default marks and no hard limit.
    pub const fn new() -> Self {
        Self {
            chunks: FrontQueue::new(),
            len: 0,
            level: Level::new(Self::DEFAULT_HIGH_BYTES, Self::DEFAULT_LOW_BYTES),
            hard_limit: None,
            closing: false,
            held: false,
            closed: false,
        }
    }

    /// Sets the water marks, in bytes; a low mark above the high one counts as equal to it.
    ///
    /// If the queue is now on the other side of a mark, it has crossed that mark.
    pub fn set_limits(&mut self, high: usize, low: usize) {
        self.level.set_limits(high, low);
        self.level.note(self.len);
    }

    /// Sets the hard limit: the greatest length in bytes; `None` means no limit.
    ///
    /// Data that is already queued stays.
    pub fn set_hard_limit(&mut self, max_bytes: Option<usize>) {
        self.hard_limit = max_bytes;
    }

    /// Queues `data`, whole or not at all; empty data is accepted and ignored.
    ///
    /// Data that is not queued is dropped here, and the drop may run foreign code. While the queue is
    /// borrowed, use [`on_write_from`](Self::on_write_from) instead.
    ///
    /// # Errors
    ///
    /// [`WriteError::Closed`] once the last flush has begun or the queue was aborted,
    /// [`WriteError::BufferFull`] if the queue would become longer than its hard limit.
    pub fn on_write(&mut self, mut data: Bytes) -> Result<(), WriteError> {
        self.on_write_from(&mut data)
    }

    /// Moves the contents of `data` into the queue; on an error, `data` is unchanged.
    ///
    /// # Errors
    ///
    /// Those of [`on_write`](Self::on_write).
    #[inline]
    pub fn on_write_from(&mut self, data: &mut Bytes) -> Result<(), WriteError> {
        if self.closed {
            return Err(WriteError::Closed);
        }
        if data.is_empty() {
            return Ok(());
        }
        let len = self.len.checked_add(data.len()).ok_or(WriteError::BufferFull)?;
        if self.hard_limit.is_some_and(|limit| len > limit) {
            return Err(WriteError::BufferFull);
        }
        self.chunks.push_back(mem::take(data));
        self.len = len;
        self.level.note(self.len);
        Ok(())
    }

    /// Requests the end after everything is written; data is accepted until the flush begins.
    pub fn on_close(&mut self) {
        self.closing = true;
    }

    /// Sets whether the queue is held open: while it is, a requested end waits, but an abort does not.
    pub fn set_held(&mut self, held: bool) {
        self.held = held;
    }

    /// Notes that a flush begins: from now on, a closing queue that is not held open accepts no data.
    #[inline]
    pub fn on_flush_begins(&mut self) {
        if self.closing && !self.held {
            self.closed = true;
        }
    }

    /// Ends the queue at once, forgets the pending marks, and returns the queued chunks.
    pub fn on_abort(&mut self) -> Spent {
        self.closing = true;
        self.closed = true;
        self.len = 0;
        self.level.forget();
        let mut spent = Spent::new();
        spent.extend(mem::take(&mut self.chunks));
        spent
    }

    /// Fills `out` with the first chunks and returns the number of filled slots.
    pub fn slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, chunk) in out.iter_mut().zip(self.chunks.iter()) {
            *slot = IoSlice::new(chunk);
            filled += 1;
        }
        filled
    }

    /// Returns the first chunk, or the rest of it; never an empty one.
    #[inline]
    pub fn front(&self) -> Option<&Bytes> {
        self.chunks.front()
    }

    /// Notes that `bytes` were written and returns the chunks that are no longer needed.
    ///
    /// A number above the queue's length counts as the length.
    pub fn on_written(&mut self, bytes: usize) -> Spent {
        let mut spent = Spent::new();
        self.on_written_into(bytes, &mut spent);
        spent
    }

    /// Does the same as [`on_written`](Self::on_written), and adds the chunks to `spent`.
    #[inline]
    pub fn on_written_into(&mut self, bytes: usize, spent: &mut Spent) {
        let mut left = bytes.min(self.len);
        if left == 0 {
            return; // an empty queue does not become empty again
        }
        self.len -= left;
        while left != 0 {
            let Some(front) = self.chunks.front_mut() else { break };
            if left < front.len() {
                front.advance(left);
                break;
            }
            left -= front.len();
            if let Some(chunk) = self.chunks.pop_front() {
                spent.push(chunk);
            }
        }
        self.level.note(self.len);
        if self.len == 0 {
            self.level.note_emptied();
        }
    }

    /// Returns the next crossing to report, in the order in which they happened.
    ///
    /// Poll after every input to see every crossing. Otherwise only the last two are kept, two equal
    /// ones in a row count as one, and any pending mark also covers [`Mark::Emptied`].
    #[inline]
    pub fn poll_mark(&mut self) -> Option<Mark> {
        self.level.poll_mark()
    }

    /// Returns the number of queued bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether nothing is queued.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns whether the end was requested, even if it has already come.
    #[inline]
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Returns whether a requested end must wait.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Returns whether no more data is accepted.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns whether the descriptor can be closed: nothing is queued, and nothing will be.
    #[inline]
    pub fn is_done(&self) -> bool {
        self.closed && self.len == 0
    }

    /// Returns the water marks in bytes, the high one first.
    pub fn limits(&self) -> (usize, usize) {
        self.level.limits()
    }
}

impl Default for WriteQueue {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::sync::Arc;

    use super::*;

    fn queue_of(bytes: usize) -> WriteQueue {
        let mut queue = WriteQueue::new();
        queue.on_write(Bytes::from(vec![0; bytes])).unwrap();
        queue
    }

    #[test]
    fn a_queue_that_was_never_above_its_low_mark_reports_that_it_is_empty() {
        let mut queue = WriteQueue::new();
        queue.set_limits(20, 10);
        for _ in 0..2 {
            queue.on_write(Bytes::from(vec![0; 10])).unwrap();
            drop(queue.on_written(9));
            assert_eq!(queue.poll_mark(), None, "a byte is left");
            drop(queue.on_written(1));
            assert_eq!(queue.poll_mark(), Some(Mark::Emptied));
            drop(queue.on_written(usize::MAX));
            queue.set_limits(30, 10);
            assert_eq!(queue.poll_mark(), None, "it was empty before");
        }
    }

    #[test]
    fn a_queue_that_falls_to_its_low_mark_and_then_to_nothing_reports_both() {
        let mut queue = WriteQueue::new();
        queue.set_limits(20, 10);
        queue.on_write(Bytes::from(vec![0; 15])).unwrap();
        drop(queue.on_written(5));
        assert_eq!((queue.poll_mark(), queue.poll_mark()), (Some(Mark::Drained), None));
        drop(queue.on_written(10));
        assert_eq!((queue.poll_mark(), queue.poll_mark()), (Some(Mark::Emptied), None));
    }

    #[test]
    fn new_limits_can_be_crossed_by_queued_data() {
        let mut queue = queue_of(10);
        queue.set_limits(5, 20);
        assert_eq!(queue.limits(), (5, 5));
        assert_eq!(queue.poll_mark(), Some(Mark::Full));
        queue.set_limits(100, 50);
        assert_eq!(queue.poll_mark(), Some(Mark::Drained));
    }

    #[test]
    fn data_above_the_hard_limit_is_refused_whole() {
        let mut queue = queue_of(4);
        queue.set_hard_limit(Some(6));
        let mut data = Bytes::from_static(b"abc");
        assert_eq!(queue.on_write_from(&mut data), Err(WriteError::BufferFull));
        assert_eq!((queue.len(), &data[..]), (4, &b"abc"[..]));
        assert_eq!(queue.on_write(Bytes::new()), Ok(()));
        assert_eq!(queue.on_write(Bytes::from_static(b"ab")), Ok(()));
        assert_eq!(queue.len(), 6);
    }

    #[test]
    fn a_queue_that_is_held_open_ends_when_it_is_let_go_of_or_aborted() {
        for aborts in [false, true] {
            let mut queue = queue_of(3);
            queue.set_held(true);
            queue.on_close();
            queue.on_flush_begins();
            drop(queue.on_written(3));
            assert!(queue.is_closing() && !queue.is_closed() && !queue.is_done());
            queue.on_write(Bytes::from_static(b"ab")).unwrap();
            if aborts {
                drop(queue.on_abort());
            } else {
                queue.set_held(false);
                assert_eq!(queue.on_write(Bytes::from_static(b"c")), Ok(()));
                queue.on_flush_begins();
                assert_eq!(queue.on_write(Bytes::new()), Err(WriteError::Closed));
                drop(queue.on_written(3));
            }
            assert!(queue.is_done());
        }
    }

    #[test]
    fn an_aborted_queue_is_done_and_reports_no_more_marks() {
        let mut queue = queue_of(WriteQueue::DEFAULT_HIGH_BYTES + 1);
        assert!(!queue.on_abort().is_empty());
        assert!(queue.is_done() && queue.is_closing());
        assert_eq!(queue.poll_mark(), None);
        assert!(queue.on_abort().is_empty());
        assert!(queue.on_written(5).is_empty());
        assert_eq!(queue.on_write(Bytes::new()), Err(WriteError::Closed));
    }

    #[test]
    fn a_refused_chunk_and_a_spent_one_are_the_callers_to_drop() {
        struct Owner(Arc<[u8]>);
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        thread_local!(static DROPPED: Rc<Cell<u32>> = Rc::default());
        impl Drop for Owner {
            fn drop(&mut self) {
                DROPPED.with(|dropped| dropped.set(dropped.get() + 1));
            }
        }
        let dropped = DROPPED.with(Rc::clone);
        let owned = || Bytes::from_owner(Owner(Arc::from(*b"abc")));

        let mut queue = WriteQueue::new();
        queue.on_write(owned()).unwrap();
        let spent = queue.on_written(3);
        assert_eq!(dropped.get(), 0);
        drop(spent);
        assert_eq!(dropped.get(), 1);

        drop(queue.on_abort());
        let mut refused = owned();
        assert_eq!(queue.on_write_from(&mut refused), Err(WriteError::Closed));
        assert_eq!(dropped.get(), 1);
        drop(refused);
        assert_eq!(dropped.get(), 2);
    }
}

//! [`FakeOutput`]: what the queue of a fake is written to, which may be full.

use bytes::{Bytes, BytesMut};
use procession_core::driver::{Spent, WriteQueue};

/// The data that have left the queue, and the room for more.
#[derive(Debug, Default)]
pub(super) struct FakeOutput {
    written: BytesMut,
    /// `Some` while the capacity is limited: the number of bytes that still fit.
    room: Option<usize>,
}

impl FakeOutput {
    pub(super) fn written(&self) -> Bytes {
        Bytes::copy_from_slice(&self.written)
    }

    pub(super) fn set_room(&mut self, room: Option<usize>) {
        self.room = room;
    }

    pub(super) fn add_room(&mut self, bytes: usize) {
        self.room = self.room.map(|room| room.saturating_add(bytes));
    }

    /// Writes as many queued bytes as fit.
    pub(super) fn flush(&mut self, queue: &mut WriteQueue, spent: &mut Spent) {
        while let Some(front) = queue.front() {
            let count = front.len().min(self.room.unwrap_or(usize::MAX));
            if count == 0 {
                break;
            }
            self.written.extend_from_slice(&front[..count]);
            self.room = self.room.map(|room| room - count);
            queue.on_written_into(count, spent);
        }
    }
}

//! The writing half of a pipe: a queue, and whether the descriptor takes more.

use std::io::IoSlice;
use std::os::fd::BorrowedFd;

use procession_core::driver::{Spent, WriteQueue};
use rustix::io::Errno;

/// The number of chunks that one `writev` takes.
const SLICES: usize = 64;

pub(super) struct Writer {
    pub(super) queue: WriteQueue,
    /// The descriptor took less than offered, and has not become writable since.
    pub(super) blocked: bool,
    /// A hang-up or an error was seen. Another report of it would make the loop spin.
    pub(super) peer_gone: bool,
    /// A hang-up or an error was seen while the writer was blocked, so there will be no room.
    pub(super) gone_while_blocked: bool,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self {
            queue: WriteQueue::new(),
            blocked: false,
            peer_gone: false,
            gone_while_blocked: false,
        }
    }

    /// Writes until the queue is empty or the descriptor is full. A full descriptor sets `blocked`.
    #[inline]
    pub(super) fn write(
        &mut self,
        fd: BorrowedFd<'_>,
        always_ready: bool,
        spent: &mut Spent,
    ) -> rustix::io::Result<()> {
        while !self.queue.is_empty() {
            let (written, offered) = self.write_once(fd);
            match written {
                Ok(n) => {
                    self.queue.on_written_into(n, spent);
                    if n < offered && !always_ready {
                        // The descriptor took less than offered, so it is full. No further call is
                        // needed to know this.
                        self.blocked = true;
                        return Ok(());
                    }
                }
                Err(Errno::AGAIN) => {
                    self.blocked = true;
                    return Ok(());
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns what the write returned, and how many bytes were offered.
    #[inline]
    fn write_once(&self, fd: BorrowedFd<'_>) -> (rustix::io::Result<usize>, usize) {
        if let Some(front) = self.queue.front()
            && front.len() == self.queue.len()
        {
            return (rustix::io::write(fd, front), front.len());
        }
        self.write_several(fd)
    }

    #[cold]
    fn write_several(&self, fd: BorrowedFd<'_>) -> (rustix::io::Result<usize>, usize) {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.queue.slices(&mut slices);
        let slices = &slices[..count];
        (rustix::io::writev(fd, slices), slices.iter().map(|slice| slice.len()).sum())
    }
}

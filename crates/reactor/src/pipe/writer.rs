//! The writing half: a queue, and whether the descriptor takes more.

use std::io::IoSlice;
use std::os::fd::BorrowedFd;

use procession_core::driver::{Spent, WriteQueue};
use rustix::io::Errno;

/// How many chunks one `writev` takes.
const SLICES: usize = 64;

pub(super) struct Writer {
    pub(super) queue: WriteQueue,
    /// The descriptor took less than was offered, and has not become writable since.
    pub(super) blocked: bool,
    /// A hang-up or an error was seen: being told again would spin.
    pub(super) peer_gone: bool,
    /// The same, seen while it was blocked: there will be no room.
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

    /// Until the queue is empty or the descriptor is full; then it is `blocked`.
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
                        // It took less than it was offered: it is full, without asking again.
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

    /// What was written, and how much was offered.
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

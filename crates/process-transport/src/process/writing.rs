//! The writing half of a child's ends: queues, flushes and closes.

use super::leftovers::{Leftovers, Told};
use super::state::{End, State};
use bytes::Bytes;
use procession_core::WriteError;
use procession_protocol::ChildFd;
use procession_reactor::Handle;
use procession_reactor::pipe::{Direction, FlushOutcome, Pipe};

impl State {
    /// Writes what is queued and closes what is to be closed, for every end.
    pub(super) fn flush(&mut self, reactor: &Handle, left: &mut Leftovers) {
        for index in 0..self.ends.len() {
            let end = &mut self.ends[index];
            if end.direction == Direction::Read {
                if end.closing {
                    self.flushed(reactor, index, FlushOutcome::Idle, left);
                }
                continue;
            }
            let Some(pipe) = end.pipe.as_mut() else { continue };
            let outcome = pipe.flush_into(reactor, &mut left.chunks);
            if let Some(queue) = pipe.queue() {
                while let Some(mark) = queue.poll_mark() {
                    self.lifecycle.on_mark(end.fd, mark);
                }
            }
            // Nearly always there is nothing left to do.
            if !matches!(outcome, FlushOutcome::Idle) || end.closing || end.fed_by.is_some() {
                self.flushed(reactor, index, outcome, left);
            }
        }
    }

    /// Acts on what became of a flush.
    fn flushed(
        &mut self,
        reactor: &Handle,
        index: usize,
        outcome: FlushOutcome,
        left: &mut Leftovers,
    ) {
        let hang_up = self.is_terminal(self.ends[index].fd) && self.ends[index].closing;
        let end = &mut self.ends[index];
        let fd = end.fd;
        let Some(pipe) = end.pipe.as_mut() else { return };
        let mut close = end.closing;
        if pipe.is_writing() {
            close = match outcome {
                // What the child wrote before it closed its end is still to be read.
                FlushOutcome::Lost(_) if pipe.is_reading() => {
                    end.peer_gone = true;
                    let fed_by = end.fed_by.take();
                    let unsent = pipe.queue().map_or(0, |queue| queue.len());
                    left.tell(fed_by.map(|forward| Told::SinkLost(forward, unsent)));
                    left.take(pipe.end_writing(reactor));
                    end.closing
                }
                FlushOutcome::Lost(_) => true,
                FlushOutcome::Done => end.closing,
                FlushOutcome::Blocked => {
                    if end.closing && pipe.is_reading() && !hang_up {
                        // It is closed for what the child writes; left in the poller that would wake
                        // the loop for as long as the queue waits.
                        pipe.end_reading(reactor);
                    }
                    hang_up
                }
                _ => {
                    left.tell(end.fed_by.clone().map(Told::SinkReady));
                    hang_up
                }
            };
            if !close && end.shutting_down && pipe.queue().is_some_and(|queue| queue.is_done()) {
                let fed_by = end.fed_by.take();
                left.tell(fed_by.map(|forward| Told::SinkLost(forward, 0)));
                shut_down(reactor, pipe);
                left.take(pipe.end_writing(reactor));
                close = !pipe.is_reading();
            }
        }
        if close {
            self.close(reactor, fd, left);
        }
    }

    /// The end that a write to `fd` goes to: of a terminal all goes to its 0.
    #[inline]
    pub(super) fn writable_end(&mut self, fd: ChildFd) -> Result<&mut End, WriteError> {
        let fd = match fd {
            ChildFd::STDIN if self.has_terminal => ChildFd::STDOUT,
            ChildFd::STDOUT | ChildFd::STDERR if self.has_terminal => {
                return Err(WriteError::NotWritable);
            }
            fd => fd,
        };
        let end = self.end(fd).ok_or(WriteError::UnknownFd)?;
        if end.direction == Direction::Read { Err(WriteError::NotWritable) } else { Ok(end) }
    }

    /// Queues data for one end.
    ///
    /// What is not taken stays in `data`, to be dropped where nothing is borrowed.
    #[inline]
    pub(super) fn write(&mut self, fd: ChildFd, data: &mut Bytes) -> Result<(), WriteError> {
        let end = self.writable_end(fd)?;
        let queue = end.pipe.as_mut().and_then(Pipe::queue).ok_or(WriteError::Closed)?;
        queue.on_write_from(data)
    }

    /// Marks one end for closing; true if there is something to do at the flush.
    pub(super) fn ask_close(&mut self, fd: ChildFd) -> bool {
        if self.is_terminal(fd) {
            return false;
        }
        let Some(end) = self.end(fd) else { return false };
        let Some(pipe) = &mut end.pipe else { return false };
        end.closing = true;
        if let Some(queue) = pipe.queue() {
            queue.on_close();
        }
        true
    }

    /// Marks the terminal for closing, which hangs the child up; true if there is one.
    pub(super) fn ask_hang_up(&mut self) -> bool {
        if !self.has_terminal {
            return false;
        }
        let Some(end) = self.end(ChildFd::STDOUT).filter(|end| end.pipe.is_some()) else {
            return false;
        };
        end.closing = true;
        true
    }

    /// Ends the parent's direction of a socketpair after its queue.
    pub(super) fn ask_shutdown(&mut self, fd: ChildFd) -> bool {
        if self.is_terminal(fd) {
            return false;
        }
        let Some(end) = self.end(fd) else { return false };
        if end.direction != Direction::Both {
            return self.ask_close(fd);
        }
        let Some(queue) = end.pipe.as_mut().and_then(Pipe::queue) else { return false };
        queue.on_close();
        end.shutting_down = true;
        true
    }
}

/// Tells the child that no more is coming on a socketpair.
pub(super) fn shut_down(reactor: &Handle, pipe: &Pipe) {
    let how = rustix::net::Shutdown::Write;
    // Not connected any more is as good.
    reactor.with_fd(pipe.key(), |fd| rustix::net::shutdown(fd, how)).map(Result::ok);
}

//! Forwarding, as a child's state has it: an end as source or as sink.

use super::state::State;
use procession_core::WriteError;
use procession_protocol::ChildFd;
use procession_reactor::forward::Forward;
use procession_reactor::pipe::{Pipe, ReadEvent};
use procession_reactor::{Handle, Key};
use std::rc::Rc;

impl State {
    /// Whether what the child writes to `fd` can be moved on.
    pub(super) fn can_forward(&mut self, fd: ChildFd) -> bool {
        self.end(fd).is_some_and(|end| {
            end.forward.is_none() && !end.closing && end.pipe.as_ref().is_some_and(Pipe::is_reading)
        })
    }

    pub(super) fn set_forward(&mut self, fd: ChildFd, forward: Rc<Forward>) {
        if let Some(end) = self.end(fd) {
            end.forward = Some(forward);
        }
    }

    /// The loop stops, and what is still to come of the sources is not moved.
    pub(super) fn cut_forwards(&self) {
        for forward in self.ends.iter().filter_map(|end| end.forward.as_ref()) {
            forward.cut_off();
        }
    }

    pub(super) fn forward(&mut self, fd: ChildFd) -> Option<Rc<Forward>> {
        self.end(fd)?.forward.clone()
    }

    pub(super) fn take_forward(&mut self, fd: ChildFd) -> Option<Rc<Forward>> {
        self.end(fd)?.forward.take()
    }

    /// Makes `fd` the sink of a forwarding.
    pub(super) fn feed(&mut self, fd: ChildFd, forward: &Rc<Forward>) -> Result<(), WriteError> {
        let end = self.writable_end(fd)?;
        if end.closing || end.pipe.as_ref().is_none_or(|pipe| !pipe.is_writing()) {
            return Err(WriteError::Closed);
        }
        if end.fed_by.is_some() {
            return Err(WriteError::NotWritable);
        }
        end.fed_by = Some(Rc::clone(forward));
        Ok(())
    }

    /// The forwarding into `fd` is over.
    pub(super) fn feed_ends(&mut self, fd: ChildFd) -> Option<Rc<Forward>> {
        self.writable_end(fd).ok()?.fed_by.take()
    }

    pub(super) fn key(&mut self, fd: ChildFd) -> Option<Key> {
        Some(self.end(fd)?.pipe.as_ref()?.key())
    }

    /// The key of the end that a write to `fd` goes to.
    pub(super) fn sink_key(&mut self, fd: ChildFd) -> Option<Key> {
        Some(self.writable_end(fd).ok()?.pipe.as_ref()?.key())
    }

    /// One read, whether the end is paused or not.
    pub(super) fn read_any(&mut self, reactor: &Handle, fd: ChildFd) -> Option<ReadEvent> {
        Some(self.end(fd)?.pipe.as_mut()?.read(reactor))
    }

    pub(super) fn is_paused(&mut self, fd: ChildFd) -> bool {
        let pipe = self.end(fd).and_then(|end| end.pipe.as_ref());
        pipe.is_some_and(Pipe::is_paused)
    }

    /// Asks the poller for the moment at which `fd` has room.
    pub(super) fn wait_for_room(&mut self, reactor: &Handle, fd: ChildFd) {
        let pipe = self.writable_end(fd).ok().and_then(|end| end.pipe.as_mut());
        // Without memory in the poller the forwarding stands still until the source ends.
        pipe.map(|pipe| pipe.wait_for_room(reactor).ok());
    }

    /// So many bytes have passed at once and past its reads: the pipe may be due for a larger size.
    pub(super) fn on_source_moved(&mut self, reactor: &Handle, fd: ChildFd, bytes: usize) {
        if let Some(pipe) = self.end(fd).and_then(|end| end.pipe.as_mut()) {
            pipe.on_moved(reactor, bytes);
        }
    }

    /// The same past its flushes.
    pub(super) fn on_sink_moved(&mut self, reactor: &Handle, fd: ChildFd, bytes: usize) {
        if let Some(pipe) = self.writable_end(fd).ok().and_then(|end| end.pipe.as_mut()) {
            pipe.on_moved(reactor, bytes);
        }
    }

    /// Watches the source of a forwarding, or leaves it alone.
    pub(super) fn watch_source(&mut self, reactor: &Handle, fd: ChildFd, watched: bool) {
        let Some(pipe) = self.end(fd).and_then(|end| end.pipe.as_mut()) else { return };
        if watched {
            pipe.resume(reactor).ok(); // as above
        } else {
            pipe.pause(reactor);
        }
    }
}

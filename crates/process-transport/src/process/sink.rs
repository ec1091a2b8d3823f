//! A writable end of a child as the sink of a forwarding.

use super::Transport;
use bytes::Bytes;
use procession_core::WriteError;
use procession_protocol::{ChildFd, ProcessControl};
use procession_reactor::Key;
use procession_reactor::driver::Drive;
use procession_reactor::forward::{Forward, Port, SinkPort};
use std::io;
use std::rc::{Rc, Weak};

/// A writable end, as a forwarding has it; of a terminal's child its fd 0 is one.
pub(super) struct SinkEnd {
    transport: Weak<Transport>,
    fd: ChildFd,
}

impl SinkEnd {
    pub(super) fn new(transport: Weak<Transport>, fd: ChildFd) -> Self {
        Self { transport, fd }
    }

    fn with<R>(&self, call: impl FnOnce(&Transport) -> R) -> Option<R> {
        Some(call(&*self.transport.upgrade()?))
    }
}

impl Port for SinkEnd {
    fn key(&self) -> Option<Key> {
        self.with(|sink| sink.state.with(|state| state.sink_key(self.fd))).flatten()
    }

    fn on_moved(&self, bytes: usize) {
        self.with(|sink| {
            sink.state.with(|state| state.on_sink_moved(sink.driver.reactor(), self.fd, bytes));
        });
    }
}

impl SinkPort for SinkEnd {
    fn feed(&self, forward: &Rc<Forward>) -> io::Result<()> {
        let sink = self.transport.upgrade().ok_or(WriteError::Closed)?;
        Ok(sink.state.with(|state| state.feed(self.fd, forward))?)
    }

    /// Its own transport flushes it.
    fn write(&self, data: &mut Bytes) -> io::Result<()> {
        let sink = self.transport.upgrade().ok_or(WriteError::Closed)?;
        sink.state.with(|state| state.write(self.fd, data))?;
        sink.queue_flush();
        Ok(())
    }

    fn queued(&self) -> usize {
        self.with(|sink| ProcessControl::write_buffered(sink, self.fd)).unwrap_or(0)
    }

    fn wait_for_room(&self) -> bool {
        self.with(|sink| {
            sink.state.with(|state| state.wait_for_room(sink.driver.reactor(), self.fd));
        });
        true
    }

    /// Of a socketpair only this direction has ended.
    fn finish(&self) {
        let Some(sink) = self.transport.upgrade() else { return };
        let over = sink.state.with(|state| state.feed_ends(self.fd));
        drop(over);
        ProcessControl::shutdown_child_fd(&*sink, self.fd);
    }
}

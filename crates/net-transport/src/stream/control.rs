//! What a program can do to a connection: [`TransportControl`], over the state. No method calls
//! back.

use std::io;
use std::os::fd::OwnedFd;

use bytes::Bytes;
use procession_core::{WriteError, WriteQueue};
use procession_protocol::{Address, TransportControl};

use super::Stream;

impl TransportControl for Stream {
    fn write(&self, mut data: Bytes) -> Result<(), WriteError> {
        self.state.with(|state| state.write(&mut data))?;
        self.queue_flush();
        Ok(())
    }

    fn write_buffered(&self) -> usize {
        self.state.with(|state| state.queue().map_or(0, |queue| WriteQueue::len(queue)))
    }

    fn set_write_limits(&self, high: usize, low: usize) -> Result<(), WriteError> {
        self.state.with(|state| {
            state.queue()?.set_limits(high, low);
            Ok(())
        })?;
        self.queue_flush(); // a mark may be due
        Ok(())
    }

    fn lose_connection(&self) {
        if self.state.with(|state| state.ask_close()) {
            self.queue_flush();
        }
    }

    fn abort_connection(&self) {
        let left = self.state.with(|state| state.abort(&self.reactor));
        drop(left);
        self.queue_flush(); // the loss is due
    }

    fn shutdown_write(&self) {
        if self.state.with(|state| state.ask_shutdown()) {
            self.queue_flush();
        }
    }

    fn pause(&self) {
        self.state.with(|state| state.pause(&self.reactor));
    }

    fn resume(&self) {
        if self.state.with(|state| state.resume(&self.reactor)) {
            self.queue_read();
        }
    }

    fn peer(&self) -> Address {
        self.peer.clone()
    }

    fn host(&self) -> Address {
        self.host.clone()
    }

    fn take_fd(&self) -> io::Result<OwnedFd> {
        let (fd, left) = self.state.with(|state| state.take_fd(&self.reactor));
        drop(left);
        if fd.is_ok() {
            drop(self.slot.retire());
        } else {
            self.queue_flush(); // what the attempt to write found out may be due
        }
        fd
    }
}

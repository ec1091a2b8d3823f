//! What a program can do to a connection: [`TransportControl`], over the state. No method calls
//! back.

use std::io;
use std::os::fd::OwnedFd;

use bytes::Bytes;
use procession_core::{WriteError, WriteQueue};
use procession_protocol::{Address, TransportControl};
use procession_reactor::driver::{Drive, Machine};

use super::transport::Stream;

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
        let spent = self.state.with(|state| state.abort(self.driver.reactor()));
        self.queue_flush(); // the loss is due
        drop(spent);
    }

    fn shutdown_write(&self) {
        if self.state.with(|state| state.ask_shutdown()) {
            self.queue_flush();
        }
    }

    fn pause(&self) {
        self.state.with(|state| state.pause(self.driver.reactor()));
    }

    fn resume(&self) {
        if self.state.with(|state| state.resume(self.driver.reactor())) {
            self.read_later(());
        }
    }

    fn peer(&self) -> Address {
        self.peer.clone()
    }

    fn host(&self) -> Address {
        self.host.clone()
    }

    fn take_fd(&self) -> io::Result<OwnedFd> {
        let (fd, spent) = self.state.with(|state| state.take_fd(self.driver.reactor()));
        if fd.is_ok() {
            drop(self.slot.retire());
        } else {
            self.queue_flush(); // what the attempt to write found out may be due
        }
        drop(spent);
        fd
    }
}

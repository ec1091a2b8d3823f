//! What a program can do to a connection: [`TransportControl`] over the state. No method calls
//! back.

use std::any::Any;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::Bytes;
use procession_core::{Deferred, WriteError};
use procession_protocol::driver::{Producers, TransportControl};
use procession_protocol::{Address, ForwardError, Target};
use procession_reactor::driver::{Forward, Machine, SinkPort};

use super::ports::{OutputPort, forward};
use super::state::StreamState;
use super::transport::Stream;

impl TransportControl for Stream {
    fn write(&self, mut data: Bytes) -> Result<(), WriteError> {
        let written = self.state.with(|state| state.write(&mut data));
        written.map_err(|error| self.write_error(error))?;
        self.queue_flush();
        Ok(())
    }

    fn write_buffered(&self) -> usize {
        self.state.with(StreamState::queued)
    }

    fn set_write_limits(&self, high: usize, low: usize) -> Result<(), WriteError> {
        let set = self.state.with(|state| {
            state.queue()?.set_limits(high, low);
            Ok(())
        });
        set.map_err(|error| self.write_error(error))?;
        self.queue_flush(); // a mark may be due
        Ok(())
    }

    fn write_limits(&self) -> Option<(usize, usize)> {
        self.state.with(|state| Some(state.queue().ok()?.limits()))
    }

    fn set_write_hard_limit(&self, max: Option<usize>) -> Result<(), WriteError> {
        let set = self.state.with(|state| {
            state.queue()?.set_hard_limit(max);
            Ok(())
        });
        set.map_err(|error| self.write_error(error))
    }

    fn lose_connection(&self) {
        let closing = self.state.with(StreamState::ask_close);
        self.go_on_closing(closing);
    }

    fn hold_open(&self, held: bool) {
        let closing = self.state.with(|state| state.hold_open(held));
        self.go_on_closing(closing);
    }

    fn producers(&self) -> Option<&Producers> {
        Some(self.slot.producers())
    }

    fn abort_connection(&self) {
        let left = self.state.with(|state| state.abort(self.driver.reactor()));
        self.queue_flush(); // the loss is due
        left.settle_in_verb();
    }

    fn shutdown_write(&self) {
        if self.state.with(|state| state.ask_shutdown()) {
            self.queue_flush();
        }
    }

    fn pause(&self) {
        let forward = self.state.with(|state| state.pause(self.driver.reactor()));
        if let Some(forward) = forward {
            forward.set_paused(true);
        }
    }

    fn resume(&self) {
        let forward = self.state.with(|state| state.resume(self.driver.reactor()));
        if let Some(forward) = forward {
            forward.set_paused(false);
        } else if self.reads_without_events(()) {
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
        if self.is_cut_off.get() {
            return Err(WriteError::ReactorGone.into());
        }
        let (fd, left) = self.state.with(|state| state.take_fd(self.driver.reactor()));
        if fd.is_ok() {
            drop(self.slot.retire());
        } else {
            self.queue_flush(); // the write may have failed, and then the loss is due
        }
        left.settle_in_verb();
        fd
    }

    fn forward(&self, target: Target) -> Deferred<u64, ForwardError> {
        match self.driver.me().upgrade() {
            Some(me) => forward(&me, target),
            None => Deferred::ready(Err(ForwardError::new(0, WriteError::ReactorGone))),
        }
    }

    fn sink_port(&self) -> Option<Box<dyn Any>> {
        let port: Rc<dyn SinkPort> = Rc::new(OutputPort::new(self.driver.me().clone()));
        Some(port.into_any())
    }
}

impl Stream {
    /// Queues a flush if one is due for a close, and reports to the forwarding of the input that nothing
    /// is read any more.
    fn go_on_closing(&self, (is_due, forward): (bool, Option<Rc<Forward>>)) {
        if is_due {
            self.queue_flush();
        }
        if let Some(forward) = forward {
            forward.complete_later();
            forward.source_closed();
        }
    }
}

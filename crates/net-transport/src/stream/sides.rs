//! What forwardings do to a connection's state: to its input as a source, and to its output as a
//! sink.

use std::io;
use std::rc::Rc;

use procession_core::WriteError;
use procession_reactor::Handle;
use procession_reactor::driver::{Forward, Key, Pipe, ReadEvent};

use super::leftovers::Leftovers;
use super::state::StreamState;

/// What a forwarding does with the input.
impl StreamState {
    /// Returns why the input cannot be forwarded, if it cannot.
    pub(super) fn forward_refusal(&mut self) -> Option<&'static str> {
        let is_read = self.lifecycle.accepts() && !self.lifecycle.has_failed();
        if self.routes.forward.is_some() {
            Some("it is forwarded already")
        } else if !is_read || self.pipes.reader().is_none() {
            Some("it is closed")
        } else {
            None
        }
    }

    /// Starts to forward the input. Returns whether the input is paused.
    pub(super) fn set_forward(&mut self, forward: &Rc<Forward>) -> bool {
        self.routes.forward = Some(Rc::clone(forward));
        !self.lifecycle.reads()
    }

    pub(super) fn forward(&self) -> Option<Rc<Forward>> {
        self.routes.forward.clone()
    }

    /// Returns whether the input is forwarded although no event will report it.
    pub(super) fn forwards_without_events(&mut self) -> bool {
        self.routes.forward.is_some()
            && self.pipes.is_always_ready()
            && self.pipes.reader().is_some_and(|pipe| !pipe.is_paused())
    }

    pub(super) fn input_key(&mut self) -> Option<Key> {
        self.pipes.reader().map(|pipe| Pipe::key(pipe))
    }

    /// Reads once, paused or not, and does not report to the lifecycle.
    pub(super) fn read_raw(&mut self, reactor: &Handle) -> Option<ReadEvent> {
        self.pipes.reader().map(|pipe| pipe.read(reactor))
    }

    /// Starts or stops watching the input of a forwarding.
    pub(super) fn watch_source(&mut self, reactor: &Handle, watched: bool) {
        if self.lifecycle.accepts() {
            self.watch(reactor, watched);
        }
    }

    /// Ends the forwarding of the input. `failed` is the error of the reads, if any. If the peer
    /// has not sent its last byte, the target was lost.
    pub(super) fn forward_ends(
        &mut self,
        reactor: &Handle,
        ended: bool,
        failed: Option<io::Error>,
    ) -> Leftovers {
        let mut left = Leftovers::default();
        let Some(forward) = self.routes.forward.take() else { return left };
        match failed {
            Some(error) => self.lifecycle.on_read_failed(error),
            None if ended => self.lifecycle.on_read_end(),
            // The forwarding was draining a connection that has failed.
            None if self.lifecycle.has_failed() => self.lifecycle.on_nothing_to_read(),
            None => {
                // The protocol must not get the rest of the data, so a producer does not delay this close.
                self.hold_open(false);
                self.ask_close(); // it returns no forwarding, which was taken above
            }
        }
        self.meet_demands(reactor, &mut left);
        left.keep(forward);
        left
    }
}

/// What a forwarding does with the output.
impl StreamState {
    /// Becomes the sink of a forwarding.
    pub(super) fn feed(&mut self, forward: &Rc<Forward>) -> Result<(), WriteError> {
        if self.queue()?.is_closing() {
            return Err(WriteError::Closed);
        }
        if self.routes.fed_by.is_some() {
            return Err(WriteError::NotWritable);
        }
        self.routes.fed_by = Some(Rc::clone(forward));
        Ok(())
    }

    pub(super) fn output_key(&mut self) -> Option<Key> {
        self.pipes.writer().map(|pipe| Pipe::key(pipe))
    }

    /// Makes the poller report when there is room. Returns false if the output never blocks.
    pub(super) fn wait_for_room(&mut self, reactor: &Handle) -> bool {
        let Some(pipe) = self.pipes.writer() else { return true };
        if pipe.is_always_ready() {
            return false;
        }
        // If the poller has no memory left, the forwarding stalls until its source ends.
        pipe.wait_for_room(reactor).ok();
        true
    }

    /// Ends the forwarding into the output. The writing ends after the flush.
    pub(super) fn feed_ends(&mut self) -> Option<Rc<Forward>> {
        let over = self.routes.fed_by.take();
        self.ask_shutdown();
        over
    }
}

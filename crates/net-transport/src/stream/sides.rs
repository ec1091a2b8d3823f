//! What forwardings do to a connection's state: to the input of one that is moved on, and to the output
//! of one that is fed.

use std::io;
use std::rc::Rc;

use procession_core::WriteError;
use procession_reactor::Handle;
use procession_reactor::driver::{Forward, Key, Pipe, ReadEvent};

use super::leftovers::Leftovers;
use super::state::State;

/// What a forwarding does with the input.
impl State {
    /// Returns why what is read cannot be moved on, if it cannot.
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

    /// Begins to move on what is read. Returns whether the input is paused.
    pub(super) fn set_forward(&mut self, forward: &Rc<Forward>) -> bool {
        self.routes.forward = Some(Rc::clone(forward));
        !self.lifecycle.reads()
    }

    pub(super) fn forward(&self) -> Option<Rc<Forward>> {
        self.routes.forward.clone()
    }

    /// Returns whether what is read is moved on, although no event will ask for it.
    pub(super) fn forwards_without_events(&mut self) -> bool {
        self.routes.forward.is_some()
            && self.pipes.is_always_ready()
            && self.pipes.reader().is_some_and(|pipe| !pipe.is_paused())
    }

    pub(super) fn input_key(&mut self) -> Option<Key> {
        self.pipes.reader().map(|pipe| Pipe::key(pipe))
    }

    /// Reads once, paused or not, and tells nobody.
    pub(super) fn read_raw(&mut self, reactor: &Handle) -> Option<ReadEvent> {
        self.pipes.reader().map(|pipe| pipe.read(reactor))
    }

    /// Watches the input of a forwarding, or leaves it alone.
    pub(super) fn watch_source(&mut self, reactor: &Handle, watched: bool) {
        if self.lifecycle.accepts() {
            self.watch(reactor, watched);
        }
    }

    /// The forwarding of the input is over, for the reason that the reads gave, if any. Where the peer
    /// has not sent its last, the target was lost.
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
            // It was to move what was left.
            None if self.lifecycle.has_failed() => self.lifecycle.on_nothing_to_read(),
            None => {
                self.ask_close(); // there is no other forwarding to tell
            }
        }
        self.meet_demands(reactor, &mut left);
        left.keep(forward);
        left
    }
}

/// What a forwarding does with the output.
impl State {
    /// Begins to be the sink of a forwarding.
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

    /// Asks the poller for the moment at which there is room; false if it never blocks.
    pub(super) fn wait_for_room(&mut self, reactor: &Handle) -> bool {
        let Some(pipe) = self.pipes.writer() else { return true };
        if pipe.is_always_ready() {
            return false;
        }
        // Without memory in the poller the forwarding stands still until its source ends.
        pipe.wait_for_room(reactor).ok();
        true
    }

    /// The forwarding into it is over: the writing ends after the flush.
    pub(super) fn feed_ends(&mut self) -> Option<Rc<Forward>> {
        let over = self.routes.fed_by.take();
        self.ask_shutdown();
        over
    }
}

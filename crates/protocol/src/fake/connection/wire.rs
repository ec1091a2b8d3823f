//! The wire of a fake connection: the queue of data for the peer, and the data that the peer sent.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};

use bytes::Bytes;
use procession_core::WriteError;
use procession_core::driver::{Spent, WriteQueue};

use crate::connection::{ConnectionLifecycle, Demand};
use crate::fake::output::FakeOutput;

/// The state of the peer's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PeerEnd {
    Open,
    /// The peer sends no more.
    ShutDown,
    /// The peer neither sends nor reads.
    Closed,
    /// The peer has reset the connection.
    Reset,
}

#[derive(Debug)]
pub(super) struct FakeWire {
    /// `None` once nothing can be written any more.
    queue: Option<WriteQueue>,
    pub(super) output: FakeOutput,
    /// The data that the peer sent and the protocol has not received.
    inbox: VecDeque<Bytes>,
    peer: PeerEnd,
    /// Everything was written, and the peer has seen the end.
    shut_down: bool,
}

impl FakeWire {
    pub(super) fn new() -> Self {
        Self {
            queue: Some(WriteQueue::new()),
            output: FakeOutput::default(),
            inbox: VecDeque::new(),
            peer: PeerEnd::Open,
            shut_down: false,
        }
    }

    /// Returns the queue for an operation of the program.
    pub(super) fn queue(&mut self) -> Result<&mut WriteQueue, WriteError> {
        self.queue.as_mut().filter(|queue| !queue.is_closed()).ok_or(WriteError::Closed)
    }

    pub(super) fn buffered(&self) -> usize {
        self.queue.as_ref().map_or(0, WriteQueue::len)
    }

    /// Notes that the program requested the end of the output, or of the connection.
    pub(super) fn on_end_asked(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.on_close();
        }
    }

    /// Sets whether a requested end waits for a producer.
    pub(super) fn hold_open(&mut self, held: bool) {
        if let Some(queue) = &mut self.queue {
            queue.set_held(held);
        }
    }

    pub(super) fn is_shut_down(&self) -> bool {
        self.shut_down
    }

    /// Adds data from the peer, or returns them if they cannot arrive.
    pub(super) fn receive(&mut self, data: Bytes) -> Option<Bytes> {
        if self.peer == PeerEnd::Open && !data.is_empty() {
            self.inbox.push_back(data);
            None
        } else {
            Some(data)
        }
    }

    pub(super) fn end_peer(&mut self, end: PeerEnd) {
        self.peer = self.peer.max(end);
    }

    /// Writes as many queued bytes as fit, and reports the result to the lifecycle.
    pub(super) fn flush(&mut self, lifecycle: &mut ConnectionLifecycle, spent: &mut Spent) {
        let Some(queue) = &mut self.queue else { return lifecycle.on_flush_done() };
        queue.on_flush_begins();
        let failed = match self.peer {
            PeerEnd::Closed if !queue.is_empty() => Some(ErrorKind::BrokenPipe),
            PeerEnd::Reset if !queue.is_empty() => Some(ErrorKind::ConnectionReset),
            _ => None,
        };
        if failed.is_none() {
            self.output.flush(queue, spent);
        }
        while let Some(mark) = queue.poll_mark() {
            lifecycle.on_mark(mark);
        }
        if let Some(kind) = failed {
            lifecycle.on_write_failed(kind.into());
        } else if queue.is_done() {
            lifecycle.on_flush_done();
        } else if !queue.is_empty() {
            lifecycle.on_flush_blocked();
        }
    }

    /// Passes the next data from the peer, or the peer's end, to the lifecycle.
    pub(super) fn read(&mut self, lifecycle: &mut ConnectionLifecycle, spent: &mut Spent) {
        if self.peer >= PeerEnd::Closed {
            lifecycle.on_peer_gone();
        }
        if !lifecycle.reads() {
            return;
        }
        match (self.inbox.pop_front(), self.peer) {
            (Some(data), _) => spent.extend(lifecycle.on_data(data)),
            (None, PeerEnd::Open) => lifecycle.on_nothing_to_read(),
            (None, PeerEnd::ShutDown | PeerEnd::Closed) => lifecycle.on_read_end(),
            (None, PeerEnd::Reset) => lifecycle.on_read_failed(ErrorKind::ConnectionReset.into()),
        }
    }

    /// Does what the lifecycle demands.
    pub(super) fn meet(&mut self, lifecycle: &mut ConnectionLifecycle, spent: &mut Spent) {
        while let Some(demand) = lifecycle.poll_demand() {
            match demand {
                // `read` already asks the lifecycle whether to read.
                Demand::StopReading | Demand::EndReading => {}
                Demand::EndWriting => self.end_writing(spent),
                Demand::ShutDown => {
                    self.shut_down = true;
                    self.end_writing(spent);
                }
                Demand::AskReason => lifecycle.on_gone(self.reason()),
                Demand::Discard => spent.extend(self.inbox.drain(..)),
                Demand::Reset => {}
                Demand::Close => {
                    spent.extend(self.inbox.drain(..));
                    self.end_writing(spent);
                }
            }
        }
    }

    fn end_writing(&mut self, spent: &mut Spent) {
        if let Some(mut queue) = self.queue.take() {
            spent.extend(queue.on_abort());
        }
    }

    fn reason(&self) -> io::Result<()> {
        match self.peer {
            PeerEnd::Reset => Err(ErrorKind::ConnectionReset.into()),
            _ => Ok(()),
        }
    }
}

//! What is driven: the trait, and what its driver keeps in it.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::rc::{Rc, Weak};
use std::thread;

use bytes::Bytes;
use procession_core::Deferred;

use crate::handle::Handle;
use crate::handler::Ready;
use crate::pipe::ReadEvent;
use crate::stopping::{Enrolled, OnStop, OwnedEnd};

/// A transport: what differs between a child and a connection.
///
/// Each method is a short change of the transport's state, and no method but
/// [`deliver`](Self::deliver) and [`deliver_data`](Self::deliver_data) calls a protocol. What may run
/// foreign code when it is dropped is handed out as [`Leftovers`](Self::Leftovers), or dropped where
/// nothing is borrowed.
pub trait Machine: Sized + 'static {
    /// Says which input is read.
    type Source: Copy;
    /// A callback that is due.
    type Event;
    /// The handle that callbacks are given.
    type Subject;
    /// What a change leaves over, to be dropped or told where nothing is borrowed.
    type Leftovers;

    /// Returns what the driver keeps.
    fn driver(&self) -> &Driver<Self>;

    /// Makes the handle that callbacks are given.
    fn subject(me: Rc<Self>) -> Self::Subject;

    /// Returns whether [`poll_event`](Self::poll_event) gives something.
    fn has_event(&self) -> bool;

    /// Takes the callback that is due next.
    fn poll_event(&self) -> Option<Self::Event>;

    /// Makes one callback.
    ///
    /// # Errors
    ///
    /// The payload of a panic; the protocol is dropped by then.
    fn deliver(&self, subject: &Self::Subject, event: Self::Event) -> thread::Result<()>;

    /// Makes the callback for data that are due before anything else.
    ///
    /// # Errors
    ///
    /// As [`deliver`](Self::deliver).
    fn deliver_data(
        &self,
        subject: &Self::Subject,
        source: Self::Source,
        data: Bytes,
    ) -> thread::Result<()>;

    /// Acts on what the poller saw of one source. Where that is a read and no more, reads once and
    /// returns what came of it.
    fn on_ready(&self, ready: Ready) -> Option<(Self::Source, Read)>;

    /// Called when an event was acted on, and before what is due then is delivered.
    #[inline]
    fn on_ready_done(&self) {}

    /// Reads once, of what is left of the turn's budget in bytes; `None` if the input is paused,
    /// closed, or somebody else's by now.
    fn read_once(&self, source: Self::Source, budget: usize) -> Option<Read>;

    /// Acts on a read that gave no data.
    fn on_read_over(&self, source: Self::Source, event: ReadEvent);

    /// Returns whether the input is read on although no event will ask for it.
    #[inline]
    fn reads_without_events(&self, source: Self::Source) -> bool {
        let _ = source;
        false
    }

    /// Has the input read in the next turn: its budget is used up, and no event will ask for it.
    fn read_later(&self, source: Self::Source) {
        let _ = source;
    }

    /// Writes what is queued, and closes what is to be closed.
    fn on_flush(&self);

    /// The protocol panicked, and is dropped: what was due for it is dropped too.
    fn on_panicked(&self) -> Self::Leftovers;

    /// The loop stops: what the kernel takes now is written, and everything is closed.
    fn on_loop_stops(&self) -> Self::Leftovers;

    /// A `run_until` is over: what the machine owns outside of the program ends as `which` says. See
    /// [`OnStop::end_owned`].
    fn end_owned(&self, which: OwnedEnd) -> Option<Deferred<(), Infallible>> {
        let _ = which;
        None
    }

    /// The loop is going away, with every descriptor in it: everything is closed, and nothing is due
    /// any more.
    fn on_loop_gone(&self) -> Self::Leftovers;

    /// Drops the protocol.
    fn retire(&self);

    /// Drops and tells what a change has left over.
    fn settle(&self, left: Self::Leftovers) {
        drop(left);
    }
}

/// What came of a read.
#[derive(Debug)]
pub enum Read {
    /// Data that are due now, before anything else.
    Data(Bytes),
    /// So many bytes, which are due after what was due before.
    Queued(usize),
    /// What is left to do; also data that nobody wants, to be dropped where nothing is borrowed.
    Event(ReadEvent),
}

/// What a driver keeps in its machine.
pub struct Driver<M> {
    me: Weak<M>,
    reactor: Handle,
    /// In the reactor's list of what is to be flushed.
    pub(super) flush_queued: Cell<bool>,
    /// Callbacks are being made further up the stack.
    pub(super) pumping: Cell<bool>,
    /// In the list of what is closed when the reactor stops.
    _enrolled: Enrolled,
}

impl<M: OnStop + 'static> Driver<M> {
    /// Has the machine closed when the reactor stops; `me` may not be there yet.
    pub fn new(reactor: &Handle, me: &Weak<M>) -> Self {
        Self {
            me: me.clone(),
            reactor: reactor.clone(),
            flush_queued: Cell::new(false),
            pumping: Cell::new(false),
            _enrolled: reactor.enrol(me.clone()),
        }
    }
}

impl<M> Driver<M> {
    /// Returns the reactor that the machine belongs to.
    #[inline]
    pub fn reactor(&self) -> &Handle {
        &self.reactor
    }

    /// Returns the machine itself, for what outlives a call.
    #[inline]
    pub fn me(&self) -> &Weak<M> {
        &self.me
    }
}

impl<M> fmt::Debug for Driver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("flush_queued", &self.flush_queued.get())
            .field("pumping", &self.pumping.get())
            .finish_non_exhaustive()
    }
}

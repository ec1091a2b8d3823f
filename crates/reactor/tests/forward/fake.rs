//! Fake ports that a test controls. They panic on a call that breaks the contract.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use bytes::Bytes;
use procession_reactor::driver::{
    EventHandler, Forward, Key, ReadEvent, Ready, SinkPort, SourcePort,
};
use procession_reactor::{Handle, Interest, Reactor};

/// The size of a read from a fake source. Two of them fill a queue.
pub(crate) const CHUNK_BYTES: usize = 200 << 10;
/// The number of queued bytes at which the forward stops reading its source.
pub(crate) const HIGH_BYTES: usize = 256 << 10;

struct IgnoreEvents;

impl EventHandler for IgnoreEvents {
    fn ready(self: Rc<Self>, _: &Handle, _: Ready) {}
}

/// Two sockets. Nothing can be spliced between sockets, so forwards of fake ports copy.
#[derive(Clone)]
pub(crate) struct Sockets {
    pub(crate) reactor: Handle,
    keys: [Key; 2],
}

impl Sockets {
    pub(crate) fn open(reactor: &Reactor) -> Self {
        let (one, other) = UnixStream::pair().expect("descriptors are left");
        let keys = [one, other].map(|socket| {
            let added =
                reactor.io().add_source(socket.into(), Interest::PAUSED, Rc::new(IgnoreEvents), 0);
            added.expect("it can be added")
        });
        Self { reactor: Handle::clone(reactor), keys }
    }
}

/// A source whose data the test sets. It panics on a call that breaks the contract.
pub(crate) struct FakeSource {
    key: Key,
    pub(crate) has_key: Cell<bool>,
    /// The number of chunks that it holds.
    pub(crate) holds: Cell<usize>,
    pub(crate) at_end: Cell<bool>,
    /// The next read returns this instead.
    pub(crate) next: RefCell<Option<ReadEvent>>,
    pub(crate) paused: Cell<bool>,
    pub(crate) watched: Cell<bool>,
    pub(crate) read_to_end: Cell<bool>,
    /// A read error fails the forward instead of ending the source.
    pub(crate) can_fail: Cell<bool>,
    /// After the close: whether the source had ended.
    pub(crate) closed: Cell<Option<bool>>,
    pub(crate) closes: Cell<u32>,
    pub(crate) forward: RefCell<Option<Rc<Forward>>>,
}

impl FakeSource {
    pub(crate) fn new(sockets: &Sockets) -> Rc<Self> {
        Rc::new(Self {
            key: sockets.keys[0],
            has_key: Cell::new(true),
            holds: Cell::new(0),
            at_end: Cell::new(false),
            next: RefCell::new(None),
            paused: Cell::new(false),
            watched: Cell::new(true),
            read_to_end: Cell::new(false),
            can_fail: Cell::new(false),
            closed: Cell::new(None),
            closes: Cell::new(0),
            forward: RefCell::new(None),
        })
    }
}

impl SourcePort for FakeSource {
    fn key(&self) -> Option<Key> {
        assert_eq!(self.closed.get(), None, "it is closed");
        self.has_key.get().then_some(self.key)
    }

    fn begin(&self, forward: &Rc<Forward>) -> bool {
        assert!(self.forward.replace(Some(forward.clone())).is_none(), "it is begun once");
        self.paused.get()
    }

    fn read(&self) -> ReadEvent {
        assert_eq!((self.closed.get(), self.paused.get()), (None, false), "it is not to be read");
        if let Some(event) = self.next.take() {
            return event;
        }
        match self.holds.get() {
            0 if self.at_end.get() => ReadEvent::End,
            0 => ReadEvent::WouldBlock,
            chunks => {
                self.holds.set(chunks - 1);
                ReadEvent::Data(Bytes::from_static(&[0; CHUNK_BYTES]))
            }
        }
    }

    fn watch(&self, watched: bool) {
        assert_eq!(self.closed.get(), None, "it is closed");
        self.watched.set(watched);
    }

    fn on_read_to_end(&self) {
        self.read_to_end.set(true);
    }

    fn on_read_failed(&self, error: io::Error) -> Option<io::Error> {
        self.can_fail.get().then_some(error)
    }

    fn close_source(&self, ended: bool) {
        self.closes.set(self.closes.get() + 1);
        self.closed.set(Some(ended));
        drop(self.forward.take());
    }
}

/// A sink that queues its data until the test empties the queue.
pub(crate) struct FakeSink {
    key: Key,
    pub(crate) refuses: Cell<bool>,
    /// A write fails. The values are whether it takes the data, and how many bytes stay queued if
    /// so.
    pub(crate) fails: Cell<Option<(bool, usize)>>,
    pub(crate) queued: Cell<usize>,
    /// The number of bytes that it has ever taken.
    pub(crate) taken: Cell<usize>,
    pub(crate) finished: Cell<bool>,
    forward: RefCell<Option<Rc<Forward>>>,
}

impl FakeSink {
    pub(crate) fn new(sockets: &Sockets) -> Rc<Self> {
        Rc::new(Self {
            key: sockets.keys[1],
            refuses: Cell::new(false),
            fails: Cell::new(None),
            queued: Cell::new(0),
            taken: Cell::new(0),
            finished: Cell::new(false),
            forward: RefCell::new(None),
        })
    }
}

impl SinkPort for FakeSink {
    fn key(&self) -> Option<Key> {
        Some(self.key)
    }

    fn feed(&self, forward: &Rc<Forward>) -> io::Result<()> {
        if self.refuses.get() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        assert!(self.forward.replace(Some(forward.clone())).is_none(), "it is fed once");
        Ok(())
    }

    fn write(&self, data: &mut Bytes) -> io::Result<()> {
        assert!(!self.finished.get() && self.queued.get() < HIGH_BYTES, "it is not to be written");
        let fails = self.fails.get();
        if fails.is_none_or(|(takes, _)| takes) {
            self.taken.set(self.taken.get() + data.len());
            self.queued.set(self.queued.get() + data.len());
            data.clear();
        }
        match fails {
            None => Ok(()),
            Some((takes, left)) => {
                self.queued.set(if takes { left } else { 0 });
                Err(io::ErrorKind::StorageFull.into())
            }
        }
    }

    fn queued(&self) -> usize {
        self.queued.get()
    }

    fn wait_for_room(&self) -> bool {
        assert!(!self.finished.get(), "it is let go of");
        true
    }

    fn finish(&self) {
        assert!(!self.finished.replace(true), "it is finished once");
        drop(self.forward.take());
    }
}

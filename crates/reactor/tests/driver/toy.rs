//! A machine whose protocol is a closure, and which records each step.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{PipeWriter, pipe};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

use bytes::Bytes;
use procession_core::driver::{Direction, WithCell};
use procession_reactor::Handle;
use procession_reactor::driver::{Driver, Machine, Outlasting, Pipe, ReadEvent, Ready};

pub(crate) type Protocol = Box<dyn FnMut(&Rc<Toy>, &str)>;

/// A transport with some inputs. It records each step.
pub(crate) struct Toy {
    pub(crate) driver: Driver<Self>,
    pub(crate) state: WithCell<ToyState>,
    /// `None` during a callback, and after the protocol was dropped.
    pub(crate) protocol: WithCell<Option<Protocol>>,
    pub(crate) log: RefCell<Vec<String>>,
    /// The size of each read since the test last took them.
    pub(crate) reads: RefCell<Vec<usize>>,
}

#[derive(Default)]
pub(crate) struct ToyState {
    pub(crate) inputs: BTreeMap<u32, Pipe>,
    pub(crate) due: VecDeque<String>,
    /// The leftovers of the next close.
    pub(crate) left: Vec<Leftover>,
    /// A closure that the next flush calls.
    pub(crate) at_flush: Option<Leftover>,
    /// How often `read_later` was called.
    pub(crate) later: u32,
}

pub(crate) type Leftover = Box<dyn FnOnce(&Toy)>;

/// The closures that `settle` calls. If it does not, they are dropped uncalled.
pub(crate) struct Leftovers(Vec<Leftover>);

impl Toy {
    pub(crate) fn new(
        reactor: &Handle,
        protocol: impl FnMut(&Rc<Self>, &str) + 'static,
    ) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            driver: Driver::new(reactor, me),
            state: WithCell::new(ToyState::default()),
            protocol: WithCell::new(Some(Box::new(protocol))),
            log: RefCell::default(),
            reads: RefCell::default(),
        })
    }

    /// Opens an input with this token.
    pub(crate) fn open(self: &Rc<Self>, token: u32, fd: impl Into<OwnedFd>) {
        let fd = fd.into();
        rustix::io::ioctl_fionbio(&fd, true).expect("it can be nonblocking");
        let reactor = self.driver.reactor();
        let input = Pipe::open(reactor, fd, Direction::Read, self.clone(), token);
        self.state.with(|state| state.inputs.insert(token, input.expect("the poller has room")));
    }

    pub(crate) fn with_pipe(self: &Rc<Self>, token: u32) -> PipeWriter {
        let (reader, writer) = pipe().expect("descriptors are left");
        self.open(token, reader);
        writer
    }

    /// Queues an event, which the next flush or ready event delivers.
    pub(crate) fn push(&self, event: &str) {
        self.state.with(|state| state.due.push_back(event.to_owned()));
    }

    pub(crate) fn leave(&self, left: impl FnOnce(&Self) + 'static) {
        self.state.with(|state| state.left.push(Box::new(left)));
    }

    pub(crate) fn note(&self, text: impl Into<String>) {
        self.log.borrow_mut().push(text.into());
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.log.take()
    }

    pub(crate) fn call(&self, subject: &Rc<Self>, event: &str) -> thread::Result<()> {
        self.note(event);
        // A nested callback would find `None` here.
        let mut protocol = self.protocol.take().expect("no callback is made inside of another");
        let called = catch_unwind(AssertUnwindSafe(|| protocol(subject, event)));
        match &called {
            Ok(()) => drop(self.protocol.replace(Some(protocol))),
            Err(_) => drop(protocol),
        }
        called
    }

    pub(crate) fn close_all(&self) -> Leftovers {
        let reactor = self.driver.reactor();
        let (inputs, left) = self
            .state
            .with(|state| (std::mem::take(&mut state.inputs), std::mem::take(&mut state.left)));
        for (_, input) in inputs {
            drop(input.close(reactor));
        }
        Leftovers(left)
    }

    pub(crate) fn is_always_ready(&self, token: u32) -> bool {
        self.state.with(|state| {
            state
                .inputs
                .get(&token)
                .is_some_and(|input| input.is_always_ready() && !input.is_paused())
        })
    }
}

impl Machine for Toy {
    type Source = u32;
    type Event = String;
    type Subject = Rc<Self>;
    type Leftovers = Leftovers;

    fn driver(&self) -> &Driver<Self> {
        &self.driver
    }

    fn subject(me: Rc<Self>) -> Rc<Self> {
        me
    }

    fn has_event(&self) -> bool {
        self.state.with(|state| !state.due.is_empty())
    }

    fn poll_event(&self) -> Option<String> {
        self.state.with(|state| state.due.pop_front())
    }

    fn deliver(&self, subject: &Rc<Self>, event: String) -> thread::Result<()> {
        self.call(subject, &event)
    }

    fn deliver_data(&self, subject: &Rc<Self>, token: u32, data: Bytes) -> thread::Result<()> {
        let is_text = data.len() < 100;
        let text = if is_text { data.escape_ascii().to_string() } else { "...".to_owned() };
        self.call(subject, &format!("data {token} {text}"))
    }

    fn on_ready(&self, ready: Ready) -> Option<(u32, ReadEvent)> {
        let reactor = self.driver.reactor();
        let seen = self.state.with(|state| {
            let input = state.inputs.get_mut(&ready.token)?;
            Some(input.on_ready(reactor, ready.readiness))
        });
        if !seen?.readable {
            return None;
        }
        Some((ready.token, self.read_once(ready.token, Pipe::READ_BUDGET_BYTES)?))
    }

    fn on_ready_done(&self) {
        self.note("done");
    }

    fn read_once(&self, token: u32, budget: usize) -> Option<ReadEvent> {
        let reactor = self.driver.reactor();
        let event = self.state.with(|state| {
            let input = state.inputs.get_mut(&token).filter(|input| !input.is_paused())?;
            Some(input.read_within(reactor, budget))
        });
        let ReadEvent::Data(data) = event? else {
            return Some(ReadEvent::End);
        };
        self.reads.borrow_mut().push(data.len());
        if data == "refused" {
            return Some(ReadEvent::Refused(data));
        }
        if !self.has_event() {
            return Some(ReadEvent::Data(data));
        }
        self.push("queued data");
        Some(ReadEvent::Queued(data.len()))
    }

    fn on_read_over(&self, token: u32, _: ReadEvent) {
        self.note(format!("over {token}"));
    }

    fn reads_without_events(&self, token: u32) -> bool {
        self.is_always_ready(token)
    }

    fn read_later(&self, _: u32) {
        self.state.with(|state| state.later += 1);
    }

    fn on_flush(&self) {
        self.note("flush");
        let at_flush = self.state.with(|state| state.at_flush.take());
        if let Some(at_flush) = at_flush {
            at_flush(self);
        }
    }

    fn on_panicked(&self) -> Leftovers {
        self.note("panicked");
        let due = self.state.with(|state| std::mem::take(&mut state.due));
        drop(due);
        self.close_all()
    }

    fn on_loop_stops(&self) -> Leftovers {
        self.note("stops");
        self.push("lost");
        self.close_all()
    }

    fn on_loop_gone(&self) -> (Leftovers, Option<Box<dyn Outlasting>>) {
        self.note("gone");
        (self.close_all(), None)
    }

    fn retire(&self) {
        self.note("retired");
        let protocol = self.protocol.take();
        drop(protocol);
    }

    fn settle(&self, left: Leftovers) {
        self.note("settled");
        for left in left.0 {
            left(self);
        }
    }
}

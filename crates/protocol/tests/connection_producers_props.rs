//! Producers of a fake connection against a model: every interleaving of few acts of the program, of the
//! peer and of the producer, and long random ones.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use procession_protocol::{FakeConnection, Pace, Producer, Protocol, Transport};
use proptest::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    /// Registers a pull producer that writes three times, and is then done.
    Pull,
    /// Registers a push producer that writes three times, and stays.
    Push,
    Unregister,
    Write,
    Close,
    ShutDown,
    Abort,
    Hold,
    PeerReads,
    Release,
    PeerWrites,
    PeerShutsDown,
    PeerCloses,
    PeerResets,
}

const ACTS: [Act; 14] = [
    Act::Pull,
    Act::Push,
    Act::Unregister,
    Act::Write,
    Act::Close,
    Act::ShutDown,
    Act::Abort,
    Act::Hold,
    Act::PeerReads,
    Act::Release,
    Act::PeerWrites,
    Act::PeerShutsDown,
    Act::PeerCloses,
    Act::PeerResets,
];

/// More than the high limit of the queue.
const CHUNK: usize = 12;
const HIGH: usize = 10;

/// What the program, the producer and the protocol know.
#[derive(Default)]
struct World {
    /// All accepted bytes, in order.
    taken: RefCell<Vec<u8>>,
    /// The registered producer, by the number of its registration.
    producer: Cell<Option<usize>>,
    registrations: Cell<usize>,
    /// The producers that are not dropped.
    alive: Cell<usize>,
    received: Cell<usize>,
    /// The close was requested, by the program or after the peer's end.
    close_asked: Cell<bool>,
    lost: Cell<bool>,
}

impl World {
    fn write(&self, transport: &Transport) {
        let next = self.taken.borrow().last().map_or(0, |last| last.wrapping_add(1));
        let before = self.taken.borrow().len();
        // Change this before the write, which may call a producer that writes as well.
        self.taken.borrow_mut().extend([next; CHUNK]);
        if transport.try_write(vec![next; CHUNK]).is_err() {
            self.taken.borrow_mut().truncate(before);
        }
    }
}

struct Planned {
    world: Rc<World>,
    number: usize,
    pull: bool,
    left: usize,
    paused: bool,
    stopped: bool,
}

impl Planned {
    fn enter(&self) {
        assert!(!self.stopped, "nothing comes after the stop");
        assert_eq!(self.world.producer.get(), Some(self.number), "it is not registered any more");
        assert!(!self.world.lost.get(), "it is called before the protocol");
    }
}

impl Producer for Planned {
    fn resume(&mut self, transport: &Transport) {
        self.enter();
        assert_ne!(self.paused, self.pull, "only a paused push producer is resumed");
        self.paused = false;
        if self.left > 0 {
            self.left -= 1;
            self.world.write(transport);
        } else if self.pull {
            self.world.producer.set(None);
            assert!(transport.unregister_producer());
        }
    }

    fn pause(&mut self, _: &Transport) {
        self.enter();
        assert!(!self.pull && !self.paused);
        self.paused = true;
    }

    fn stop(&mut self, transport: &Transport) {
        self.enter();
        self.stopped = true;
        self.world.producer.set(None);
        assert!(transport.try_write("late").is_err());
    }
}

impl Drop for Planned {
    fn drop(&mut self) {
        self.world.alive.set(self.world.alive.get() - 1);
    }
}

struct Watch(Rc<World>);

impl Protocol for Watch {
    fn data_received(&mut self, _: &Transport, data: Bytes) {
        self.0.received.set(self.0.received.get() + data.len());
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.0.close_asked.set(true);
        transport.lose_connection();
    }

    fn connection_lost(&mut self, _: &Transport, _: io::Result<()>) {
        assert_eq!(self.0.producer.get(), None, "its producer gets the loss before");
        assert!(!self.0.lost.replace(true));
    }
}

fn register(world: &Rc<World>, transport: &Transport, pace: Pace) {
    let number = world.registrations.get();
    world.registrations.set(number + 1);
    world.alive.set(world.alive.get() + 1);
    let pull = pace == Pace::Pull;
    let world_of = Rc::clone(world);
    let producer =
        Planned { world: world_of, number, pull, left: 3, paused: false, stopped: false };
    let had_one = world.producer.get().is_some();
    if !had_one {
        world.producer.set(Some(number));
    }
    let registered = transport.register_producer(pace, producer);
    assert!(registered.is_err() || !had_one, "one is enough");
    if registered.is_err() && !had_one {
        world.producer.set(None);
    }
}

/// Plays a history, and compares with the model after each act.
fn check(history: &[Act]) {
    let world = Rc::new(World::default());
    let mut fake = FakeConnection::new(Watch(Rc::clone(&world)));
    let transport = fake.transport().clone();
    transport.set_write_limits(HIGH, 0).expect("it is open");
    let (mut sent, mut peer_ended, mut cut) = (0, false, false);
    for act in history {
        let was_closing = world.close_asked.get() && world.producer.get().is_none();
        match act {
            Act::Pull => register(&world, &transport, Pace::Pull),
            Act::Push => register(&world, &transport, Pace::Push),
            Act::Unregister => {
                let had_one = world.producer.take().is_some();
                assert_eq!(transport.unregister_producer(), had_one);
            }
            Act::Write => world.write(&transport),
            Act::Close => {
                world.close_asked.set(true);
                transport.lose_connection();
            }
            Act::ShutDown => transport.shutdown_write(),
            Act::Abort => transport.abort_connection(),
            Act::Hold => fake.hold_writes(),
            Act::PeerReads => fake.peer_reads(5),
            Act::Release => fake.release_writes(),
            Act::PeerWrites => {
                // While a close waits for a producer, the peer's data are still received.
                let is_read = !peer_ended && !was_closing && !fake.is_closed();
                sent += usize::from(is_read);
                fake.peer_writes("x");
            }
            Act::PeerShutsDown => fake.peer_shuts_down(),
            Act::PeerCloses => fake.peer_closes(),
            Act::PeerResets => fake.peer_resets(),
        }
        peer_ended |= matches!(act, Act::PeerShutsDown | Act::PeerCloses | Act::PeerResets);
        cut |= matches!(act, Act::Abort | Act::PeerCloses | Act::PeerResets);
        fake.turn();
        let is_held = world.producer.get().is_some();
        let written = fake.written();
        let waiting = transport.write_buffered();
        assert!(world.taken.borrow().starts_with(&written), "it arrives in order");
        assert!(cut || written.len() + waiting == world.taken.borrow().len(), "nothing is lost");
        assert_eq!(world.received.get(), sent);
        assert!(!is_held || !(fake.is_closed() || fake.is_shut_down()), "a producer holds it open");
        let is_due = world.close_asked.get() && !is_held && waiting == 0;
        assert!(!is_due || fake.is_closed(), "the close is not forgotten");
        assert_eq!(world.lost.get(), fake.is_closed());
        assert_eq!(world.alive.get(), usize::from(is_held), "a producer that is done is dropped");
    }
    drop(fake);
    assert_eq!(world.alive.get(), 0, "it is dropped with the connection");
}

#[test]
fn every_interleaving_of_up_to_four_acts_agrees_with_the_model() {
    let mut histories: Vec<Vec<Act>> = vec![Vec::new()];
    for _ in 0..4 {
        let longer = histories
            .iter()
            .flat_map(|history| ACTS.iter().map(|act| [history.as_slice(), &[*act]].concat()));
        histories = longer.collect();
        for history in &histories {
            check(history);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn long_histories_agree_with_the_model(
        history in prop::collection::vec(prop::sample::select(ACTS.to_vec()), 0..40),
        ends in any::<bool>(),
    ) {
        // The ends are rarer than the other acts, else few histories would be long.
        let is_end = |act: &Act| {
            matches!(act, Act::Abort | Act::PeerCloses | Act::PeerResets | Act::Close)
        };
        let history: Vec<Act> =
            history.into_iter().filter(|act| ends || !is_end(act)).collect();
        check(&history);
    }
}

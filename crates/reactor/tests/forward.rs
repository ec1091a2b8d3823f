//! Forwarding between made-up ports, in every order of what can happen to them.

#[path = "util/bound.rs"]
mod bound;
#[path = "forward/fake.rs"]
mod fake;
#[path = "forward/outcome.rs"]
mod outcome;
#[path = "util/until.rs"]
mod until;

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use fake::{CHUNK_BYTES, FakeSink, FakeSource, HIGH_BYTES};
use outcome::{Result, Slot, outcome};
use procession_reactor::Reactor;
use procession_reactor::driver::{Forward, ReadEvent, SinkPort};
use until::until;

/// What can happen to a forwarding that copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    /// The source is readable, has one chunk and then nothing.
    Chunk,
    /// The poller was wrong: a read would block.
    Nothing,
    /// The source is at its end.
    End,
    /// The sink writes all that was queued.
    Room,
    Pause,
    Resume,
    /// Somebody closes the source.
    Closed,
    /// The sink is gone.
    Lost,
    /// The bound on descendants passes; the source holds one chunk.
    Drain,
    /// The loop stops.
    CutOff,
}

const FACTS: [Fact; 10] = [
    Fact::Chunk,
    Fact::Nothing,
    Fact::End,
    Fact::Room,
    Fact::Pause,
    Fact::Resume,
    Fact::Closed,
    Fact::Lost,
    Fact::Drain,
    Fact::CutOff,
];

/// Two made-up ports and what came of the forwarding between them.
struct Run {
    source: Rc<FakeSource>,
    sink: Rc<FakeSink>,
    forward: Rc<Forward>,
    results: Rc<RefCell<Vec<(Result, usize)>>>,
}

impl Run {
    fn begin(ports: &fake::Sockets) -> Self {
        let (source, sink) = (FakeSource::new(ports), FakeSink::new(ports));
        let results: Rc<RefCell<Vec<(Result, usize)>>> = Rc::default();
        let (put, from, to) = (results.clone(), source.clone(), sink.clone());
        Forward::start(&ports.reactor, source.clone(), sink.clone(), move |moved, result| {
            assert_eq!((from.closed.get().is_some(), to.finished.get()), (true, true));
            put.borrow_mut().push((outcome(moved, result), to.queued.get()));
        })
        .expect("the sink takes it");
        let forward = source.forward.borrow().clone().expect("it was begun");
        Self { source, sink, forward, results }
    }

    /// Lets one thing happen, as a transport would: what is let go of is told nothing more.
    fn on(&self, fact: Fact) {
        let source_is_open = self.source.closed.get().is_none();
        match fact {
            Fact::Chunk | Fact::Nothing | Fact::End => {
                // The poller tells only what it watches.
                if source_is_open && self.source.watched.get() {
                    match fact {
                        Fact::Chunk => self.source.holds.set(1),
                        Fact::End => self.source.at_end.set(true),
                        _ => {}
                    }
                    self.forward.source_ready();
                }
            }
            Fact::Room => {
                if !self.sink.finished.get() {
                    self.sink.queued.set(0);
                    self.forward.sink_ready();
                }
            }
            Fact::Pause | Fact::Resume => {
                if source_is_open {
                    self.source.paused.set(fact == Fact::Pause);
                    self.forward.set_paused(fact == Fact::Pause);
                }
            }
            Fact::Closed => {
                if source_is_open {
                    self.forward.source_closed();
                }
            }
            Fact::Lost => {
                if !self.sink.finished.get() {
                    self.forward.sink_lost(ErrorKind::BrokenPipe.into(), self.sink.queued.get());
                }
            }
            Fact::Drain => {
                if source_is_open {
                    self.source.holds.set(1);
                    self.forward.drain(CHUNK_BYTES);
                }
            }
            Fact::CutOff => self.forward.cut_off(),
        }
    }

    /// Brings it to its end, and says what came of it.
    fn end(&self) -> Result {
        for fact in [Fact::Resume, Fact::Room, Fact::End, Fact::Room] {
            self.on(fact);
        }
        let results = self.results.borrow();
        let [(result, _)] = *results.as_slice() else { panic!("{} results", results.len()) };
        result
    }
}

/// Every order of five facts: the result comes once, after both sides were let go of, and counts
/// what the sink has taken.
#[test]
fn every_order_of_what_happens_ends_once_with_the_right_count() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let depth = 5;
    let mut seen = [0; 3];
    for number in 0..FACTS.len().pow(depth) {
        let facts: Vec<Fact> =
            (0..depth).map(|place| FACTS[number / FACTS.len().pow(place) % FACTS.len()]).collect();
        let run = Run::begin(&ports);
        for fact in &facts {
            run.on(*fact);
            let over = run.source.closed.get().is_some();
            assert_eq!(over, !run.results.borrow().is_empty(), "{facts:?}");
            // A paused source is not watched, nor is one whose sink is full.
            let may_watch = !run.source.paused.get() && run.sink.queued.get() < HIGH_BYTES;
            assert!(over || !run.source.watched.get() || may_watch, "{facts:?}");
        }
        let result = run.end();
        let (_, queued) = run.results.borrow()[0];
        let taken = u64::try_from(run.sink.taken.get() - queued).unwrap();
        let happened = |fact| facts.contains(&fact);
        match result {
            Ok(moved) => {
                assert_eq!((moved, queued), (taken, 0), "{facts:?}");
                assert!(run.source.closed.get() == Some(true) || happened(Fact::Drain));
                seen[0] += 1;
            }
            Err((moved, ErrorKind::BrokenPipe)) => {
                assert_eq!((moved, happened(Fact::Lost)), (taken, true), "{facts:?}");
                seen[1] += 1;
            }
            Err((moved, kind)) => {
                assert_eq!(kind, ErrorKind::ConnectionAborted, "{facts:?}");
                assert_eq!((moved, happened(Fact::CutOff)), (taken, true), "{facts:?}");
                seen[2] += 1;
            }
        }
    }
    assert!(seen.iter().all(|&outcomes| outcomes > 100), "{seen:?}");
}

/// A full sink takes the source out of the poller, and room brings it back, unless it is paused.
#[test]
fn a_full_sink_and_a_pause_both_keep_the_source_out_of_the_poller() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let run = Run::begin(&ports);
    let watched = |facts: &[Fact]| {
        facts.iter().for_each(|fact| run.on(*fact));
        run.source.watched.get()
    };
    assert!(watched(&[Fact::Chunk]));
    run.source.holds.set(9);
    assert!(!watched(&[Fact::Nothing]), "the queue is full");
    assert_eq!(run.sink.queued.get(), 2 * CHUNK_BYTES);
    assert!(!watched(&[Fact::Pause, Fact::Room]), "it is paused");
    assert!(watched(&[Fact::Resume]));
    assert!(!watched(&[Fact::Nothing]), "it is full again");
    assert!(!watched(&[Fact::Pause, Fact::Resume]), "the sink is full as before");
    run.source.holds.set(0);
    assert!(watched(&[Fact::Room]));
    assert_eq!(run.end(), Ok(u64::try_from(run.sink.taken.get()).unwrap()));
}

/// Copies that wait when the source ends still go, and the result waits for them.
#[test]
fn copies_outlive_their_source() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    for end in [Fact::End, Fact::Closed] {
        let run = Run::begin(&ports);
        run.on(Fact::Chunk);
        run.on(end);
        assert_eq!((run.results.borrow().len(), run.source.watched.get()), (0, false));
        run.on(Fact::Pause);
        run.on(Fact::Resume);
        assert!(!run.source.watched.get(), "there is nothing more to read");
        run.on(Fact::Room);
        let moved = u64::try_from(CHUNK_BYTES).unwrap();
        assert_eq!(run.results.borrow().as_slice(), [(Ok(moved), 0)]);
        assert_eq!(run.source.read_to_end.get(), end == Fact::End);
    }
}

/// What the sink refuses is not counted; what it took before it failed is, but for what waits.
#[test]
fn a_sink_that_fails_is_counted_to_the_byte() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    for (takes, moved) in [(false, 0), (true, CHUNK_BYTES - 100)] {
        let run = Run::begin(&ports);
        run.sink.fails.set(Some((takes, 100)));
        run.on(Fact::Chunk);
        let moved = u64::try_from(moved).unwrap();
        let results = run.results.borrow();
        assert_eq!(results[0].0, Err((moved, ErrorKind::StorageFull)), "takes: {takes}");
        assert_eq!(run.source.closed.get(), Some(false));
    }
}

/// Whoever waits for the result may ask anything of the forwarding, and begin another one.
#[test]
fn the_callback_may_do_whatever_it_likes() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let (source, sink) = (FakeSource::new(&ports), FakeSink::new(&ports));
    let again: Rc<RefCell<Option<Run>>> = Rc::default();
    let calls = Rc::new(Cell::new(0));
    let forward: Rc<RefCell<Option<Rc<Forward>>>> = Rc::default();
    let (from_there, put, called, sockets) =
        (forward.clone(), again.clone(), calls.clone(), ports.clone());
    Forward::start(&reactor, source.clone(), sink.clone(), move |_, _| {
        called.set(called.get() + 1);
        let forward = from_there.take().expect("it is there");
        forward.source_ready();
        forward.sink_ready();
        forward.source_closed();
        forward.sink_lost(ErrorKind::BrokenPipe.into(), 7);
        forward.set_paused(true);
        forward.set_paused(false);
        forward.drain(1);
        forward.cut_off();
        forward.complete_later();
        forward.abandon();
        *put.borrow_mut() = Some(Run::begin(&sockets));
    })
    .unwrap();
    *forward.borrow_mut() = source.forward.borrow().clone();
    source.at_end.set(true);
    let begun = forward.borrow().clone().expect("it was begun");
    begun.source_ready();
    assert_eq!((calls.get(), source.closes.get()), (1, 1));
    let next = again.take().expect("the callback began it");
    next.on(Fact::Chunk);
    assert_eq!(next.end(), Ok(u64::try_from(CHUNK_BYTES).unwrap()));
}

/// A panic of whoever waits goes on when both sides were let go of.
#[test]
fn a_panic_of_the_callback_leaves_nothing_behind() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let (source, sink) = (FakeSource::new(&ports), FakeSink::new(&ports));
    Forward::start(&reactor, source.clone(), sink.clone(), |_, _| {
        panic!("the panic that the test wants")
    })
    .unwrap();
    let forward = source.forward.borrow().clone().expect("it was begun");
    source.at_end.set(true);
    assert!(catch_unwind(AssertUnwindSafe(|| forward.source_ready())).is_err());
    assert_eq!((source.closes.get(), sink.finished.get()), (1, true));
    forward.source_ready();
    forward.sink_lost(ErrorKind::BrokenPipe.into(), 0);
    assert_eq!(source.closes.get(), 1);
    assert_eq!(Rc::strong_count(&forward), 1, "the ports have let go of it");
}

/// Inside a verb nobody is called: the loop does it.
#[test]
fn the_result_waits_for_the_loop_where_a_verb_ends_it() {
    let mut reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let run = Run::begin(&ports);
    run.forward.complete_later();
    run.on(Fact::Closed);
    assert_eq!((run.source.closes.get(), run.results.borrow().len()), (1, 0));
    until(&mut reactor, || !run.results.borrow().is_empty());
    assert_eq!(run.results.borrow().as_slice(), [(Ok(0), 0)]);
}

#[test]
fn a_sink_that_does_not_want_it_is_an_error_and_begins_nothing() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let sink = FakeSink::new(&ports);
    sink.refuses.set(true);
    let source = FakeSource::new(&ports);
    let dropped = Rc::new(());
    let held = dropped.clone();
    let started = Forward::start(&reactor, source.clone(), sink, move |_, _| drop(held));
    assert_eq!(started.unwrap_err().kind(), ErrorKind::AddrInUse);
    assert!(source.forward.borrow().is_none());
    assert_eq!(Rc::strong_count(&dropped), 1, "the callback is dropped");
}

/// A source whose descriptor is gone fails it, and nothing panics.
#[test]
fn a_port_without_a_descriptor_is_a_failure() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let source = FakeSource::new(&ports);
    source.has_key.set(false);
    let slot = Rc::new(Slot::default());
    let put = slot.clone();
    let sink = FakeSink::new(&ports);
    Forward::start(&reactor, source.clone(), sink, move |moved, result| {
        put.set(Some(outcome(moved, result)))
    })
    .unwrap();
    let forward = source.forward.borrow().clone().expect("it was begun");
    forward.source_ready();
    assert_eq!(slot.get(), Some(Err((0, ErrorKind::NotConnected))));
}

/// A read that is none is no data.
#[test]
fn a_read_that_fails_is_the_sources_end() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let run = Run::begin(&ports);
    *run.source.next.borrow_mut() = Some(ReadEvent::Lost(ErrorKind::TimedOut.into()));
    run.forward.source_ready();
    assert_eq!(run.results.borrow().as_slice(), [(Ok(0), 0)]);
    assert!(run.source.read_to_end.get());
}

/// What was read before still goes, and counts; only then is it over.
#[test]
fn a_read_that_fails_is_an_error_if_the_source_says_so() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let run = Run::begin(&ports);
    run.source.can_fail.set(true);
    run.on(Fact::Chunk);
    *run.source.next.borrow_mut() = Some(ReadEvent::Lost(ErrorKind::TimedOut.into()));
    run.forward.source_ready();
    assert_eq!(run.results.borrow().len(), 0, "a copy waits for the sink");
    run.on(Fact::Room);
    let bytes = u64::try_from(CHUNK_BYTES).unwrap();
    assert_eq!(run.results.borrow().as_slice(), [(Err((bytes, ErrorKind::TimedOut)), 0)]);
    assert_eq!((run.source.read_to_end.get(), run.source.closes.get()), (false, 1));
}

/// A port passes through those that do not know it.
#[test]
fn a_wrapped_sink_is_itself_again_and_anything_else_is_none() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let sink = FakeSink::new(&ports);
    sink.queued.set(7);
    let wrapped: Rc<dyn SinkPort> = sink;
    let port = <dyn SinkPort>::from_any(wrapped.into_any()).expect("it is one");
    assert_eq!(port.queued(), 7);
    assert!(<dyn SinkPort>::from_any(Box::new("no port")).is_none());
}

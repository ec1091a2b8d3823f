//! Forwarding between fake ports, with every order of events.

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
use outcome::{Outcome, OutcomeCell, outcome};
use procession_reactor::Reactor;
use procession_reactor::driver::{Forward, ReadEvent, SinkPort};
use until::until;

/// An event of a forward that copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PortEvent {
    /// The source is readable and has one chunk.
    Chunk,
    /// The poller reports the source as ready, but a read would block.
    Nothing,
    /// The source is at its end.
    End,
    /// The sink writes all that was queued.
    Room,
    Pause,
    Resume,
    /// The source is closed.
    Closed,
    /// The sink is lost.
    Lost,
    /// The time limit for descendants passes. The source holds one chunk.
    Drain,
    /// The loop stops.
    CutOff,
}

const PORT_EVENTS: [PortEvent; 10] = [
    PortEvent::Chunk,
    PortEvent::Nothing,
    PortEvent::End,
    PortEvent::Room,
    PortEvent::Pause,
    PortEvent::Resume,
    PortEvent::Closed,
    PortEvent::Lost,
    PortEvent::Drain,
    PortEvent::CutOff,
];

/// A forward between two fake ports, with its results.
struct FakeForward {
    source: Rc<FakeSource>,
    sink: Rc<FakeSink>,
    forward: Rc<Forward>,
    results: Rc<RefCell<Vec<(Outcome, usize)>>>,
}

impl FakeForward {
    fn begin(ports: &fake::Sockets) -> Self {
        let (source, sink) = (FakeSource::new(ports), FakeSink::new(ports));
        let results: Rc<RefCell<Vec<(Outcome, usize)>>> = Rc::default();
        let (put, from, to) = (results.clone(), source.clone(), sink.clone());
        Forward::start(&ports.reactor, source.clone(), sink.clone(), move |moved, result| {
            assert_eq!((from.closed.get().is_some(), to.finished.get()), (true, true));
            put.borrow_mut().push((outcome(moved, result), to.queued.get()));
        })
        .expect("the sink takes it");
        let forward = source.forward.borrow().clone().expect("it was begun");
        Self { source, sink, forward, results }
    }

    /// Applies one event, as a transport would. A port that was released gets no more events.
    fn on(&self, event: PortEvent) {
        let source_is_open = self.source.closed.get().is_none();
        match event {
            PortEvent::Chunk | PortEvent::Nothing | PortEvent::End => {
                // The poller reports only a source that it watches.
                if source_is_open && self.source.watched.get() {
                    match event {
                        PortEvent::Chunk => self.source.holds.set(1),
                        PortEvent::End => self.source.at_end.set(true),
                        _ => {}
                    }
                    self.forward.source_ready();
                }
            }
            PortEvent::Room => {
                if !self.sink.finished.get() {
                    self.sink.queued.set(0);
                    self.forward.sink_ready();
                }
            }
            PortEvent::Pause | PortEvent::Resume => {
                if source_is_open {
                    self.source.paused.set(event == PortEvent::Pause);
                    self.forward.set_paused(event == PortEvent::Pause);
                }
            }
            PortEvent::Closed => {
                if source_is_open {
                    self.forward.source_closed();
                }
            }
            PortEvent::Lost => {
                if !self.sink.finished.get() {
                    self.forward.sink_lost(ErrorKind::BrokenPipe.into(), self.sink.queued.get());
                }
            }
            PortEvent::Drain => {
                if source_is_open {
                    self.source.holds.set(1);
                    self.forward.drain(CHUNK_BYTES);
                }
            }
            PortEvent::CutOff => self.forward.cut_off(),
        }
    }

    /// Brings the forward to its end and returns the outcome.
    fn end(&self) -> Outcome {
        for event in [PortEvent::Resume, PortEvent::Room, PortEvent::End, PortEvent::Room] {
            self.on(event);
        }
        let results = self.results.borrow();
        let [(result, _)] = *results.as_slice() else { panic!("{} results", results.len()) };
        result
    }
}

/// In every order of five events, the result comes once, after both ports were released, and counts
/// the bytes that the sink took.
#[test]
fn every_order_of_what_happens_ends_once_with_the_right_count() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let depth = 5;
    let mut seen = [0; 3];
    for number in 0..PORT_EVENTS.len().pow(depth) {
        let events: Vec<PortEvent> = (0..depth)
            .map(|place| PORT_EVENTS[number / PORT_EVENTS.len().pow(place) % PORT_EVENTS.len()])
            .collect();
        let run = FakeForward::begin(&ports);
        for event in &events {
            run.on(*event);
            let over = run.source.closed.get().is_some();
            assert_eq!(over, !run.results.borrow().is_empty(), "{events:?}");
            // A source is not watched while it is paused or its sink is full.
            let may_watch = !run.source.paused.get() && run.sink.queued.get() < HIGH_BYTES;
            assert!(over || !run.source.watched.get() || may_watch, "{events:?}");
        }
        let result = run.end();
        let (_, queued) = run.results.borrow()[0];
        let taken = u64::try_from(run.sink.taken.get() - queued).unwrap();
        let happened = |event| events.contains(&event);
        match result {
            Ok(moved) => {
                assert_eq!((moved, queued), (taken, 0), "{events:?}");
                assert!(run.source.closed.get() == Some(true) || happened(PortEvent::Drain));
                seen[0] += 1;
            }
            Err((moved, ErrorKind::BrokenPipe)) => {
                assert_eq!((moved, happened(PortEvent::Lost)), (taken, true), "{events:?}");
                seen[1] += 1;
            }
            Err((moved, kind)) => {
                assert_eq!(kind, ErrorKind::ConnectionAborted, "{events:?}");
                assert_eq!((moved, happened(PortEvent::CutOff)), (taken, true), "{events:?}");
                seen[2] += 1;
            }
        }
    }
    assert!(seen.iter().all(|&outcomes| outcomes > 100), "{seen:?}");
}

/// A full sink takes the source out of the poller. Room in the sink puts it back, unless it is
/// paused.
#[test]
fn a_full_sink_and_a_pause_both_keep_the_source_out_of_the_poller() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let run = FakeForward::begin(&ports);
    let watched = |events: &[PortEvent]| {
        events.iter().for_each(|event| run.on(*event));
        run.source.watched.get()
    };
    assert!(watched(&[PortEvent::Chunk]));
    run.source.holds.set(9);
    assert!(!watched(&[PortEvent::Nothing]), "the queue is full");
    assert_eq!(run.sink.queued.get(), 2 * CHUNK_BYTES);
    assert!(!watched(&[PortEvent::Pause, PortEvent::Room]), "it is paused");
    assert!(watched(&[PortEvent::Resume]));
    assert!(!watched(&[PortEvent::Nothing]), "it is full again");
    assert!(!watched(&[PortEvent::Pause, PortEvent::Resume]), "the sink is full as before");
    run.source.holds.set(0);
    assert!(watched(&[PortEvent::Room]));
    assert_eq!(run.end(), Ok(u64::try_from(run.sink.taken.get()).unwrap()));
}

/// Copies that wait when the source ends are still written, and the result waits for them.
#[test]
fn copies_outlive_their_source() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    for end in [PortEvent::End, PortEvent::Closed] {
        let run = FakeForward::begin(&ports);
        run.on(PortEvent::Chunk);
        run.on(end);
        assert_eq!((run.results.borrow().len(), run.source.watched.get()), (0, false));
        run.on(PortEvent::Pause);
        run.on(PortEvent::Resume);
        assert!(!run.source.watched.get(), "there is nothing more to read");
        run.on(PortEvent::Room);
        let moved = u64::try_from(CHUNK_BYTES).unwrap();
        assert_eq!(run.results.borrow().as_slice(), [(Ok(moved), 0)]);
        assert_eq!(run.source.read_to_end.get(), end == PortEvent::End);
    }
}

/// Bytes that the sink refused do not count. Bytes that it took before it failed count, without
/// those still queued.
#[test]
fn the_bytes_that_a_failing_sink_took_are_counted_exactly() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    for (takes, moved) in [(false, 0), (true, CHUNK_BYTES - 100)] {
        let run = FakeForward::begin(&ports);
        run.sink.fails.set(Some((takes, 100)));
        run.on(PortEvent::Chunk);
        let moved = u64::try_from(moved).unwrap();
        let results = run.results.borrow();
        assert_eq!(results[0].0, Err((moved, ErrorKind::StorageFull)), "takes: {takes}");
        assert_eq!(run.source.closed.get(), Some(false));
    }
}

/// The callback of the result may call every method of the forward and start another one.
#[test]
fn the_callback_may_call_every_method_and_start_another_forward() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let (source, sink) = (FakeSource::new(&ports), FakeSink::new(&ports));
    let again: Rc<RefCell<Option<FakeForward>>> = Rc::default();
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
        *put.borrow_mut() = Some(FakeForward::begin(&sockets));
    })
    .unwrap();
    *forward.borrow_mut() = source.forward.borrow().clone();
    source.at_end.set(true);
    let begun = forward.borrow().clone().expect("it was begun");
    begun.source_ready();
    assert_eq!((calls.get(), source.closes.get()), (1, 1));
    let next = again.take().expect("the callback began it");
    next.on(PortEvent::Chunk);
    assert_eq!(next.end(), Ok(u64::try_from(CHUNK_BYTES).unwrap()));
}

/// A panic of the callback unwinds after both ports were released.
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

/// A method calls no callback: the loop does.
#[test]
fn the_loop_reports_the_result_if_a_method_ends_the_forward() {
    let mut reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let run = FakeForward::begin(&ports);
    run.forward.complete_later();
    run.on(PortEvent::Closed);
    assert_eq!((run.source.closes.get(), run.results.borrow().len()), (1, 0));
    until(&mut reactor, || !run.results.borrow().is_empty());
    assert_eq!(run.results.borrow().as_slice(), [(Ok(0), 0)]);
}

#[test]
fn a_sink_that_refuses_is_an_error_and_starts_nothing() {
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

/// A source whose descriptor is gone fails the forward, without a panic.
#[test]
fn a_port_without_a_descriptor_is_an_error() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let source = FakeSource::new(&ports);
    source.has_key.set(false);
    let slot = Rc::new(OutcomeCell::default());
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

/// By default, a read error counts as the end of the source.
#[test]
fn a_failed_read_is_the_end_of_the_source() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let run = FakeForward::begin(&ports);
    *run.source.next.borrow_mut() = Some(ReadEvent::Lost(ErrorKind::TimedOut.into()));
    run.forward.source_ready();
    assert_eq!(run.results.borrow().as_slice(), [(Ok(0), 0)]);
    assert!(run.source.read_to_end.get());
}

/// Bytes that were read before the error are still written and counted. Then the forward ends.
#[test]
fn a_failed_read_is_an_error_if_the_source_says_so() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let run = FakeForward::begin(&ports);
    run.source.can_fail.set(true);
    run.on(PortEvent::Chunk);
    *run.source.next.borrow_mut() = Some(ReadEvent::Lost(ErrorKind::TimedOut.into()));
    run.forward.source_ready();
    assert_eq!(run.results.borrow().len(), 0, "a copy waits for the sink");
    run.on(PortEvent::Room);
    let bytes = u64::try_from(CHUNK_BYTES).unwrap();
    assert_eq!(run.results.borrow().as_slice(), [(Err((bytes, ErrorKind::TimedOut)), 0)]);
    assert_eq!((run.source.read_to_end.get(), run.source.closes.get()), (false, 1));
}

/// A port passes as `Any` through code that does not know its type.
#[test]
fn a_sink_port_is_recovered_from_any_and_another_value_is_none() {
    let reactor = Reactor::new().unwrap();
    let ports = fake::Sockets::open(&reactor);
    let sink = FakeSink::new(&ports);
    sink.queued.set(7);
    let wrapped: Rc<dyn SinkPort> = sink;
    let port = <dyn SinkPort>::from_any(wrapped.into_any()).expect("it is one");
    assert_eq!(port.queued(), 7);
    assert!(<dyn SinkPort>::from_any(Box::new("no port")).is_none());
}

//! `on_event`: a wrapper that overrides only this method sees every event, and passes it on.

mod util;

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use procession_protocol::{
    ConnectionEvent, Event, FakeConnection, FakeProcess, Process, ProcessProtocol, Protocol,
    StreamAdapter, Transport,
};
use util::{heard, recorder};

/// The names of the events that a wrapper saw.
type EventNames = Rc<RefCell<Vec<&'static str>>>;

/// Records each event, and passes it on.
struct Recording<P> {
    inner: P,
    seen: EventNames,
}

impl<P> Recording<P> {
    fn around(inner: P) -> (Self, EventNames) {
        let seen = EventNames::default();
        (Self { inner, seen: Rc::clone(&seen) }, seen)
    }
}

impl<P: ProcessProtocol> ProcessProtocol for Recording<P> {
    fn on_event(&mut self, process: &Process, event: Event) {
        self.seen.borrow_mut().push(match &event {
            Event::Made => "made",
            Event::Data(..) => "data",
            Event::ReadClosed(_) => "read closed",
            Event::Lost(_) => "lost",
            Event::Mark(..) => "mark",
            Event::Exited(_) => "exited",
            Event::Ended(_) => "ended",
            _ => "unknown",
        });
        self.inner.on_event(process, event);
    }
}

impl<P: Protocol> Protocol for Recording<P> {
    fn on_event(&mut self, transport: &Transport, event: ConnectionEvent) {
        self.seen.borrow_mut().push(match &event {
            ConnectionEvent::Made => "made",
            ConnectionEvent::Data(_) => "data",
            ConnectionEvent::ReadClosed => "read closed",
            ConnectionEvent::Mark(_) => "mark",
            ConnectionEvent::Lost(_) => "lost",
            _ => "unknown",
        });
        self.inner.on_event(transport, event);
    }
}

#[test]
fn a_wrapper_sees_every_callback_of_a_child_and_the_inner_protocol_gets_them_all() {
    let (inner, log) = recorder();
    let (recording, seen) = Recording::around(inner);
    // Boxed, because a box must pass `on_event` on as well.
    let mut fake = FakeProcess::new(Box::new(recording) as Box<dyn ProcessProtocol>);
    fake.child_writes(1, "one");
    fake.process().write("to the child");
    fake.turn();
    fake.exit(0);
    let received = heard(&log);
    assert_eq!(received.len(), seen.borrow().len(), "{received:?}, {seen:?}");
    assert_eq!(received.first().map(String::as_str), Some("made"));
    assert_eq!(received.last().map(String::as_str), Some("ended exited with status 0"));
    assert!(received.contains(&"data 1 one".to_owned()));
    let expected = ["made", "data", "mark", "lost", "lost", "lost", "exited", "ended"];
    let mut sorted = seen.take();
    sorted.sort_by_key(|name| expected.iter().position(|one| one == name));
    assert_eq!(sorted, expected);
}

/// Writes back what it receives.
struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: Bytes) {
        transport.write(data);
    }
}

#[test]
fn a_wrapper_sees_every_callback_of_a_connection() {
    let (recording, seen) = Recording::around(Echo);
    let mut fake = FakeConnection::new(Box::new(recording) as Box<dyn Protocol>);
    fake.peer_writes("hello");
    assert_eq!(fake.written(), "hello");
    fake.peer_closes();
    assert_eq!(seen.take(), ["made", "data", "mark", "read closed", "lost"]);
}

#[test]
fn a_wrapper_sees_the_callbacks_of_a_stream_protocol_over_a_child() {
    let (recording, seen) = Recording::around(Echo);
    let mut fake = FakeProcess::new(StreamAdapter::new(recording));
    fake.child_writes(1, "hello");
    assert_eq!(fake.written(0), "hello");
    fake.exit(0);
    assert_eq!(seen.take(), ["made", "data", "mark", "read closed", "lost"]);
}

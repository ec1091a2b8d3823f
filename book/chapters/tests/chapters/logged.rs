//! A protocol that wraps another one.

// ANCHOR: wrapper
use procession::Event;
use procession::prelude::*;

/// Prints each event before the inner protocol gets it.
struct Logged<P>(P);

impl<P: ProcessProtocol> ProcessProtocol for Logged<P> {
    fn on_event(&mut self, process: &Process, event: Event) {
        println!("{:?}: {event:?}", process.pid());
        self.0.on_event(process, event);
    }
}
// ANCHOR_END: wrapper

struct Echo;

impl ProcessProtocol for Echo {
    fn out_received(&mut self, process: &Process, data: Bytes) {
        process.write(data);
    }
}

#[test]
fn the_inner_protocol_gets_every_event() {
    let mut fake = FakeProcess::new(Logged(Echo));
    fake.child_writes(1, "hello");
    assert_eq!(fake.written(0), "hello");
    fake.exit(0);
    assert!(fake.is_ended());
}

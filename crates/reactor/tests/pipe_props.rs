//! The law of `Pipe`: the bytes that come out are those that went in, however they are cut, and the
//! end comes last.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use procession_core::driver::{Direction, Spent};
use procession_reactor::driver::{EventHandler, FlushOutcome, Pipe, ReadEvent, Ready};
use procession_reactor::{Handle, Reactor};
use proptest::prelude::*;

/// Ignores events: the test calls the pipes itself.
struct IgnoreEvents;

impl EventHandler for IgnoreEvents {
    fn ready(self: Rc<Self>, _: &Handle, _: Ready) {}
}

fn open(reactor: &Reactor, fd: OwnedFd, direction: Direction) -> Pipe {
    rustix::io::ioctl_fionbio(&fd, true).expect("pipes can be nonblocking");
    Pipe::open(reactor, fd, direction, Rc::new(IgnoreEvents), 0).expect("pipes can be watched")
}

/// The action of one round.
#[derive(Debug, Clone)]
enum PipeStep {
    Write(usize),
    Flush,
    Read,
}

fn step() -> impl Strategy<Value = PipeStep> {
    prop_oneof![
        (0_usize..100_000).prop_map(PipeStep::Write),
        Just(PipeStep::Flush),
        Just(PipeStep::Read)
    ]
}

/// Returns bytes that depend on their position.
fn data(from: usize, length: usize) -> Vec<u8> {
    (from..from + length).map(|n| u8::try_from(n % 251).expect("below 251")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_written_arrives_whole_and_in_order(steps in prop::collection::vec(step(), 1..40)) {
        let mut reactor = Reactor::new().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        let mut reader = open(&reactor, reader.into(), Direction::Read);
        let mut writer = open(&reactor, writer.into(), Direction::Write);
        let (mut written, mut got) = (0, Vec::new());
        for step in steps {
            match step {
                PipeStep::Write(length) => {
                    let data = data(written, length);
                    written += length;
                    writer.queue().unwrap().on_write(data.into()).unwrap();
                }
                PipeStep::Flush => flush(&mut writer, &reactor),
                PipeStep::Read => {
                    if let ReadEvent::Data(data) = reader.read(&reactor) {
                        got.extend_from_slice(&data);
                    }
                    unblock(&mut writer, &reactor);
                }
            }
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        writer.queue().unwrap().on_close();
        loop {
            match writer.flush(&reactor, &mut Spent::new()) {
                FlushOutcome::Done => break,
                FlushOutcome::Blocked => {}
                other => panic!("{other:?}"),
            }
            if let ReadEvent::Data(data) = reader.read(&reactor) {
                got.extend_from_slice(&data);
            }
            unblock(&mut writer, &reactor);
        }
        prop_assert!(writer.close(&reactor).is_empty());
        while let ReadEvent::Data(data) = reader.read(&reactor) {
            got.extend_from_slice(&data);
        }
        prop_assert!(matches!(reader.read(&reactor), ReadEvent::End));
        prop_assert!(got == data(0, written), "{} of {written} bytes", got.len());
    }
}

fn flush(writer: &mut Pipe, reactor: &Reactor) {
    let flushed = writer.flush(reactor, &mut Spent::new());
    assert!(matches!(flushed, FlushOutcome::Idle | FlushOutcome::Blocked));
}

/// Reports the writer as writable, as the poller would. The report may be wrong; a writer must
/// cope.
fn unblock(writer: &mut Pipe, reactor: &Reactor) {
    let mut readiness = procession_reactor::Readiness::default();
    readiness.writable = true;
    writer.on_ready(reactor, readiness);
}

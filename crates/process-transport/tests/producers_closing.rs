//! A descriptor that the program closes while it has a producer closes when the producer is done. A
//! push producer is paused while it writes.
#![cfg(feature = "reactor")]

mod util;

use std::cell::Cell;
use std::rc::Rc;

use procession_core::Signal;
use procession_process_transport::{Fd, Pty};
use procession_protocol::{Pace, Process, Producer, ReadProducer, Transport};

use crate::util::{WATCHDOG, behaviour, command, ms, sh};

/// Writes blocks by itself until it is paused or has written all.
#[derive(Clone)]
struct StreamProducer(Rc<StreamProducerState>);

struct StreamProducerState {
    paused: Cell<bool>,
    left: Cell<usize>,
    stops: Cell<u32>,
}

impl StreamProducer {
    const BLOCK: usize = 16 << 10;

    fn new(blocks: usize) -> Self {
        let (paused, left, stops) = (Cell::new(false), Cell::new(blocks), Cell::new(0));
        Self(Rc::new(StreamProducerState { paused, left, stops }))
    }

    /// Writes until it is paused or fails. Returns whether all blocks are written.
    fn run(&self, transport: &Transport) -> bool {
        while !self.0.paused.get() && self.0.left.get() > 0 {
            if transport.try_write(vec![b'x'; Self::BLOCK]).is_err() {
                return false;
            }
            self.0.left.set(self.0.left.get() - 1);
        }
        self.0.left.get() == 0
    }
}

impl Producer for StreamProducer {
    fn resume(&mut self, transport: &Transport) {
        self.0.paused.set(false);
        if self.run(transport) {
            transport.unregister_producer();
        }
    }

    fn pause(&mut self, _: &Transport) {
        self.0.paused.set(true);
    }

    fn stop(&mut self, _: &Transport) {
        self.0.stops.set(self.0.stops.get() + 1);
    }
}

type CloseVerb = fn(&Process);

const CLOSES: [(&str, CloseVerb); 4] = [
    ("close_stdin", Process::close_stdin),
    ("shutdown_write", |process| process.shutdown_write(0)),
    ("lose_connection", Process::lose_connection),
    ("close_all", Process::close_all),
];

fn counted_bytes(file: &std::path::Path) -> String {
    std::fs::read_to_string(file).expect("the child has counted").trim().to_owned()
}

#[test]
fn a_descriptor_that_is_closed_under_its_producer_closes_when_the_producer_is_done() {
    let name = "a_descriptor_that_is_closed_under_its_producer_closes_when_the_producer_is_done";
    behaviour(name, |driver| {
        let dir = tempfile::tempdir().unwrap();
        let count = dir.path().join("count");
        let script = format!("sleep 0.1; wc -c >{}", count.display());
        for (verb, close) in CLOSES {
            for closes_first in [false, true] {
                let child = driver.spawn(sh(&script));
                let data = std::io::Cursor::new(vec![b'x'; 1_000_000]);
                let (producer, sent) = ReadProducer::new(data);
                if closes_first {
                    close(&child.process);
                }
                child.process.register_producer(0, Pace::Pull, producer).unwrap();
                close(&child.process);
                driver.drive_to_end(&child.record);
                assert_eq!(counted_bytes(&count), "1000000", "{verb}, pull");
                assert_eq!(sent.try_take().map(|sent| sent.ok()), Some(Some(1_000_000)), "{verb}");
            }
            let child = driver.spawn(sh(&script));
            let stream = StreamProducer::new(40);
            child.process.register_producer(0, Pace::Push, stream.clone()).unwrap();
            child.process.write(vec![b'x'; 128 << 10]);
            let paused = || stream.0.paused.get();
            driver.until("the pause", WATCHDOG, paused);
            close(&child.process);
            driver.drive_to_end(&child.record);
            let all = (128 << 10) + 40 * StreamProducer::BLOCK;
            assert_eq!(counted_bytes(&count), all.to_string(), "{verb}, paused");
            assert_eq!(stream.0.stops.get(), 0, "{verb}: it was done before");
        }
        dir.close().unwrap();
    });
}

#[test]
fn a_socketpair_that_waits_for_its_producer_is_read_meanwhile() {
    behaviour("a_socketpair_that_waits_for_its_producer_is_read_meanwhile", |driver| {
        let fds = [(0, Fd::socketpair()), (1, Fd::same_as(0)), (2, Fd::from_child())];
        let child = driver.spawn(command("/bin/cat").child_fds(fds));
        let (producer, sent) = ReadProducer::new(std::io::Cursor::new(vec![b'x'; 1_000_000]));
        child.process.register_producer(0, Pace::Pull, producer).unwrap();
        child.process.close_child_fd(0);
        driver.drive_to_end(&child.record);
        assert_eq!(sent.try_take().map(|sent| sent.ok()), Some(Some(1_000_000)));
        assert!(child.record.data(0).len() > 500_000, "{}", child.record.data(0).len());
    });
}

#[test]
fn a_terminal_is_hung_up_when_its_producer_is_done() {
    behaviour("a_terminal_is_hung_up_when_its_producer_is_done", |driver| {
        let script =
            "trap '' HUP; stty raw -echo; printf R; sleep 0.1; exec 3>&1; head -c 100000 | wc -c";
        let child = driver.spawn(sh(script).pty(Pty::new()));
        driver.until("ready", WATCHDOG, || child.record.text(1).contains('R'));
        let (producer, sent) = ReadProducer::new(std::io::Cursor::new(vec![b'x'; 100_000]));
        child.process.register_producer(0, Pace::Pull, producer).unwrap();
        child.process.lose_connection();
        driver.drive_to_end(&child.record);
        assert_eq!(sent.try_take().map(|sent| sent.ok()), Some(Some(100_000)));
    });
}

#[test]
fn an_abort_and_a_termination_do_not_wait_for_a_producer() {
    behaviour("an_abort_and_a_termination_do_not_wait_for_a_producer", |driver| {
        let cuts: [CloseVerb; 3] = [
            |process| process.abort_connection(0),
            |process| {
                process.close_stdin();
                process.terminate(Signal::TERM, ms(10_000)).detach();
            },
            |process| {
                process.terminate(Signal::TERM, ms(10_000)).detach();
                process.close_stdin();
            },
        ];
        for cut in cuts {
            let script = "trap 'cat >/dev/null; exit 7' TERM; echo R; while :; do sleep 0.01; done";
            let child = driver.spawn(sh(script));
            driver.until("ready", WATCHDOG, || child.record.text(1).contains('R'));
            let stream = StreamProducer::new(1);
            child.process.register_producer(0, Pace::Push, stream.clone()).unwrap();
            cut(&child.process);
            driver.until("the loss", WATCHDOG, || child.record.is_lost(0));
            assert_eq!(stream.0.stops.get(), 1);
            // The first of the three has not sent the signal.
            child.process.signal(Signal::TERM).ok();
            driver.drive_to_end(&child.record);
        }
    });
}

/// Follows Twisted's streaming example. The child reads nothing.
#[test]
fn a_stream_that_is_written_until_it_is_paused_does_not_fill_the_memory() {
    behaviour("a_stream_that_is_written_until_it_is_paused_does_not_fill_the_memory", |driver| {
        let child = driver.spawn(command("/bin/sleep").arg("0.3"));
        let stream = StreamProducer::new((100 << 20) / StreamProducer::BLOCK);
        child.process.register_producer(0, Pace::Push, stream.clone()).unwrap();
        assert!(!stream.run(&child.process.transport(0)));
        assert!(stream.0.paused.get() && child.process.write_buffered(0) <= 128 << 10);
        driver.until("the end", WATCHDOG, || {
            assert!(child.process.write_buffered(0) <= 128 << 10);
            child.record.ended().is_some()
        });
        assert_eq!(stream.0.stops.get(), 1);
    });
}

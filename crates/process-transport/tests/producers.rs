//! Producers against real children: paused when the pipe is full, resumed when it is drained.
#![cfg(feature = "reactor")]

mod util;

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;

use procession_core::Signal;
use procession_process_transport::Pty;
use procession_protocol::{Pace, Producer, ProducerErrorKind, ReadProducer, Transport};

use crate::util::{WATCHDOG, behaviour, command, ms, probe, sh};

/// The calls that a producer received.
type CallLog = Rc<RefCell<Vec<&'static str>>>;

/// Writes one block on every resume, until none is left, and then closes.
struct BlockProducer {
    calls: CallLog,
    left: usize,
    size: usize,
}

impl BlockProducer {
    fn new(left: usize, size: usize) -> (Self, CallLog) {
        let calls = CallLog::default();
        (Self { calls: calls.clone(), left, size }, calls)
    }
}

impl Producer for BlockProducer {
    fn resume(&mut self, transport: &Transport) {
        self.calls.borrow_mut().push("resume");
        if self.left == 0 {
            transport.lose_connection();
        } else {
            self.left -= 1;
            transport.try_write(vec![b'x'; self.size]).expect("the pipe is open");
        }
    }

    fn pause(&mut self, _: &Transport) {
        self.calls.borrow_mut().push("pause");
    }

    fn stop(&mut self, _: &Transport) {
        self.calls.borrow_mut().push("stop");
    }
}

/// Case BP-13.
#[test]
fn a_push_producer_is_paused_resumed_and_stopped() {
    behaviour("a_push_producer_is_paused_resumed_and_stopped", |driver| {
        let child = driver.spawn(sh("sleep 0.5; wc -c"));
        let (producer, calls) = BlockProducer::new(6, 128 << 10);
        child.process.register_producer(0, Pace::Push, producer).unwrap();
        // A push producer sets its own pace. This write stands for its first block.
        child.process.write(vec![b'x'; 128 << 10]);
        driver.run_for(ms(200));
        assert_eq!(*calls.borrow(), ["pause"], "64 KiB are in the pipe, as much in the queue");
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.text(1).trim(), (7 * (128 << 10)).to_string());
        let calls = calls.borrow();
        assert_eq!((calls.first(), calls.last()), (Some(&"pause"), Some(&"stop")));
        assert_eq!(calls.iter().filter(|call| **call == "stop").count(), 1);
        assert_eq!(calls.iter().filter(|call| **call == "resume").count(), 7);
        for pair in calls.windows(2) {
            assert_ne!(pair, ["pause", "pause"], "{calls:?}");
            assert_ne!(pair, ["resume", "resume"], "{calls:?}");
        }
    });
}

#[test]
fn a_pull_producer_is_asked_each_time_the_queue_is_empty() {
    behaviour("a_pull_producer_is_asked_each_time_the_queue_is_empty", |driver| {
        let child = driver.spawn(sh("sleep 0.2; wc -c"));
        let (producer, calls) = BlockProducer::new(10, 100_000);
        child.process.register_producer(0, Pace::Pull, producer).unwrap();
        assert_eq!(*calls.borrow(), ["resume"], "it is asked at once");
        driver.run_for(ms(50));
        assert_eq!(*calls.borrow(), ["resume"], "and again when the queue is empty");
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.text(1).trim(), "1000000");
        assert_eq!(calls.borrow().len(), 12);
        assert_eq!(calls.borrow().last(), Some(&"stop"));
    });
}

/// The chunks are smaller than the low mark, or a little larger.
#[test]
fn a_low_mark_does_not_keep_a_pull_producer_from_being_asked() {
    behaviour("a_low_mark_does_not_keep_a_pull_producer_from_being_asked", |driver| {
        for low in [99_999, 100_000, 200_000] {
            let child = driver.spawn(sh("sleep 0.1; wc -c"));
            child.process.set_write_limits(0, 256 << 10, low).unwrap();
            let (producer, calls) = BlockProducer::new(10, 100_000);
            child.process.register_producer(0, Pace::Pull, producer).unwrap();
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.text(1).trim(), "1000000", "low {low}");
            assert_eq!(calls.borrow().len(), 12, "low {low}");
        }
    });
}

/// Covers files smaller than a low mark, and files of several chunks.
#[test]
fn a_file_is_read_to_its_end_whatever_the_low_mark_is() {
    behaviour("a_file_is_read_to_its_end_whatever_the_low_mark_is", |driver| {
        for (bytes, low) in [(100, 100), (100, 64 << 10), (300 << 10, 64 << 10)] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&vec![b'x'; bytes]).unwrap();
            std::io::Seek::rewind(&mut file).unwrap();
            let child = driver.spawn(sh("sleep 0.1; wc -c"));
            child.process.set_write_limits(0, 256 << 10, low).unwrap();
            let (producer, sent) = ReadProducer::new(file);
            child.process.register_producer(0, Pace::Pull, producer).unwrap();
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.text(1).trim(), bytes.to_string(), "low {low}");
            assert!(sent.try_take().is_some_and(|sent| sent.is_ok()), "low {low}");
        }
        driver.rebase(); // the files are closed
    });
}

#[test]
fn a_terminals_producer_is_asked_whatever_the_low_mark_is() {
    behaviour("a_terminals_producer_is_asked_whatever_the_low_mark_is", |driver| {
        let script = "stty raw -echo; printf R; head -c 300 | wc -c";
        let child = driver.spawn(sh(script).pty(Pty::new()));
        driver.until("ready", WATCHDOG, || child.record.text(1).contains('R'));
        child.process.set_write_limits(0, 1000, 500).unwrap();
        let (producer, _calls) = BlockProducer::new(4, 100);
        child.process.register_producer(0, Pace::Pull, producer).unwrap();
        driver.drive_to_end(&child.record);
        assert!(child.record.text(1).contains("300"), "{}", child.record.text(1));
    });
}

#[test]
fn a_producer_whose_child_closes_its_input_is_stopped_once() {
    behaviour("a_producer_whose_child_closes_its_input_is_stopped_once", |driver| {
        let child = driver.spawn(sh("exec <&-; sleep 0.2"));
        let (producer, calls) = BlockProducer::new(usize::MAX, 100_000);
        child.process.register_producer(0, Pace::Pull, producer).unwrap();
        let again = child.process.register_producer(0, Pace::Pull, BlockProducer::new(0, 0).0);
        assert_eq!(again.unwrap_err().reason(), ProducerErrorKind::AlreadyRegistered);
        driver.until("the loss", WATCHDOG, || child.record.is_lost(0));
        assert_eq!(child.record.exited(), None);
        driver.drive_to_end(&child.record);
        assert_eq!(calls.borrow().iter().filter(|call| **call == "stop").count(), 1);
        let late = child.process.register_producer(0, Pace::Pull, BlockProducer::new(0, 0).0);
        assert!(matches!(late.unwrap_err().reason(), ProducerErrorKind::Write(_)));
    });
}

#[test]
fn a_terminals_producer_is_stopped_when_it_hangs_up() {
    behaviour("a_terminals_producer_is_stopped_when_it_hangs_up", |driver| {
        let child = driver.spawn(sh("stty raw -echo; printf R; exec sleep 100").pty(Pty::new()));
        driver.until("ready", WATCHDOG, || child.record.text(1).contains('R'));
        let (producer, calls) = BlockProducer::new(usize::MAX, 100_000);
        child.process.register_producer(0, Pace::Pull, producer).unwrap();
        driver.run_for(ms(50));
        assert_eq!(*calls.borrow(), ["resume"]);
        child.process.signal(Signal::KILL).unwrap();
        driver.drive_to_end(&child.record);
        assert_eq!(*calls.borrow(), ["resume", "stop"]);
    });
}

#[test]
fn a_file_is_read_at_the_childs_pace() {
    behaviour("a_file_is_read_at_the_childs_pace", |driver| {
        let mut file = tempfile::tempfile().unwrap();
        let data: Vec<u8> = (0..5_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        file.write_all(&data).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        driver.rebase();
        let child = driver.spawn(command("/bin/cat"));
        let highest = Rc::new(Cell::new(0));
        let (producer, sent) = ReadProducer::new(file);
        child.process.register_producer(0, Pace::Pull, producer).unwrap();
        let (process, seen) = (child.process.clone(), highest.clone());
        driver.until("the end", WATCHDOG, || {
            seen.set(seen.get().max(process.write_buffered(0)));
            child.record.ended().is_some()
        });
        assert!(highest.get() <= 64 << 10, "{} bytes in memory", highest.get());
        assert_eq!(sent.try_take().map(|sent| sent.ok()), Some(Some(5_000_000)));
        assert!(child.record.data(1) == data);
        driver.rebase(); // the file is closed
        let ended = driver.run(probe(["exit", "0"]));
        assert_eq!(ended.code(), 0);
    });
}

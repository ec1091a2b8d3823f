//! Producers are paused when a queue is full, resumed when it is drained, and stopped at the loss.

#[path = "util/sources.rs"]
mod sources;
mod util;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use procession_core::{Signal, WriteError};
use procession_protocol::{
    FakeProcess, Pace, Process, Producer, ProducerErrorKind, ReadProducer, Transport,
};
use sources::{Endless, Source};
use util::{Log, acting, heard, recorder};

fn source(chunks: usize) -> (Source, Log) {
    let log = Log::default();
    (Source::new(&log, chunks), log)
}

#[test]
fn a_push_producer_is_paused_once_resumed_once_and_stopped_once() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let (producer, log) = source(0);
    fake.hold_writes(0);
    let process = fake.process().clone();
    process.set_write_limits(0, 10, 0).unwrap();
    process.register_producer(0, Pace::Push, producer).unwrap();
    process.write("short");
    fake.turn();
    assert_eq!(heard(&log), [""; 0]);
    process.write("more than ten");
    fake.turn();
    process.write("more");
    fake.turn();
    assert_eq!(heard(&log), ["pause"]);
    fake.release_writes(0);
    process.write("drained again");
    fake.turn();
    assert_eq!(heard(&log)[0], "resume");
    heard(&log);
    fake.exit(0);
    assert_eq!(heard(&log), ["stop"]);
}

#[test]
fn a_push_producer_registered_at_a_full_queue_is_paused_at_once() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let (producer, log) = source(0);
    fake.hold_writes(0);
    fake.process().write(vec![0; 70_000]);
    fake.turn();
    fake.process().register_producer(0, Pace::Push, producer).unwrap();
    assert_eq!(heard(&log), ["pause"]);
}

#[test]
fn a_pull_producer_is_asked_each_time_the_queue_is_empty() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let (producer, log) = source(3);
    fake.hold_writes(0);
    fake.process().register_producer(0, Pace::Pull, producer).unwrap();
    fake.turn();
    assert_eq!((heard(&log).len(), fake.process().write_buffered(0)), (1, 100));
    fake.child_reads(0, 100);
    assert_eq!((heard(&log).len(), fake.process().write_buffered(0)), (1, 100));
    fake.release_writes(0);
    assert_eq!(fake.written(0).len(), 300);
    assert_eq!(heard(&log), ["resume", "resume"]);
}

/// With chunks below, at and above the low mark.
#[test]
fn a_pull_producer_is_asked_at_every_empty_queue_whatever_the_low_mark_is() {
    for low in [1, 99, 100, 101, 400] {
        let (protocol, protocol_log) = recorder();
        let mut fake = FakeProcess::new(protocol);
        let (producer, log) = source(3);
        fake.hold_writes(0);
        fake.process().set_write_limits(0, 500, low).unwrap();
        fake.process().register_producer(0, Pace::Pull, producer).unwrap();
        for round in 0..3 {
            fake.turn();
            assert_eq!(heard(&log), ["resume"], "round {round}, low {low}");
            fake.child_reads(0, 99);
            assert_eq!(heard(&log), [""; 0], "a byte is queued, low {low}");
            assert_eq!(fake.process().write_buffered(0), 1);
            fake.child_reads(0, 1);
        }
        assert_eq!(heard(&log), ["resume"], "and once more when all is gone, low {low}");
        assert_eq!(fake.written(0).len(), 300);
        let drained = if low < 100 { 3 } else { 0 };
        let told = heard(&protocol_log);
        assert_eq!(told.iter().filter(|note| *note == "drained 0").count(), drained, "low {low}");
    }
}

#[test]
fn a_pull_producer_of_a_queue_that_others_write_to_is_asked_when_all_of_it_is_gone() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let (producer, log) = source(2);
    fake.hold_writes(0);
    let process = fake.process().clone();
    process.set_write_limits(0, 1000, 50).unwrap();
    process.register_producer(0, Pace::Pull, producer).unwrap();
    process.write(vec![0; 100]);
    fake.turn();
    heard(&log);
    fake.child_reads(0, 150);
    process.write(vec![0; 40]);
    fake.child_reads(0, 50);
    assert_eq!((heard(&log).len(), process.write_buffered(0)), (0, 40), "drained, not empty");
    fake.child_reads(0, 40);
    assert_eq!((heard(&log).len(), process.write_buffered(0)), (1, 100));
}

#[test]
fn a_push_producer_is_resumed_at_the_low_mark_and_not_when_the_queue_is_empty() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let (producer, log) = source(0);
    fake.hold_writes(0);
    fake.process().set_write_limits(0, 10, 5).unwrap();
    fake.process().register_producer(0, Pace::Push, producer).unwrap();
    fake.process().write("more than ten");
    fake.child_reads(0, 8);
    assert_eq!(heard(&log), ["pause", "resume"]);
    fake.release_writes(0);
    assert_eq!((heard(&log).len(), fake.process().write_buffered(0)), (0, 0));
}

/// With a file below the low mark, one at the low mark, and one of several chunks.
#[test]
fn a_reader_is_read_to_its_end_whatever_the_low_mark_is() {
    for (bytes, low) in [(100, 99), (100, 100), (100, 64 << 10), (300 << 10, 64 << 10)] {
        let (protocol, _log) = recorder();
        let fake = FakeProcess::new(protocol);
        fake.process().set_write_limits(0, 256 << 10, low).unwrap();
        let (producer, sent) = ReadProducer::new(std::io::Cursor::new(vec![b'x'; bytes]));
        fake.process().register_producer(0, Pace::Pull, producer).unwrap();
        assert_eq!(fake.written(0).len(), bytes, "low {low}");
        assert!(fake.is_closed(0), "low {low}");
        assert!(sent.try_take().is_some_and(|sent| sent.is_ok()));
    }
}

#[test]
fn a_close_waits_until_the_producer_is_done_and_no_longer() {
    let closes: [fn(&Process); 3] =
        [Process::close_stdin, Process::close_all, |process| process.shutdown_write(0)];
    for close in closes {
        let (protocol, _log) = recorder();
        let mut fake = FakeProcess::new(protocol);
        let (producer, log) = source(3);
        fake.hold_writes(0);
        fake.process().register_producer(0, Pace::Pull, producer).unwrap();
        close(fake.process());
        fake.release_writes(0);
        assert_eq!((fake.written(0).len(), fake.is_closed(0)), (300, false));
        assert!(fake.process().unregister_producer(0));
        assert!(fake.is_closed(0));
        assert_eq!(heard(&log).len(), 4, "asked four times, and not stopped");
    }
    let cuts: [fn(&Process); 2] = [
        |process| process.abort_connection(0),
        |process| process.terminate(Signal::TERM, Duration::from_secs(1)).detach(),
    ];
    for cut in cuts {
        let (protocol, _log) = recorder();
        let fake = FakeProcess::new(protocol);
        let (producer, log) = source(0);
        fake.process().register_producer(0, Pace::Push, producer).unwrap();
        fake.process().close_stdin();
        assert!(!fake.is_closed(0));
        cut(fake.process());
        assert!(fake.is_closed(0));
        assert_eq!(heard(&log), ["stop"]);
    }
}

#[test]
fn a_push_producer_is_paused_inside_the_write_that_fills_the_queue() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.hold_writes(0);
    let process = fake.process().clone();
    process.set_write_limits(0, 10_000, 0).unwrap();
    let endless = Endless::default();
    process.register_producer(0, Pace::Push, endless.clone()).unwrap();
    endless.run(&process.transport(0));
    assert_eq!(
        (heard(&endless.log), process.write_buffered(0)),
        (vec!["pause".to_owned()], 11_000)
    );
    fake.turn();
    process.write("others go on");
    assert_eq!((heard(&endless.log).len(), process.write_buffered(0)), (0, 11_012));
    // When the queue calls the producer, it is running, so its write fails instead.
    fake.child_reads(0, 11_012);
    let full = WriteError::BufferFull.to_string();
    assert_eq!(heard(&endless.log), ["resume".to_owned(), full, "pause".to_owned()]);
    assert_eq!(process.write_buffered(0), 11_000);
}

#[test]
fn a_second_registration_is_an_error_that_gives_the_producer_back() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let process = fake.process().clone();
    process.register_producer(0, Pace::Push, source(0).0).unwrap();
    let error = process.register_producer(0, Pace::Push, source(0).0).unwrap_err();
    assert_eq!(error.reason(), ProducerErrorKind::AlreadyRegistered);
    assert_eq!(error.to_string(), "no producer was registered for child fd 0: it has one");
    let (again, log) = source(0);
    drop(error.into_producer());
    assert!(process.unregister_producer(0) && !process.unregister_producer(0));
    process.register_producer(0, Pace::Push, again).unwrap();
    let refused = |fd: i32| {
        let error = process.register_producer(fd, Pace::Push, source(0).0).unwrap_err();
        error.reason()
    };
    assert_eq!(refused(1), ProducerErrorKind::Write(WriteError::NotWritable));
    assert_eq!(refused(9), ProducerErrorKind::Write(WriteError::UnknownFd));
    fake.child_closes(0);
    assert_eq!(heard(&log), ["stop"]);
    assert_eq!(refused(0), ProducerErrorKind::Write(WriteError::Closed));
}

#[test]
fn a_producer_may_unregister_itself() {
    struct Once;
    impl Producer for Once {
        fn resume(&mut self, transport: &Transport) {
            transport.try_write("once").expect("the pipe is open");
            assert!(transport.unregister_producer());
        }
    }
    let (protocol, _log) = recorder();
    let fake = FakeProcess::new(protocol);
    fake.process().register_producer(0, Pace::Pull, Once).unwrap();
    assert_eq!(fake.written(0), "once");
}

#[test]
fn producers_are_dropped_with_a_protocol_that_panics() {
    let (protocol, _log) = acting(|name, _| assert!(name != "data", "asked to"));
    let mut fake = FakeProcess::new(protocol);
    let (producer, log) = source(0);
    fake.process().register_producer(0, Pace::Push, producer).unwrap();
    catch_unwind(AssertUnwindSafe(|| fake.child_writes(1, "x"))).unwrap_err();
    assert_eq!(Rc::strong_count(&log), 1);
}

#[test]
fn a_producer_that_panics_when_it_is_registered_is_gone() {
    struct Panics;
    impl Producer for Panics {
        fn resume(&mut self, _: &Transport) {
            panic!("asked to");
        }
    }
    let (protocol, _log) = recorder();
    let fake = FakeProcess::new(protocol);
    let process = fake.process().clone();
    let register = || process.register_producer(0, Pace::Pull, Panics);
    catch_unwind(AssertUnwindSafe(register)).unwrap_err();
    process.register_producer(0, Pace::Push, source(0).0).unwrap();
}

#[test]
fn a_later_panic_of_a_producer_counts_as_the_protocols() {
    struct Panics;
    impl Producer for Panics {
        fn resume(&mut self, _: &Transport) {}
        fn stop(&mut self, _: &Transport) {
            panic!("asked to");
        }
    }
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.process().register_producer(0, Pace::Push, Panics).unwrap();
    catch_unwind(AssertUnwindSafe(|| fake.child_closes(0))).unwrap_err();
    assert_eq!(heard(&log), ["made"]);
    fake.exit(0);
    assert!(fake.is_ended());
    assert_eq!(heard(&log), [""; 0]);
}

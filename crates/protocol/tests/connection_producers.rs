//! Producers of a connection: paused when its queue is full, resumed when it is drained, stopped at its
//! loss. A close waits for them.

#[path = "util/log.rs"]
mod log;
#[path = "util/sources.rs"]
mod sources;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use bytes::Bytes;
use log::{Log, heard};
use procession_core::WriteError;
use procession_protocol::{
    FakeConnection, FakeProcess, Pace, Producer, ProducerErrorKind, Protocol, ReadProducer,
    StreamAdapter, Transport,
};
use sources::{Endless, Source};

/// Records its data and its loss, in the log of its producer.
struct Recorder(Log);

impl Protocol for Recorder {
    fn data_received(&mut self, _: &Transport, data: Bytes) {
        self.0.borrow_mut().push(String::from_utf8_lossy(&data).into_owned());
    }

    fn connection_lost(&mut self, _: &Transport, _: io::Result<()>) {
        self.0.borrow_mut().push("lost".to_owned());
    }
}

struct Quiet;
impl Protocol for Quiet {}

/// Returns a full connection with a producer, and the log of both.
fn connection(pace: Pace, chunks: usize) -> (FakeConnection, Log) {
    let log = Log::default();
    let mut fake = FakeConnection::new(Recorder(log.clone()));
    fake.hold_writes();
    let source = Source::new(&log, chunks);
    fake.transport().register_producer(pace, source).expect("the connection is open");
    (fake, log)
}

#[test]
fn a_push_producer_is_paused_once_resumed_once_and_stopped_once() {
    let (mut fake, log) = connection(Pace::Push, 0);
    let transport = fake.transport().clone();
    transport.set_write_limits(10, 0).unwrap();
    transport.write("short");
    fake.turn();
    assert_eq!(heard(&log), [""; 0]);
    transport.write("more than ten");
    assert_eq!(heard(&log), ["pause"], "inside the write");
    transport.write("more");
    fake.turn();
    assert_eq!(heard(&log), [""; 0]);
    fake.release_writes();
    assert_eq!(heard(&log), ["resume"]);
    fake.peer_closes();
    assert_eq!(heard(&log), ["stop", "lost"]);
}

#[test]
fn a_push_producer_registered_at_a_full_queue_is_paused_at_once() {
    let mut fake = FakeConnection::new(Quiet);
    fake.hold_writes();
    fake.transport().write(vec![0; 70_000]);
    fake.turn();
    let log = Log::default();
    let source = Source::new(&log, 0);
    fake.transport().register_producer(Pace::Push, source).unwrap();
    assert_eq!(heard(&log), ["pause"]);
}

/// Chunks of 100 bytes: below, at and above the low mark.
#[test]
fn a_pull_producer_is_asked_each_time_the_queue_is_empty_whatever_the_low_mark_is() {
    for low in [0, 99, 100, 400] {
        let (mut fake, log) = connection(Pace::Pull, 3);
        fake.transport().set_write_limits(500, low).unwrap();
        for round in 0..3 {
            fake.turn();
            assert_eq!(heard(&log), ["resume"], "round {round}, low {low}");
            fake.peer_reads(99);
            assert_eq!(heard(&log), [""; 0], "a byte is queued, low {low}");
            fake.peer_reads(1);
        }
        assert_eq!(heard(&log), ["resume"], "low {low}");
        assert_eq!(fake.written().len(), 300);
    }
}

#[test]
fn a_push_producer_that_writes_in_its_own_call_gets_an_error_at_a_full_queue() {
    let mut fake = FakeConnection::new(Quiet);
    fake.hold_writes();
    let transport = fake.transport().clone();
    transport.set_write_limits(10_000, 0).unwrap();
    let endless = Endless::default();
    transport.register_producer(Pace::Push, endless.clone()).unwrap();
    endless.run(&transport);
    assert_eq!((heard(&endless.log), transport.write_buffered()), (vec!["pause".into()], 11_000));
    fake.peer_reads(11_000);
    let full = WriteError::BufferFull.to_string();
    assert_eq!(heard(&endless.log), ["resume".to_owned(), full, "pause".to_owned()]);
    assert_eq!(transport.write_buffered(), 11_000);
}

#[test]
fn a_close_waits_until_the_producer_is_done_and_the_peer_is_read_meanwhile() {
    for close in [Transport::lose_connection, Transport::shutdown_write] {
        let (mut fake, log) = connection(Pace::Pull, 3);
        close(fake.transport());
        fake.turn();
        fake.peer_writes("heard");
        fake.release_writes();
        assert_eq!(fake.written().len(), 300);
        assert!(!fake.is_closed() && !fake.is_shut_down());
        assert_eq!(heard(&log), ["resume", "heard", "resume", "resume", "resume"]);
        assert!(fake.transport().unregister_producer());
        assert!(!fake.transport().unregister_producer());
        assert!(fake.is_closed() || fake.is_shut_down());
        fake.peer_shuts_down();
        assert_eq!((heard(&log), fake.lost()), (vec!["lost".into()], Some(Ok(()))), "no stop");
    }
}

/// The peer has ended its direction, so the default of `read_closed` closes the connection.
#[test]
fn the_close_after_the_peers_end_waits_as_well() {
    let (mut fake, log) = connection(Pace::Pull, 3);
    fake.peer_shuts_down();
    fake.release_writes();
    assert!(!fake.is_closed());
    assert_eq!(fake.written().len(), 300);
    fake.transport().unregister_producer();
    assert!(fake.is_closed());
    assert_eq!(heard(&log).last().unwrap(), "lost");
}

#[test]
fn a_producer_may_be_registered_after_the_close_until_the_flush() {
    let fake = FakeConnection::new(Quiet);
    let transport = fake.transport();
    transport.lose_connection();
    let (producer, sent) = ReadProducer::new(io::Cursor::new(vec![b'x'; 300_000]));
    transport.register_producer(Pace::Pull, producer).unwrap();
    assert_eq!(fake.written().len(), 300_000);
    assert!(fake.is_closed() && sent.try_take().is_some_and(|sent| sent.is_ok()));
}

#[test]
fn a_producer_that_closes_its_connection_is_done() {
    struct Once(fn(&Transport));
    impl Producer for Once {
        fn resume(&mut self, transport: &Transport) {
            transport.write("once");
            self.0(transport);
        }
    }
    for close in [Transport::lose_connection, Transport::shutdown_write] {
        let fake = FakeConnection::new(Quiet);
        fake.transport().register_producer(Pace::Pull, Once(close)).unwrap();
        assert_eq!(fake.written(), "once");
        assert!(fake.is_closed() || fake.is_shut_down());
    }
}

#[test]
fn an_abort_and_a_lost_peer_cut_a_waiting_close_off() {
    let cuts: [fn(&mut FakeConnection); 4] = [
        |fake| fake.transport().abort_connection(),
        FakeConnection::peer_closes,
        FakeConnection::peer_resets,
        |fake| {
            fake.transport().write("refused");
            fake.peer_resets();
        },
    ];
    for cut in cuts {
        for closes in [false, true] {
            let (mut fake, log) = connection(Pace::Push, 0);
            if closes {
                fake.transport().lose_connection();
            }
            cut(&mut fake);
            assert!(fake.is_closed());
            assert_eq!(heard(&log), ["stop", "lost"]);
        }
    }
}

#[test]
fn a_second_registration_and_a_late_one_are_errors_that_give_the_producer_back() {
    let (fake, _log) = connection(Pace::Push, 0);
    let transport = fake.transport().clone();
    let register = || transport.register_producer(Pace::Pull, Endless::default());
    let error = register().unwrap_err();
    assert_eq!(error.reason(), ProducerErrorKind::AlreadyRegistered);
    assert_eq!(error.to_string(), "no producer was registered for the connection: it has one");
    drop(error.into_producer());
    transport.abort_connection();
    assert!(fake.is_closed());
    assert_eq!(register().unwrap_err().reason(), ProducerErrorKind::Write(WriteError::Closed));
    assert!(!transport.unregister_producer());
}

#[test]
fn after_the_end_of_the_output_there_is_no_registration() {
    let fake = FakeConnection::new(Quiet);
    fake.transport().shutdown_write();
    assert!(fake.is_shut_down());
    let error = fake.transport().register_producer(Pace::Push, Endless::default()).unwrap_err();
    assert_eq!(error.reason(), ProducerErrorKind::Write(WriteError::Closed));
}

/// Panics in the call with this name.
struct Panics(&'static str);

impl Producer for Panics {
    fn resume(&mut self, _: &Transport) {
        assert_ne!(self.0, "resume", "asked to");
    }

    fn stop(&mut self, _: &Transport) {
        assert_ne!(self.0, "stop", "asked to");
    }
}

#[test]
fn a_producer_that_panics_when_it_is_registered_is_gone_and_no_close_waits_for_it() {
    let fake = FakeConnection::new(Quiet);
    let register = || fake.transport().register_producer(Pace::Pull, Panics("resume"));
    catch_unwind(AssertUnwindSafe(register)).unwrap_err();
    assert!(!fake.transport().unregister_producer());
    fake.transport().lose_connection();
    assert!(fake.is_closed());
}

#[test]
fn a_later_panic_of_a_producer_counts_as_the_protocols() {
    let log = Log::default();
    let mut fake = FakeConnection::new(Recorder(log.clone()));
    fake.transport().register_producer(Pace::Push, Panics("stop")).unwrap();
    catch_unwind(AssertUnwindSafe(|| fake.peer_closes())).unwrap_err();
    assert!(fake.is_closed());
    assert_eq!((heard(&log).len(), Rc::strong_count(&log)), (0, 1), "both are dropped");
}

#[test]
fn a_producer_is_dropped_with_its_connection() {
    let (fake, log) = connection(Pace::Push, 0);
    drop(fake);
    assert_eq!((heard(&log).len(), Rc::strong_count(&log)), (0, 1));
}

/// A protocol for connections that runs over a child registers a producer of the child's input.
#[test]
fn over_a_child_the_producer_feeds_its_standard_input() {
    struct Sender(Log);
    impl Protocol for Sender {
        fn connection_made(&mut self, transport: &Transport) {
            let source = Source::new(&self.0, 3);
            transport.register_producer(Pace::Pull, source).unwrap();
            transport.lose_connection();
        }
    }
    let log = Log::default();
    let mut fake = FakeProcess::new(StreamAdapter::new(Sender(log.clone())));
    assert_eq!((fake.written(0).len(), fake.is_closed(0)), (300, false));
    assert_eq!(heard(&log), ["resume"; 4]);
    assert!(fake.process().unregister_producer(0));
    assert!(fake.is_closed(0));
    fake.exit(0);
}

#[test]
fn a_handle_to_a_descriptor_of_a_child_acts_on_this_descriptor() {
    let log = Log::default();
    struct QuietChild;
    impl procession_protocol::ProcessProtocol for QuietChild {}
    let mut fake = FakeProcess::new(QuietChild);
    fake.hold_writes(0);
    let stdin = fake.process().transport(0);
    stdin.set_write_limits(10, 5).unwrap();
    stdin.set_write_hard_limit(Some(1000)).unwrap();
    assert_eq!(fake.process().write_limits(0), Some((10, 5)));
    assert_eq!(stdin.try_write(vec![0; 1001]), Err(WriteError::BufferFull));
    stdin.register_producer(Pace::Push, Source::new(&log, 0)).unwrap();
    stdin.write_copy(b"more than ten");
    assert_eq!((heard(&log), fake.process().write_buffered(0)), (vec!["pause".into()], 13));
    stdin.shutdown_write();
    fake.release_writes(0);
    assert!(!fake.is_closed(0) && stdin.unregister_producer());
    assert!(fake.is_closed(0));
    let stdout = fake.process().transport(1);
    assert_eq!(stdout.try_write("x"), Err(WriteError::NotWritable));
    stdout.pause();
    fake.child_closes(1);
    assert!(!fake.is_closed(1));
    stdout.resume();
    assert!(fake.is_closed(1));
    fake.process().transport(2).abort_connection();
    assert!(fake.is_closed(2));
    assert_eq!(stdin, stdin.clone());
    assert_ne!(stdin, fake.process().transport(0));
}

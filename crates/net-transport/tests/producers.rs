//! Producers of connections: paced by the peer's reads, waited for by a close, cut off by an abort, by a
//! lost peer and by a stop.

mod util;

use std::cell::{Cell, RefCell};
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use procession_core::{Failed, WriteError};
use procession_net_transport::NetTransports;
use procession_protocol::{
    Pace, Producer, ProducerErrorKind, Protocol, ReadProducer, Target, Transport,
};
use procession_reactor::Reactor;
use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size};

use crate::util::{Driver, Event, Record, Recorder, behaviour, drain, isolated, pattern};

const MIB: usize = 1 << 20;

/// Writes blocks by itself until it is paused or has written all, and then closes.
#[derive(Clone, Default)]
struct Stream(Rc<StreamState>);

#[derive(Default)]
struct StreamState {
    left: Cell<usize>,
    paused: Cell<bool>,
    calls: RefCell<Vec<&'static str>>,
    /// The events of its protocol, of which the last one is the loss.
    record: RefCell<Record>,
}

impl Stream {
    const BLOCK: usize = 16 << 10;

    fn new(blocks: usize) -> Self {
        let stream = Self::default();
        stream.0.left.set(blocks);
        stream
    }

    /// Registers it, and starts it as a push producer.
    fn begin(&self, transport: &Transport) {
        transport.register_producer(Pace::Push, self.clone()).expect("the connection is open");
        self.run(transport);
    }

    fn run(&self, transport: &Transport) {
        while !self.0.paused.get() && self.0.left.get() > 0 {
            if transport.try_write(vec![b'x'; Self::BLOCK]).is_err() {
                return; // full, or lost: a call reports either
            }
            self.0.left.set(self.0.left.get() - 1);
        }
        if self.0.left.get() == 0 {
            transport.unregister_producer();
        }
    }

    fn note(&self, call: &'static str) {
        self.0.calls.borrow_mut().push(call);
        assert_eq!(self.0.record.borrow().lost(), None, "the protocol gets the loss later");
    }

    fn count(&self, call: &str) -> usize {
        self.0.calls.borrow().iter().filter(|name| **name == call).count()
    }
}

impl Producer for Stream {
    fn resume(&mut self, transport: &Transport) {
        self.note("resume");
        self.0.paused.set(false);
        self.run(transport);
    }

    fn pause(&mut self, _: &Transport) {
        self.note("pause");
        self.0.paused.set(true);
    }

    fn stop(&mut self, transport: &Transport) {
        self.note("stop");
        assert_eq!(transport.try_write("late"), Err(WriteError::Closed));
    }
}

/// Reads at most `bytes` bytes, and returns whether the stream has ended.
fn read_some(client: &mut TcpStream, bytes: usize, into: &mut Vec<u8>) -> bool {
    let mut buffer = vec![0; bytes];
    match client.read(&mut buffer) {
        Ok(0) => true,
        Ok(count) => {
            into.extend_from_slice(&buffer[..count]);
            false
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    }
}

/// Returns a connection with a stream that the client does not read, paused.
fn paused_stream(driver: &mut Driver, blocks: usize) -> (Stream, Record, Transport, TcpStream) {
    let (record, transport, client) = driver.connection(Recorder::quiet());
    set_socket_recv_buffer_size(&client, 16 << 10).expect("a socket");
    let stream = Stream::new(blocks);
    stream.0.record.replace(record.clone());
    stream.begin(&transport);
    // The kernel enlarges its buffers a few times before it takes no more.
    let (mut before, mut same) = (0, 0);
    driver.until("the kernel takes no more", || {
        let calls = stream.0.calls.borrow().len();
        same = if calls == before { same + 1 } else { 0 };
        before = calls;
        same == 10 && stream.0.paused.get()
    });
    (stream, record, transport, client)
}

/// Case TC-22.
#[test]
fn a_pull_producer_sends_a_mebibyte_and_ends_the_output() {
    behaviour("a_pull_producer_sends_a_mebibyte_and_ends_the_output", |driver| {
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        let all = pattern(MIB);
        let (producer, sent) = ReadProducer::new(Cursor::new(all.clone()));
        transport.register_producer(Pace::Pull, producer).unwrap();
        let (mut read, mut most) = (Vec::new(), 0);
        driver.until("all is read", || {
            most = most.max(transport.write_buffered());
            read_some(&mut client, 20_000, &mut read)
        });
        assert!(read == all, "{} bytes", read.len());
        assert!(most <= 64 << 10, "{most} bytes waited in memory");
        assert_eq!(sent.try_take().map(|sent| sent.ok()), Some(Some(1 << 20)));
        assert_eq!(record.lost(), None, "only the output has ended");
        client.shutdown(Shutdown::Write).unwrap();
        driver.until("the loss", || record.lost() == Some(Ok(())));
    });
}

/// Case TC-22.
#[test]
fn a_push_producer_is_paused_and_resumed_by_a_slow_reader() {
    behaviour("a_push_producer_is_paused_and_resumed_by_a_slow_reader", |driver| {
        let blocks = 12 * MIB / Stream::BLOCK;
        let (stream, _, transport, mut client) = paused_stream(driver, blocks);
        let mut read = Vec::new();
        driver.until("all is read", || {
            assert!(transport.write_buffered() <= 128 << 10, "{}", transport.write_buffered());
            read_some(&mut client, 500_000, &mut read);
            read.len() == 12 * MIB
        });
        let calls = stream.0.calls.borrow();
        assert!(calls.contains(&"resume"), "{calls:?}");
        for pair in calls.windows(2) {
            assert_ne!(pair[0], pair[1], "{calls:?}");
        }
        assert_eq!(calls.iter().filter(|call| **call == "stop").count(), 0, "it was done before");
    });
}

/// Case TC-23.
#[test]
fn a_close_waits_for_the_producer_and_the_peer_is_read_meanwhile() {
    behaviour("a_close_waits_for_the_producer_and_the_peer_is_read_meanwhile", |driver| {
        for close in [Transport::lose_connection, Transport::shutdown_write] {
            for closes_first in [false, true] {
                let (record, transport, mut client) =
                    driver.connection(Recorder::quiet().keep_half_open());
                let all = pattern(MIB);
                if closes_first {
                    close(&transport);
                }
                let (producer, sent) = ReadProducer::new(Cursor::new(all.clone()));
                transport.register_producer(Pace::Pull, producer).unwrap();
                close(&transport);
                client.write_all(b"heard").unwrap();
                driver.until("the peer's data", || record.data() == b"heard");
                assert!(sent.try_take().is_none(), "the client has read nothing yet");
                let mut read = Vec::new();
                driver.until("the end", || drain(&mut client, &mut read));
                assert!(read == all, "{} bytes", read.len());
                client.shutdown(Shutdown::Write).unwrap();
                driver.until("the loss", || record.lost() == Some(Ok(())));
            }
        }
    });
}

/// Case TC-23. Both sides write much before either reads: without the reads, neither would go on.
#[test]
fn a_close_under_a_producer_does_not_block_a_peer_that_sends_everything_back() {
    let name = "a_close_under_a_producer_does_not_block_a_peer_that_sends_everything_back";
    behaviour(name, |driver| {
        let (listener, address) = driver.listen(Recorder::echo);
        let near = Recorder::quiet();
        let record = near.record.clone();
        let connecting = driver.connect_tcp(address, near);
        let transport = driver.block_on(connecting).unwrap();
        let (producer, sent) = ReadProducer::new(Cursor::new(pattern(8 * MIB)));
        transport.register_producer(Pace::Pull, producer).unwrap();
        transport.lose_connection();
        driver.until("the loss", || record.lost().is_some());
        assert_eq!(record.lost(), Some(Ok(())));
        assert_eq!(sent.try_take().map(|sent| sent.ok()), Some(Some(8 << 20)));
        assert!(record.data().len() > 64 << 10, "{} bytes", record.data().len());
        listener.stop_listening();
    });
}

/// Case TC-23.
#[test]
fn a_paused_push_producer_delays_the_close_until_it_is_done() {
    behaviour("a_paused_push_producer_delays_the_close_until_it_is_done", |driver| {
        let blocks = 12 * MIB / Stream::BLOCK;
        let (stream, record, transport, mut client) = paused_stream(driver, blocks);
        transport.lose_connection();
        driver.turns(10);
        assert_eq!(record.lost(), None);
        let mut read = Vec::new();
        driver.until("the end", || drain(&mut client, &mut read));
        assert_eq!(read.len(), 12 * MIB);
        driver.until("the loss", || record.lost() == Some(Ok(())));
        assert_eq!(stream.count("stop"), 0);
    });
}

/// Case TC-24.
#[test]
fn an_abort_and_a_lost_peer_stop_the_producer_once() {
    behaviour("an_abort_and_a_lost_peer_stop_the_producer_once", |driver| {
        for closes in [false, true] {
            for aborts in [false, true] {
                let (stream, record, transport, client) = paused_stream(driver, usize::MAX);
                if closes {
                    transport.lose_connection();
                    driver.turns(3);
                    assert_eq!(record.lost(), None);
                }
                if aborts {
                    transport.abort_connection();
                } else {
                    set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
                }
                drop(client);
                driver.until("the loss", || record.lost().is_some());
                driver.turns(3);
                assert_eq!(stream.count("stop"), 1, "{closes} {aborts}");
                assert_eq!(Rc::strong_count(&stream.0), 1, "it is dropped");
            }
        }
    });
}

/// Case TC-24.
#[test]
fn the_reader_of_a_producer_whose_peer_goes_reports_a_broken_pipe() {
    behaviour("the_reader_of_a_producer_whose_peer_goes_reports_a_broken_pipe", |driver| {
        let (record, transport, client) = driver.connection(Recorder::quiet());
        let (producer, sent) = ReadProducer::new(io::repeat(b'x'));
        transport.register_producer(Pace::Pull, producer).unwrap();
        driver.turns(3);
        drop(client);
        driver.until("the loss", || record.lost().is_some());
        let Some(Err(Failed::Error(error))) = sent.try_take() else { panic!("it has an error") };
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

/// Case TC-24.
#[test]
fn a_stop_of_the_reactor_does_not_wait_for_a_producer() {
    behaviour("a_stop_of_the_reactor_does_not_wait_for_a_producer", |driver| {
        let (stream, record, transport, _client) = paused_stream(driver, usize::MAX);
        transport.lose_connection();
        driver.call_soon(|reactor| reactor.stop());
        driver.run().unwrap();
        assert_eq!(record.lost(), Some(Err(ErrorKind::ConnectionAborted)));
        assert_eq!(stream.count("stop"), 1);
    });
}

/// Case TC-24.
#[test]
fn the_drop_of_the_reactor_drops_the_producer_without_a_call() {
    isolated("the_drop_of_the_reactor_drops_the_producer_without_a_call", || {
        let mut driver = Driver(Reactor::new().unwrap());
        let (stream, _, transport, _client) = paused_stream(&mut driver, usize::MAX);
        drop(driver);
        assert_eq!((stream.count("stop"), Rc::strong_count(&stream.0)), (0, 1));
        let error = transport.register_producer(Pace::Push, stream).unwrap_err();
        assert_eq!(error.reason(), ProducerErrorKind::Write(WriteError::ReactorGone));
    });
}

/// Case TC-25.
#[test]
fn a_second_registration_and_one_after_the_end_give_the_producer_back() {
    behaviour("a_second_registration_and_one_after_the_end_give_the_producer_back", |driver| {
        let (stream, record, transport, client) = paused_stream(driver, usize::MAX);
        let register = || transport.register_producer(Pace::Pull, stream.clone()).unwrap_err();
        assert_eq!(register().reason(), ProducerErrorKind::AlreadyRegistered);
        assert!(transport.unregister_producer() && !transport.unregister_producer());
        assert_eq!(stream.count("stop"), 0, "it is not lost");
        drop(client);
        driver.until("the loss", || record.lost().is_some());
        let error = register();
        assert_eq!(error.reason(), ProducerErrorKind::Write(WriteError::Closed));
        assert_eq!(
            error.to_string(),
            "no producer was registered for the connection: the descriptor is closed for writing"
        );
        drop(error.into_producer());

        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        transport.shutdown_write();
        driver.until("the end", || drain(&mut client, &mut Vec::new()));
        let error = transport.register_producer(Pace::Pull, stream.clone()).unwrap_err();
        assert_eq!(error.reason(), ProducerErrorKind::Write(WriteError::Closed));
        drop(client);
        driver.until("the loss", || record.lost().is_some());
    });
}

/// Case TC-25.
#[test]
fn the_panic_of_a_producer_is_the_protocols() {
    struct Panics;
    impl Producer for Panics {
        fn resume(&mut self, _: &Transport) {}
        fn stop(&mut self, _: &Transport) {
            panic!("of the producer");
        }
    }
    behaviour("the_panic_of_a_producer_is_the_protocols", |driver| {
        let (record, transport, client) = driver.connection(Recorder::quiet());
        transport.register_producer(Pace::Push, Panics).unwrap();
        set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
        drop(client);
        assert_eq!(driver.until_panic(), "of the producer");
        driver.turns(3);
        assert!(record.lost().is_none() && !record.events().is_empty());
        assert_eq!(transport.try_write("late"), Err(WriteError::Closed));
    });
}

/// Case TC-23. The input is forwarded until the close takes place.
#[test]
fn a_forwarded_input_is_forwarded_while_a_close_waits() {
    behaviour("a_forwarded_input_is_forwarded_while_a_close_waits", |driver| {
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        let (mut reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        reader.set_nonblocking(true).unwrap();
        let moved = transport.forward(Target::fd(writer));
        let stream = Stream::new(usize::MAX);
        transport.register_producer(Pace::Push, stream).unwrap();
        transport.lose_connection();
        driver.turns(3);
        client.write_all(b"forwarded").unwrap();
        let mut read = Vec::new();
        driver.until("it is forwarded", || {
            drain(&mut reader, &mut read);
            read == b"forwarded"
        });
        transport.unregister_producer();
        driver.until("the loss", || record.lost() == Some(Ok(())));
        driver.until("the end", || drain(&mut reader, &mut read));
        assert_eq!(moved.try_take().map(|moved| moved.ok()), Some(Some(9)));
        assert_eq!(record.data(), b"");
    });
}

/// Case TC-22. The protocol registers it.
#[test]
fn a_protocol_may_register_a_producer_when_the_connection_is_made() {
    struct Sender;
    impl Protocol for Sender {
        fn connection_made(&mut self, transport: &Transport) {
            let (producer, sent) = ReadProducer::new(Cursor::new(pattern(MIB)));
            transport.register_producer(Pace::Pull, producer).expect("it is open");
            sent.done(|sent| assert_eq!(sent.expect("all is sent"), 1 << 20));
        }
    }
    behaviour("a_protocol_may_register_a_producer_when_the_connection_is_made", |driver| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let record = Record::default();
        let listener = driver.listen_unix(&path, || Sender).unwrap();
        let connecting = driver.connect_unix(&path, Recorder::quiet().into_record(&record));
        driver.block_on(connecting).unwrap();
        driver.until("the loss", || record.lost() == Some(Ok(())));
        assert!(record.has(&Event::ReadClosed));
        assert!(record.data() == pattern(MIB));
        listener.stop_listening();
        driver.turns(3);
    });
}

//! A byte-stream protocol over a child's standard input and output.

use bytes::Bytes;
use procession_core::WriteError;
use procession_protocol::{
    Address, Factory, FakeProcess, ProcessTerminated, Protocol, StreamAdapter, Transport,
};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

type Log = Rc<RefCell<Vec<String>>>;

struct Recorder(Log);

impl Recorder {
    fn note(&self, text: impl Into<String>) {
        self.0.borrow_mut().push(text.into());
    }
}

impl Protocol for Recorder {
    fn connection_made(&mut self, transport: &Transport) {
        self.note("made");
        transport.write("hello");
    }

    fn data_received(&mut self, _: &Transport, data: Bytes) {
        self.note(format!("data {}", data.escape_ascii()));
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.note("read_closed");
        transport.lose_connection();
    }

    fn write_buffer_full(&mut self, _: &Transport) {
        self.note("full");
    }

    fn write_buffer_drained(&mut self, _: &Transport) {
        self.note("drained");
    }

    fn connection_lost(&mut self, transport: &Transport, reason: io::Result<()>) {
        assert_eq!(transport.try_write("late"), Err(WriteError::Closed));
        self.note(match reason {
            Ok(()) => "lost".to_owned(),
            Err(error) => {
                let inner = error.get_ref().expect("it holds how the process ended");
                assert!(inner.is::<ProcessTerminated>());
                format!("lost: {error}")
            }
        });
    }
}

fn recorder() -> (StreamAdapter<Recorder>, Log) {
    let log = Log::default();
    (StreamAdapter::new(Recorder(Rc::clone(&log))), log)
}

#[test]
fn output_is_received_and_writes_go_to_the_input() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    assert_eq!(fake.written(0), "hello");
    fake.child_writes(1, "answer");
    fake.child_writes(2, "dropped");
    fake.child_closes(1);
    assert!(fake.is_closed(0), "the default of read_closed closes the connection");
    fake.exit(0);
    assert_eq!(log.take(), ["made", "drained", "data answer", "read_closed", "lost"]);
}

#[test]
fn an_exit_status_is_the_reason_of_the_loss() {
    let (protocol, log) = recorder();
    FakeProcess::new(protocol).exit(3);
    assert_eq!(log.take().last().map(String::as_str), Some("lost: exited with status 3"));
}

#[test]
fn the_error_output_is_logged_by_lines_or_kept() {
    let (protocol, _log) = recorder();
    let lines: Rc<RefCell<Vec<Bytes>>> = Rc::default();
    let sink = Rc::clone(&lines);
    let protocol = protocol.log_stderr(move |line| sink.borrow_mut().push(line));
    let mut fake = FakeProcess::new(protocol);
    fake.child_writes(2, "one\ntw");
    fake.child_writes(2, "o\nlast");
    fake.exit(0);
    assert_eq!(lines.take(), ["one", "two", "last"]);

    let (protocol, _log) = recorder();
    let (protocol, kept) = protocol.keep_stderr(5);
    let mut fake = FakeProcess::new(protocol);
    fake.child_writes(2, "abc");
    fake.child_writes(2, "defg");
    fake.exit(0);
    assert_eq!(kept.bytes(), "abcde");
}

#[test]
fn the_transport_acts_on_the_child() {
    let kept: Rc<RefCell<Option<Transport>>> = Rc::default();
    let mut fake = FakeProcess::new(StreamAdapter::new(Give(Rc::clone(&kept))));
    let transport = kept.take().unwrap();
    assert_eq!((transport.peer(), transport.host()), (Address::Other, Address::Other));
    fake.hold_writes(0);
    transport.set_write_limits(2, 1).unwrap();
    transport.write_sequence(["a", "b"]);
    transport.write_copy(b"c");
    assert_eq!(transport.write_buffered(), 3);
    transport.shutdown_write();
    fake.release_writes(0);
    assert_eq!(fake.written(0), "abc");
    assert!(fake.is_closed(0) && !fake.is_closed(1));
    transport.abort_connection();
    assert!(fake.is_closed(1) && fake.is_closed(2));
    assert_eq!(transport.into_fd().unwrap_err().kind(), io::ErrorKind::Unsupported);
}

/// Gives the transport away.
struct Give(Rc<RefCell<Option<Transport>>>);

impl Protocol for Give {
    fn connection_made(&mut self, transport: &Transport) {
        self.0.replace(Some(transport.clone()));
    }
}

/// A piece that the hard limit refuses leaves no gap: none after it is queued, or asked for.
#[test]
fn a_sequence_ends_at_the_first_piece_that_is_refused() {
    let given: Rc<RefCell<Option<Transport>>> = Rc::default();
    let mut fake = FakeProcess::new(StreamAdapter::new(Give(Rc::clone(&given))));
    let transport = given.take().unwrap();
    fake.hold_writes(0);
    fake.process().set_write_hard_limit(0, Some(8)).unwrap();
    let mut asked = 0;
    transport.write_sequence(["aaaa", "BBBBBBBB", "cc"].into_iter().inspect(|_| asked += 1));
    assert_eq!((transport.write_buffered(), asked), (4, 2));
    // The limit is the queue's, not the sequence's: what fits is queued again.
    assert_eq!(transport.try_write("BBBBBBBB"), Err(WriteError::BufferFull));
    transport.write_copy(b"CCCCCCCC");
    transport.write_sequence(["", "dd", "ee"]);
    fake.release_writes(0);
    assert_eq!(fake.written(0), "aaaaddee");
}

#[test]
fn a_closure_is_a_factory() {
    let mut made = 0;
    let mut factory = || {
        made += 1;
        Recorder(Log::default())
    };
    assert!(factory.build_protocol(&Address::Other).is_some());
    assert!(factory.build_protocol(&Address::Unix(None)).is_some());
    assert_eq!(made, 2);
}

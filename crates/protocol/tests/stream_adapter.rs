//! A byte-stream protocol over a child's standard input and output.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use procession_core::WriteError;
use procession_protocol::{
    Address, Factory, FakeProcess, ProcessDone, ProcessTerminated, Protocol, StreamAdapter,
    Transport,
};

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

#[test]
fn the_end_of_the_output_does_not_end_the_error_output() {
    let (protocol, log) = recorder();
    let (protocol, kept) = protocol.keep_stderr(1000);
    let mut fake = FakeProcess::new(protocol);
    fake.child_writes(2, "be");
    fake.child_closes(1);
    assert!(fake.is_closed(0) && fake.is_closed(1), "the default of read_closed closes them");
    assert!(!fake.is_closed(2));
    fake.child_writes(2, "fore");
    fake.reap(Err(ProcessTerminated::exited(3)));
    assert!(!fake.is_ended(), "a descendant may still write");
    fake.child_writes(2, " and after");
    assert_eq!(log.take().last().map(String::as_str), Some("read_closed"));
    fake.child_closes(2);
    assert_eq!(kept.bytes(), "before and after");
    assert_eq!(log.take(), ["lost: exited with status 3"]);
}

#[test]
fn a_connection_that_the_program_closes_keeps_the_error_output() {
    for (aborts, expected) in [(false, "error"), (true, "")] {
        let closed = |adapter: StreamAdapter<Give>, given: &Rc<RefCell<Option<Transport>>>| {
            let mut fake = FakeProcess::new(adapter);
            let transport = given.take().unwrap();
            if aborts {
                transport.abort_connection();
            } else {
                transport.lose_connection();
            }
            fake.turn();
            assert!(fake.is_closed(0) && fake.is_closed(1));
            assert_eq!(fake.is_closed(2), aborts);
            fake.child_writes(2, "error");
            fake.exit(3);
            assert!(fake.is_ended());
        };
        let given: Rc<RefCell<Option<Transport>>> = Rc::default();
        let adapter = StreamAdapter::new(Give(Rc::clone(&given)));
        let (adapter, kept) = adapter.keep_stderr(1000);
        closed(adapter, &given);
        assert_eq!(kept.bytes(), expected);

        let lines: Rc<RefCell<Vec<Bytes>>> = Rc::default();
        let sink = Rc::clone(&lines);
        let adapter = StreamAdapter::new(Give(Rc::clone(&given)));
        closed(adapter.log_stderr(move |line| sink.borrow_mut().push(line)), &given);
        assert_eq!(lines.take().concat(), expected.as_bytes());
    }
}

/// It is read while the child is alive; descendants that hold it do not delay the end.
#[test]
fn a_discarded_error_output_is_closed_when_the_child_has_exited() {
    for exits_first in [false, true] {
        for closed_by_program in [false, true] {
            let given: Rc<RefCell<Option<Transport>>> = Rc::default();
            let mut fake = FakeProcess::new(StreamAdapter::new(Give(Rc::clone(&given))));
            let transport = given.take().unwrap();
            let close = |fake: &mut FakeProcess| {
                if closed_by_program {
                    transport.lose_connection();
                    fake.turn();
                } else {
                    fake.child_closes(1);
                }
            };
            if !exits_first {
                close(&mut fake);
                assert!(!fake.is_closed(2), "the child may write");
            }
            fake.reap(Ok(ProcessDone::default()));
            if exits_first {
                assert!(!fake.is_closed(2));
                close(&mut fake);
            }
            assert!(fake.is_closed(2) && fake.is_ended(), "{exits_first} {closed_by_program}");
        }
    }
}

/// Passes the transport to the test.
struct Give(Rc<RefCell<Option<Transport>>>);

impl Protocol for Give {
    fn connection_made(&mut self, transport: &Transport) {
        self.0.replace(Some(transport.clone()));
    }
}

/// If the hard limit refuses a piece, no later piece is queued, or even taken from the iterator.
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
    // The limit belongs to the queue, not to the sequence: a piece that fits is queued again.
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

#[test]
fn a_standard_error_that_is_kept_in_part_is_cut_between_characters() {
    for (most, expected) in [(1, "a"), (2, "a"), (3, "a"), (4, "a€"), (5, "a€"), (6, "a€é")]
    {
        let (protocol, _log) = recorder();
        let (protocol, kept) = protocol.keep_stderr(most);
        let mut fake = FakeProcess::new(protocol);
        for byte in "a€éb".bytes() {
            fake.child_writes(2, vec![byte]);
        }
        assert_eq!(kept.bytes(), expected, "{most}");
    }
}

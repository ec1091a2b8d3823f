//! The callbacks that a protocol gets from a fake connection, and the data that the peer gets.

mod connections;

use std::io::ErrorKind;

use connections::{Log, acting};
use procession_core::WriteError;
use procession_protocol::{Address, FakeConnection, Protocol, Transport};

struct Quiet;

impl Protocol for Quiet {}

fn quiet() -> (FakeConnection, Log) {
    let (protocol, log) = acting(|_, _| {});
    (FakeConnection::new(protocol), log)
}

fn heard(log: &Log) -> Vec<String> {
    log.take()
}

#[test]
fn made_is_first_and_what_the_peer_sends_comes_in_order() {
    let (mut fake, log) = quiet();
    assert_eq!(heard(&log), ["made"]);
    fake.peer_writes("one");
    fake.peer_writes("");
    fake.peer_writes("two");
    assert_eq!(heard(&log), ["data one", "data two"]);
    assert!(!fake.is_closed());
    assert_eq!(fake.lost(), None);
}

#[test]
fn a_peer_that_shuts_down_still_gets_the_reply() {
    let (mut fake, log) = quiet();
    fake.peer_writes("request");
    fake.peer_shuts_down();
    fake.peer_shuts_down();
    fake.peer_writes("late");
    assert_eq!(heard(&log), ["made", "data request", "read_closed"]);
    fake.transport().write("reply");
    fake.transport().shutdown_write();
    fake.transport().shutdown_write();
    fake.transport().write(" and more"); // the flush has not begun
    assert_eq!(fake.written(), "reply and more");
    assert!(fake.is_shut_down() && fake.is_closed());
    assert_eq!(heard(&log), ["drained", "lost ok"]);
    assert_eq!(fake.transport().try_write("late"), Err(WriteError::Closed));
}

#[test]
fn by_default_the_peers_end_closes_after_the_flush() {
    let mut fake = FakeConnection::new(Quiet);
    fake.hold_writes();
    fake.transport().write("reply");
    fake.peer_shuts_down();
    assert!(!fake.is_closed());
    fake.peer_reads(2);
    assert_eq!((fake.written(), fake.is_closed()), ("re".into(), false));
    assert_eq!(fake.transport().write_buffered(), 3);
    fake.release_writes();
    assert_eq!(fake.written(), "reply");
    assert_eq!(fake.lost(), Some(Ok(())));
}

#[test]
fn after_the_own_half_close_the_peers_reply_still_arrives() {
    let (mut fake, log) = quiet();
    fake.transport().write("request");
    fake.transport().shutdown_write();
    assert!(fake.is_shut_down() && !fake.is_closed());
    fake.peer_writes("reply");
    fake.peer_closes();
    assert_eq!(heard(&log), ["made", "drained", "data reply", "lost ok"]);
}

#[test]
fn a_peer_that_closes_is_reported_as_the_end_and_then_the_loss() {
    let (mut fake, log) = quiet();
    fake.transport().pause();
    fake.peer_writes("last words");
    fake.peer_closes();
    fake.peer_writes("late");
    assert_eq!(heard(&log), ["made"]);
    fake.transport().resume();
    fake.turn();
    assert_eq!(heard(&log), ["data last words", "read_closed", "lost ok"]);
}

#[test]
fn a_peer_that_closes_after_its_end_is_reported_as_the_loss() {
    let (mut fake, log) = quiet();
    fake.peer_shuts_down();
    assert_eq!(heard(&log), ["made", "read_closed"]);
    fake.peer_closes();
    assert_eq!(heard(&log), ["lost ok"]);
    let (mut fake, log) = quiet();
    fake.peer_shuts_down();
    fake.peer_resets();
    assert_eq!(heard(&log), ["made", "read_closed", "lost ConnectionReset"]);
}

#[test]
fn sent_data_are_delivered_before_the_loss_of_a_failed_write() {
    type End = fn(&mut FakeConnection);
    let ends: [(End, _); 2] = [
        (FakeConnection::peer_closes, ErrorKind::BrokenPipe),
        (FakeConnection::peer_resets, ErrorKind::ConnectionReset),
    ];
    for (end, kind) in ends {
        let (mut fake, log) = quiet();
        fake.transport().pause();
        fake.peer_writes("last");
        fake.peer_writes("words");
        end(&mut fake);
        fake.transport().write("nobody reads this");
        fake.turn();
        assert_eq!(fake.transport().try_write("late"), Err(WriteError::Closed));
        assert!(!fake.is_closed(), "it is paused");
        fake.transport().resume();
        assert_eq!(fake.lost(), Some(Err(kind)));
        let lost = format!("lost {kind:?}");
        assert_eq!(heard(&log), ["made", "data last", "data words", &lost]);
        assert_eq!(fake.written(), "");
    }
}

#[test]
fn a_reset_is_one_loss_after_the_data_sent_before() {
    let (mut fake, log) = quiet();
    fake.transport().pause();
    fake.peer_writes("before");
    fake.peer_resets();
    fake.peer_resets();
    fake.peer_closes();
    fake.transport().resume();
    assert_eq!(fake.lost(), Some(Err(ErrorKind::ConnectionReset)));
    assert_eq!(heard(&log), ["made", "data before", "lost ConnectionReset"]);
}

#[test]
fn losing_the_connection_sends_everything_first_and_reads_no_more() {
    let (mut fake, log) = quiet();
    fake.hold_writes();
    fake.transport().write(vec![b'.'; 70_000]);
    fake.transport().lose_connection();
    fake.transport().lose_connection();
    fake.peer_writes("unread");
    assert!(!fake.is_closed());
    assert_eq!(heard(&log), ["made", "full"]);
    fake.release_writes();
    assert_eq!(fake.written().len(), 70_000);
    assert_eq!(heard(&log), ["drained", "lost ok"]);
    assert!(!fake.is_shut_down(), "it is closed, both directions at once");
}

#[test]
fn aborting_drops_the_queue_and_the_due_events() {
    let (protocol, log) = acting(|name, transport| {
        if name == "data" {
            transport.write("never sent");
            transport.abort_connection();
            transport.abort_connection();
            assert_eq!(transport.write_buffered(), 0);
            assert_eq!(transport.try_write("late"), Err(WriteError::Closed));
        }
    });
    let mut fake = FakeConnection::new(protocol);
    fake.peer_writes("x");
    fake.peer_writes("y");
    assert_eq!(fake.lost(), Some(Err(ErrorKind::ConnectionAborted)));
    assert_eq!(heard(&log), ["made", "data x", "lost ConnectionAborted"]);
    assert_eq!(fake.written(), "");
}

#[test]
fn a_pause_inside_a_callback_holds_unread_data_back() {
    let (protocol, log) = acting(|name, transport| {
        if name == "data" {
            transport.pause();
        }
    });
    let mut fake = FakeConnection::new(protocol);
    fake.transport().pause();
    fake.peer_writes("one");
    fake.peer_writes("two");
    assert_eq!(heard(&log), ["made"]);
    for data in ["data one", "data two"] {
        fake.transport().resume();
        fake.turn();
        assert_eq!(heard(&log), [data]);
    }
}

#[test]
fn the_marks_follow_the_limits() {
    let (fake, log) = quiet();
    fake.transport().set_write_limits(10, 0).unwrap();
    fake.transport().write("twelve bytes");
    fake.turn();
    assert_eq!(heard(&log), ["made", "full", "drained"]);
    fake.transport().set_write_limits(10, 5).unwrap();
    fake.transport().write("short");
    assert_eq!(fake.written(), "twelve bytesshort");
    assert_eq!(heard(&log), [""; 0], "an emptied queue has no callback");
}

#[test]
fn the_addresses_are_those_of_the_test() {
    let peer = Address::Tcp("192.0.2.1:80".parse().unwrap());
    let host = Address::Unix(Some("/tmp/socket".into()));
    let (protocol, _log) = acting(|_, _| {});
    let fake = FakeConnection::between(protocol, peer.clone(), host.clone());
    assert_eq!((fake.transport().peer(), fake.transport().host()), (peer, host));
    let unsupported = fake.transport().clone().into_fd().unwrap_err();
    assert_eq!(unsupported.kind(), ErrorKind::Unsupported);
    assert!(format!("{fake:?}").contains("192.0.2.1"));
}

#[test]
fn everything_may_be_called_after_the_loss() {
    let all = |transport: &Transport| {
        transport.write("late");
        transport.pause();
        transport.resume();
        transport.shutdown_write();
        transport.lose_connection();
        transport.abort_connection();
        assert_eq!(transport.set_write_limits(1, 0), Err(WriteError::Closed));
    };
    let (mut fake, log) = quiet();
    fake.transport().lose_connection();
    fake.turn();
    all(fake.transport());
    fake.peer_writes("late");
    fake.peer_closes();
    fake.peer_resets();
    assert_eq!(heard(&log), ["made", "lost ok"]);
    let transport = fake.transport().clone();
    drop(fake);
    all(&transport);
}

#[test]
fn the_limits_of_a_connection_are_told_and_a_hard_one_refuses() {
    let mut fake = FakeConnection::new(Quiet);
    let transport = fake.transport().clone();
    assert_eq!(transport.write_limits(), Some((64 * 1024, 0)));
    transport.set_write_limits(10, 5).unwrap();
    assert_eq!(transport.write_limits(), Some((10, 5)));
    fake.hold_writes();
    transport.set_write_hard_limit(Some(3)).unwrap();
    assert_eq!(transport.try_write("long"), Err(WriteError::BufferFull));
    transport.write("abc");
    assert_eq!(transport.try_write("d"), Err(WriteError::BufferFull));
    transport.set_write_hard_limit(None).unwrap();
    transport.write("d");
    fake.release_writes();
    assert_eq!(fake.written(), "abcd");
    fake.peer_resets();
    assert_eq!(transport.write_limits(), None);
    assert_eq!(transport.set_write_hard_limit(None), Err(WriteError::Closed));
}

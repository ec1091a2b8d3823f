//! A handle of a connection reports that its reactor is gone. If the connection was lost before,
//! the handle reports that it is closed.

mod util;

use std::io::{self, ErrorKind};

use procession_core::{Failed, WriteError};
use procession_net_transport::NetTransports;
use procession_protocol::{Target, Transport};
use procession_reactor::Reactor;

use crate::util::{Driver, Recorder, in_a_copy, isolated, isolated_without_leak_check};

fn forwarded(transport: &Transport) -> io::Error {
    let (reader, _writer) = io::pipe().expect("a pipe");
    match transport.forward(Target::fd(reader)).try_take() {
        Some(Err(Failed::Error(error))) => error.source,
        other => panic!("{other:?}"),
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotConnected && error.to_string() == "the reactor is gone"
}

/// Case OL-14.
#[test]
fn every_verb_says_that_the_reactor_is_gone() {
    isolated("every_verb_says_that_the_reactor_is_gone", || {
        let mut driver = Driver(Reactor::new().unwrap());
        let (_, transport, _client) = driver.connection(Recorder::quiet());
        drop(driver);
        assert_eq!(transport.try_write("x"), Err(WriteError::ReactorGone));
        assert_eq!(transport.set_write_limits(2, 1), Err(WriteError::ReactorGone));
        assert_eq!(transport.set_write_hard_limit(None), Err(WriteError::ReactorGone));
        assert_eq!(transport.write_limits(), None);
        assert!(is_gone(&forwarded(&transport)));
        // The source of a forwarding to it is on a loop that still runs.
        let mut driver = Driver(Reactor::new().unwrap());
        let (_, source, _client) = driver.connection(Recorder::quiet());
        let moved = source.forward(Target::connection(&transport));
        let Some(Err(Failed::Error(error))) = moved.try_take() else { panic!("it cannot begin") };
        assert!(is_gone(&error.source), "{error:?}");
        drop(driver);
        // These methods return nothing, and do nothing.
        transport.write("x");
        transport.write_copy(b"x");
        transport.pause();
        transport.resume();
        transport.shutdown_write();
        transport.lose_connection();
        transport.abort_connection();
        assert_eq!(transport.write_buffered(), 0);
        assert!(is_gone(&transport.into_fd().unwrap_err()));
    });
}

/// Case OL-14.
#[test]
fn a_connection_that_was_lost_before_is_closed() {
    isolated("a_connection_that_was_lost_before_is_closed", || {
        let mut driver = Driver(Reactor::new().unwrap());
        let (record, transport, client) = driver.connection(Recorder::quiet());
        drop(client);
        transport.abort_connection();
        driver.until("it is lost", || record.lost().is_some());
        drop(driver);
        assert_eq!(transport.try_write("x"), Err(WriteError::Closed));
        assert_eq!(transport.set_write_limits(2, 1), Err(WriteError::Closed));
        assert_eq!(transport.set_write_hard_limit(None), Err(WriteError::Closed));
        assert_eq!(transport.write_limits(), None);
        let error = transport.into_fd().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert!(!is_gone(&error));
    });
}

/// Case FD-35.
#[test]
fn a_listener_whose_loop_a_forked_copy_drops_listens_on() {
    isolated_without_leak_check("a_listener_whose_loop_a_forked_copy_drops_listens_on", || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let mut reactor = Some(Reactor::new().unwrap());
        let listener = reactor.as_ref().unwrap().listen_unix(&path, Recorder::quiet).unwrap();
        in_a_copy(|| drop(reactor.take()));
        assert!(path.exists());
        assert!(listener.is_listening());
        let mut reactor = reactor.unwrap();
        let connected = reactor.connect_unix(&path, Recorder::quiet());
        assert!(reactor.block_on(connected).is_ok());
        drop(reactor);
        assert!(!path.exists(), "it goes with the original's");
    });
}

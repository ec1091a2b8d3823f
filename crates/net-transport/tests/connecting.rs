//! Connecting: refusals, names, giving up, and Unix sockets.

mod util;

use std::cell::Cell;
use std::error::Error;
use std::io::{ErrorKind, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::time::Duration;

use procession_core::{Deferred, Failed};
use procession_net_transport::{ConnectError, NetTransports};
use procession_protocol::{Address, Protocol, Transport};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::util::{Event, Recorder, behaviour, drain, sanitizer, skip_here};

/// Counts its drops.
struct Dropped(Rc<Cell<u32>>);

impl Protocol for Dropped {
    fn connection_made(&mut self, _: &Transport) {
        unreachable!("nobody is connected");
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn error(failed: Failed<ConnectError>) -> ConnectError {
    failed.error().expect("it was not cancelled")
}

#[test]
fn a_refusal_names_the_destination_and_drops_the_protocol() {
    behaviour("a_refusal_names_the_destination_and_drops_the_protocol", |driver| {
        let (listener, address) = driver.listen(Recorder::quiet);
        driver.block_on(listener.stop_listening()).unwrap();
        let drops = Rc::new(Cell::new(0));
        let connected = driver.connect_tcp(address, Dropped(Rc::clone(&drops)));
        let refused = error(driver.block_on(connected).unwrap_err());
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(refused.raw_os_error(), Some(111));
        let text = format!("cannot connect to {address}: Connection refused");
        assert_eq!(refused.to_string(), text);
        assert!(refused.source().is_none(), "the reason is printed already");
        assert_eq!(drops.get(), 1);
    });
}

#[test]
fn text_that_is_no_destination_fails_the_result() {
    behaviour("text_that_is_no_destination_fails_the_result", |driver| {
        let connected = driver.connect_tcp("no port", Recorder::quiet());
        let bad = error(driver.block_on(connected).unwrap_err());
        assert_eq!(bad.kind(), ErrorKind::InvalidInput);
        assert_eq!(bad.destination(), "\"no port\"");
    });
}

/// Returns how much address space this process has, in bytes.
fn address_space() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.strip_suffix(" kB"));
    size.expect("the kernel counts it").trim().parse::<u64>().expect("it is a number") << 10
}

/// The test limits memory, because root ignores a limit on processes. What is left is enough for
/// small allocations, which not every C library has in store, and too little for a thread's stack.
#[test]
fn a_lookup_without_a_thread_is_an_error_that_names_it() {
    let name = "a_lookup_without_a_thread_is_an_error_that_names_it";
    if sanitizer().as_deref() == Some("address") {
        return skip_here(name, "the sanitizer's own memory is over any limit");
    }
    behaviour(name, |driver| {
        let limit = getrlimit(Resource::As);
        let connected = driver.connect_tcp(("localhost", 1), Dropped(Rc::default()));
        let little = address_space() + (1 << 20);
        setrlimit(Resource::As, Rlimit { current: Some(little), ..limit }).unwrap();
        let result = driver.block_on(connected);
        setrlimit(Resource::As, limit).unwrap();
        let refused = error(result.unwrap_err());
        assert_eq!(refused.raw_os_error(), Some(11));
        assert_eq!(
            refused.to_string(),
            "cannot connect to localhost:1: no thread to look the name up: \
             Resource temporarily unavailable"
        );
    });
}

#[test]
fn a_name_is_looked_up() {
    behaviour("a_name_is_looked_up", |driver| {
        let (listener, address) = driver.listen(Recorder::echo);
        let name = "localhost".to_owned(); // only the call borrows it
        let connected = driver.connect_tcp((name.as_str(), address.port()), Recorder::quiet());
        drop(name);
        let transport = driver.block_on(connected).unwrap();
        assert_eq!(transport.peer(), Address::Tcp(address));
        transport.lose_connection();
        driver.turns(3);
        listener.stop_listening();
    });
}

/// Giving up takes effect at once, whatever the lookup does.
#[test]
fn giving_up_drops_the_protocol_and_leaves_nothing() {
    behaviour("giving_up_drops_the_protocol_and_leaves_nothing", |driver| {
        let drops = Rc::new(Cell::new(0));
        let (listener, address) = driver.listen(Recorder::quiet);
        let destinations =
            [("localhost".to_owned(), address.port()), (address.ip().to_string(), address.port())];
        for destination in destinations {
            let given_up = driver.connect_tcp(destination.clone(), Dropped(Rc::clone(&drops)));
            drop(given_up);
            let cancelled = driver.connect_tcp(destination, Dropped(Rc::clone(&drops)));
            cancelled.cancel();
            assert_eq!(cancelled.try_take().unwrap().unwrap_err().to_string(), "cancelled");
        }
        driver.until("all are dropped", || drops.get() == 4);
        listener.stop_listening();
    });
}

/// Between `connection_made` and the result there is a connection to give up.
#[test]
fn giving_up_inside_connection_made_aborts_the_connection() {
    behaviour("giving_up_inside_connection_made_aborts_the_connection", |driver| {
        let (listener, address) = driver.listen(Recorder::echo);
        for drops in [false, true] {
            let connecting = Rc::new(Cell::new(None::<Deferred<Transport, ConnectError>>));
            let inside = Rc::clone(&connecting);
            let recorder = Recorder::new(move |transport, event| {
                if *event == Event::Made {
                    let connecting = inside.take().unwrap();
                    if drops {
                        drop(connecting);
                    } else {
                        connecting.cancel();
                        inside.set(Some(connecting));
                    }
                    transport.write("to be echoed");
                }
            });
            let record = recorder.record.clone();
            connecting.set(Some(driver.connect_tcp(address, recorder)));
            driver.until("it is lost", || record.lost().is_some());
            let lost = Event::Lost(Err(ErrorKind::ConnectionAborted));
            assert_eq!(record.events(), [Event::Made, lost]);
            let result = connecting.take().map(|connecting| connecting.try_take().unwrap());
            assert!(matches!(result, None | Some(Err(Failed::Cancelled))), "{result:?}");
            assert_eq!(result.is_none(), drops);
        }
        listener.stop_listening();
        driver.turns(3);
    });
}

/// A full backlog accepts no connection, so the attempt times out.
#[test]
fn a_timeout_closes_the_socket() {
    behaviour("a_timeout_closes_the_socket", |driver| {
        let before = util::open_fds().len();
        let drops = Rc::new(Cell::new(0));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let address = listener.local_addr().unwrap();
        let _full = util::connected(address); // a backlog of 0 has room for this one
        let connected = driver.connect_tcp(address, Dropped(Rc::clone(&drops)));
        let result = driver.block_on(connected.timeout(Duration::from_millis(50)));
        assert!(matches!(result, Err(Failed::TimedOut)), "{result:?}");
        driver.until("it is dropped", || drops.get() == 1);
        assert_eq!(util::open_fds().len(), before + 2, "the listener and the first");
    });
}

/// Like TC-01, over a Unix socket.
#[test]
fn an_echo_over_a_unix_socket_comes_back_and_the_path_is_removed() {
    behaviour("an_echo_over_a_unix_socket_comes_back_and_the_path_is_removed", |driver| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = driver.listen_unix(&path, Recorder::echo).unwrap();
        assert_eq!(listener.host(), Address::Unix(Some(path.clone())));
        assert_eq!(listener.port(), None);
        let in_use = driver.listen_unix(&path, Recorder::quiet).unwrap_err();
        assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
        let recorder = Recorder::new(|transport, event| match event {
            Event::Made => transport.write("over a file"),
            Event::Data(_) => transport.lose_connection(),
            _ => {}
        });
        let record = recorder.record.clone();
        let connected = driver.connect_unix(&path, recorder);
        let transport = driver.block_on(connected).unwrap();
        assert_eq!(transport.peer(), Address::Unix(Some(path.clone())));
        assert_eq!(transport.host(), Address::Unix(None));
        driver.until("it is lost", || record.lost().is_some());
        assert_eq!((record.data(), record.lost()), (b"over a file".to_vec(), Some(Ok(()))));
        driver.block_on(listener.stop_listening()).unwrap();
        assert!(!path.exists());
        let connected = driver.connect_unix(&path, Recorder::quiet());
        let gone = error(driver.block_on(connected).unwrap_err());
        assert_eq!(gone.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_path_that_another_file_has_replaced_stays() {
    behaviour("a_path_that_another_file_has_replaced_stays", |driver| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = driver.listen_unix(&path, Recorder::quiet).unwrap();
        std::fs::rename(&path, directory.path().join("elsewhere")).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        driver.block_on(listener.stop_listening()).unwrap();
        assert!(path.exists());
        drop(other);
    });
}

/// For a full backlog of a Unix listener, connect gives EAGAIN, and no event reports when there is
/// room.
#[test]
fn a_full_backlog_of_a_unix_listener_is_waited_for() {
    behaviour("a_full_backlog_of_a_unix_listener_is_waited_for", |driver| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let first = UnixStream::connect(&path).unwrap();
        let recorder = Recorder::quiet();
        let record = recorder.record.clone();
        driver.connect_unix(&path, recorder).detach();
        driver.wakeups_within(Duration::from_millis(20));
        assert_eq!(record.events(), []);
        let accepted = listener.accept().unwrap();
        driver.until("there is room", || record.has(&Event::Made));
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"x").unwrap();
        driver.until("it arrives", || record.data() == b"x");
        drop((first, accepted, peer));
        driver.until("it is lost", || record.lost().is_some());
    });
}

/// A Unix socket is paused when the peer goes away; both directions are tested.
#[test]
fn a_paused_unix_connection_whose_peer_has_gone_does_not_spin_and_loses_nothing() {
    let name = "a_paused_unix_connection_whose_peer_has_gone_does_not_spin_and_loses_nothing";
    behaviour(name, |driver| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let recorder = Recorder::quiet();
        let record = recorder.record.clone();
        let connected = driver.connect_unix(&path, recorder);
        let transport = driver.block_on(connected).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        transport.pause();
        peer.write_all(b"last words").unwrap();
        drop(peer);
        driver.wakeups_within(Duration::from_millis(20));
        assert!(driver.wakeups_within(Duration::from_millis(100)) < 4, "it does not spin");
        assert_eq!(record.events(), [Event::Made]);
        transport.resume();
        driver.until("it is lost", || record.lost().is_some());
        assert_eq!((record.data(), record.lost()), (b"last words".to_vec(), Some(Ok(()))));
    });
}

/// The nonblocking peers of these tests see the end.
#[test]
fn the_end_of_a_connection_reaches_the_peer() {
    behaviour("the_end_of_a_connection_reaches_the_peer", |driver| {
        let (_, transport, mut client) = driver.connection(Recorder::quiet());
        transport.lose_connection();
        driver.until("the end", || drain(&mut client, &mut Vec::new()));
    });
}

//! The end of `run`: connections and listeners are closed in the *during* phase, and protocols get
//! the loss.

mod util;

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use procession_core::Deferred;
use procession_net_transport::{Listener, NetTransports};
use procession_reactor::{Handle, Phase, Stopped, SystemEvent};

use crate::util::{Driver, Event, Record, Recorder, behaviour, drain, pattern, try_client};

/// The reason of a loss by a stop, and the event of it.
const STOPPED: Result<(), ErrorKind> = Err(ErrorKind::ConnectionAborted);
const LOST: Event = Event::Lost(STOPPED);

/// Runs the loop, and stops it after this time.
fn run_for(driver: &mut Driver, milliseconds: u64) {
    driver.call_later(Duration::from_millis(milliseconds), |reactor| reactor.stop());
    assert!(matches!(driver.run().expect("it runs"), Stopped::Called));
}

#[test]
fn a_stop_closes_connections_and_listeners_in_the_during_phase() {
    behaviour("a_stop_closes_connections_and_listeners_in_the_during_phase", |driver| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let (accepted, _, mut client) = driver.connection(Recorder::quiet());
        let unix = Recorder::quiet();
        let connected = unix.record.clone();
        let tcp_listener = driver.listen(Recorder::quiet).0;
        let unix_listener = driver.listen_unix(&path, Recorder::quiet).unwrap();
        let connecting = driver.connect_unix(&path, unix);
        driver.block_on(connecting).unwrap();

        let seen = Rc::new(RefCell::new(Vec::new()));
        for phase in [Phase::Before, Phase::After] {
            let (seen, accepted, connected) = (seen.clone(), accepted.clone(), connected.clone());
            let listeners = [tcp_listener.clone(), unix_listener.clone()];
            driver.add_system_event_trigger(phase, SystemEvent::Shutdown, move |_| {
                let lost = [accepted.lost(), connected.lost()].map(|lost| lost.is_some());
                seen.borrow_mut().push((lost, listeners.each_ref().map(Listener::is_listening)));
            });
        }
        run_for(driver, 5);
        assert_eq!(*seen.borrow(), [([false; 2], [true; 2]), ([true; 2], [false; 2])]);
        assert_eq!(accepted.events(), [Event::Made, LOST]);
        assert_eq!(connected.events(), [Event::Made, LOST]);
        assert!(drain(&mut client, &mut Vec::new()), "the peer sees the end");
        assert!(!path.exists());
        driver.block_on(tcp_listener.stop_listening()).unwrap();
    });
}

#[test]
fn what_the_kernel_takes_is_written_before_the_close() {
    behaviour("what_the_kernel_takes_is_written_before_the_close", |driver| {
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        // Unread data would make the kernel reset the connection at the close, which would lose the
        // last bytes.
        transport.pause();
        client.write_all(b"never read").unwrap();
        for (phase, words) in [(Phase::During, "-bye"), (Phase::After, "too late")] {
            let writer = transport.clone();
            driver.add_system_event_trigger(phase, SystemEvent::Shutdown, move |_| {
                writer.write(words);
            });
        }
        // Nobody reads this connection: what the kernel does not take is dropped.
        let (full, flood, mut slow) = driver.connection(Recorder::quiet());
        flood.write(pattern(16 << 20));
        // This connection is asked to close after its queue. The stop still writes the queue.
        let (closing, last, mut reader) = driver.connection(Recorder::quiet());
        driver.turns(3);
        driver.call_soon(move |reactor| {
            transport.write("bye");
            last.write("all");
            last.lose_connection();
            reactor.stop();
        });
        driver.run().unwrap();
        assert_eq!(record.lost(), Some(STOPPED));
        assert_eq!((full.lost(), flood.write_buffered()), (Some(STOPPED), 0));
        assert_eq!(closing.lost(), Some(Ok(())));
        let (mut words, mut part, mut all) = (Vec::new(), Vec::new(), Vec::new());
        driver.until("the ends", || {
            drain(&mut client, &mut words)
                && drain(&mut slow, &mut part)
                && drain(&mut reader, &mut all)
        });
        assert_eq!((words, all), (b"bye-bye".to_vec(), b"all".to_vec()));
        assert!(!part.is_empty() && part.len() < 16 << 20, "{} bytes", part.len());
        assert!(part == pattern(part.len()));
    });
}

/// A graceful program finishes its work in a *before* trigger.
#[test]
fn a_before_trigger_delays_the_close() {
    behaviour("a_before_trigger_delays_the_close", |driver| {
        let (record, transport, client) = driver.connection(Recorder::echo());
        let client = Rc::new(RefCell::new(client));
        let peer = Rc::clone(&client);
        driver.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, move |reactor| {
            peer.borrow_mut().write_all(b"still served").unwrap();
            let (promise, served) = Deferred::<(), String>::new();
            wait_for_the_echo(reactor, peer, transport, promise);
            served
        });
        run_for(driver, 5);
        assert_eq!(record.data(), b"still served");
        assert_eq!(record.lost(), Some(Ok(())), "it was closed by the program");
    });
}

/// Looks every millisecond, and then closes the connection.
fn wait_for_the_echo(
    reactor: &Handle,
    peer: Rc<RefCell<TcpStream>>,
    transport: procession_protocol::Transport,
    promise: procession_core::Promise<(), String>,
) {
    reactor.call_later(Duration::from_millis(1), move |reactor| {
        let mut echo = Vec::new();
        drain(&mut *peer.borrow_mut(), &mut echo);
        if echo.is_empty() {
            return wait_for_the_echo(reactor, peer, transport, promise);
        }
        assert_eq!(echo, b"still served");
        transport.lose_connection();
        // The connection is flushed before the next callback.
        reactor.call_soon(move |_| promise.complete(Ok(())));
    });
}

/// A listener of the *during* phase may accept before the *after* phase, which closes both.
#[test]
fn a_connection_that_a_trigger_makes_is_closed_too() {
    behaviour("a_connection_that_a_trigger_makes_is_closed_too", |driver| {
        let (first, _, _client) = driver.connection(Recorder::quiet());
        let listeners = Rc::new(RefCell::new(Vec::new()));
        let clients = Rc::new(RefCell::new(Vec::new()));
        let record = Record::default();
        for phase in [Phase::Before, Phase::During, Phase::After] {
            let (listeners, clients, record) = (listeners.clone(), clients.clone(), record.clone());
            driver.add_system_event_trigger(phase, SystemEvent::Shutdown, move |reactor| {
                let factory = move || Recorder::quiet().into_record(&record);
                let listener = reactor.listen_tcp(("127.0.0.1", 0), factory).unwrap();
                if phase == Phase::During {
                    let address = ("127.0.0.1", listener.port().unwrap());
                    clients.borrow_mut().push(TcpStream::connect(address).unwrap());
                }
                listeners.borrow_mut().push(listener);
            });
        }
        run_for(driver, 5);
        assert_eq!(first.events(), [Event::Made, LOST]);
        assert_eq!(record.events(), [], "its listener was closed before it was accepted");
        let mut client = clients.take().remove(0);
        assert!(client.read(&mut [0]).map_or(true, |bytes| bytes == 0), "it has ended");
        assert_eq!(listeners.borrow().len(), 3);
        assert!(!listeners.borrow().iter().any(Listener::is_listening));
    });
}

#[test]
fn an_attempt_to_connect_fails_and_drops_its_protocol() {
    behaviour("an_attempt_to_connect_fails_and_drops_its_protocol", |driver| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        // A backlog of 0 has room for one connection: neither attempt is ever accepted.
        let unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
        rustix::net::listen(&unix, 0).unwrap();
        let _first = UnixStream::connect(&path).unwrap();
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&tcp, 0).unwrap();
        let address = tcp.local_addr().unwrap();
        let _second = try_client(address).unwrap();

        let recorders = [Recorder::quiet(), Recorder::quiet()];
        let dropped = Rc::new(());
        let [over_unix, over_tcp] = recorders.map(|recorder| {
            let dropped = Rc::clone(&dropped);
            let react = move |_: &_, event: &_| panic!("{event:?}: {}", Rc::strong_count(&dropped));
            Recorder::new(react).into_record(&recorder.record)
        });
        let attempts =
            [driver.connect_unix(&path, over_unix), driver.connect_tcp(address, over_tcp)];
        run_for(driver, 20);
        for attempt in attempts {
            let error = attempt.try_take().expect("it is there").unwrap_err().error().unwrap();
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
            assert_eq!(error.io_error().to_string(), "the event loop stopped");
        }
        assert_eq!(Rc::strong_count(&dropped), 1, "the protocols are dropped");
    });
}

/// A protocol that learns of the stop may write to another connection, which is closed after it.
#[test]
fn a_write_that_a_failed_attempt_causes_is_sent() {
    behaviour("a_write_that_a_failed_attempt_causes_is_sent", |driver| {
        let full = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&full, 0).unwrap();
        let address = full.local_addr().unwrap();
        let _first = try_client(address).unwrap();
        let attempt = driver.connect_tcp(address, Recorder::quiet());
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        attempt.done(move |result| {
            assert!(result.is_err());
            transport.write("bye");
        });
        run_for(driver, 5);
        assert_eq!(record.lost(), Some(STOPPED));
        let mut words = Vec::new();
        driver.until("the end", || drain(&mut client, &mut words));
        assert_eq!(words, b"bye");
    });
}

#[test]
fn every_run_closes_what_was_opened_since_the_last() {
    behaviour("every_run_closes_what_was_opened_since_the_last", |driver| {
        for _ in 0..3 {
            let (record, _, _client) = driver.connection(Recorder::quiet());
            let (listener, _) = driver.listen(Recorder::quiet);
            run_for(driver, 5);
            assert_eq!(record.events(), [Event::Made, LOST]);
            assert!(!listener.is_listening());
        }
        // Turns are not a run: they close nothing.
        let (record, transport, _client) = driver.connection(Recorder::quiet());
        driver.turns(5);
        assert_eq!(record.events(), [Event::Made]);
        transport.abort_connection();
        driver.turns(1);
    });
}

/// A panic of one protocol does not keep the others open.
#[test]
fn a_panic_of_one_protocol_leaves_the_others_closed() {
    behaviour("a_panic_of_one_protocol_leaves_the_others_closed", |driver| {
        let panics = Recorder::new(|_, event| assert!(*event == Event::Made, "on its loss"));
        let (_, first, _client) = driver.connection(panics);
        let (record, second, mut peer) = driver.connection(Recorder::quiet());
        driver.call_soon(|reactor| reactor.stop());
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| driver.run()));
        assert_eq!(run.unwrap_err().downcast_ref(), Some(&"on its loss"));
        assert!(drain(&mut peer, &mut Vec::new()), "it is closed");
        driver.turns(2);
        assert_eq!(record.events(), [Event::Made, LOST]);
        assert!(first.try_write("x").is_err() && second.try_write("x").is_err());
    });
}

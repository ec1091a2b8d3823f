//! Area TC: listening, accepting and stopping.

mod util;

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use procession_net_transport::{Listener, NetTransports};
use procession_protocol::{Address, Factory, Protocol};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::util::{Driver, Event, Record, Recorder, behaviour, drain, pattern, skip};

/// Sends `bytes`, and closes when they have come back.
fn client(bytes: Vec<u8>) -> Recorder {
    let mut left = bytes.len();
    Recorder::new(move |transport, event| match event {
        Event::Made => transport.write(bytes.clone()),
        Event::Data(data) => {
            left -= data.len();
            if left == 0 {
                transport.lose_connection();
            }
        }
        _ => {}
    })
}

fn check_echo_both_ways(driver: &mut Driver, address: &str) -> Address {
    let server = Record::default();
    let theirs = server.clone();
    let factory = move || Recorder::echo().into_record(&theirs);
    let listener = driver.listen_tcp(address, factory).expect("a port");
    let Address::Tcp(host) = listener.host() else { panic!("no TCP: {listener:?}") };
    assert_eq!(listener.port(), Some(host.port()));
    assert_ne!(host.port(), 0, "the real port");
    let sent = pattern(1024);
    let recorder = client(sent.clone());
    let record = recorder.record.clone();
    let connected = driver.connect_tcp(host, recorder);
    let transport = driver.block_on(connected).expect("it listens");
    assert_eq!(transport.peer(), listener.host());
    driver.until("both are lost", || server.lost().is_some() && record.lost().is_some());
    assert_eq!(record.data(), sent);
    assert_eq!((record.lost(), server.lost()), (Some(Ok(())), Some(Ok(()))));
    assert!(server.has(&Event::ReadClosed));
    listener.stop_listening();
    listener.host()
}

/// Case TC-01.
#[test]
fn an_echo_on_a_port_of_the_kernels_choice_comes_back_whole() {
    behaviour("an_echo_on_a_port_of_the_kernels_choice_comes_back_whole", |driver| {
        check_echo_both_ways(driver, "127.0.0.1:0");
    });
}

/// Case TC-20.
#[test]
fn an_echo_over_ipv6_comes_back_whole() {
    let name = "an_echo_over_ipv6_comes_back_whole";
    behaviour(name, |driver| {
        if std::net::TcpListener::bind("[::1]:0").is_err() {
            return skip(name, "no IPv6 here");
        }
        let Address::Tcp(host) = check_echo_both_ways(driver, "[::1]:0") else { panic!("no TCP") };
        assert!(host.is_ipv6());
    });
}

/// Case TC-02.
#[test]
fn a_port_in_use_is_an_error_of_the_call() {
    behaviour("a_port_in_use_is_an_error_of_the_call", |driver| {
        let (listener, address) = driver.listen(Recorder::quiet);
        let error = driver.listen_tcp(address, Recorder::quiet).unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::AddrInUse, Some(98)));
        listener.stop_listening();
    });
}

/// Case TC-03.
#[test]
fn an_address_of_another_machine_is_an_error_of_the_call() {
    behaviour("an_address_of_another_machine_is_an_error_of_the_call", |driver| {
        let error = driver.listen_tcp("192.0.2.1:0", Recorder::quiet).unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::AddrNotAvailable, Some(99)));
    });
}

/// Case TC-04.
#[test]
fn a_port_can_be_listened_on_again_as_soon_as_it_was_stopped() {
    behaviour("a_port_can_be_listened_on_again_as_soon_as_it_was_stopped", |driver| {
        let record = Record::default();
        let theirs = record.clone();
        let greet_and_close = move || {
            let react = |transport: &procession_protocol::Transport, event: &Event| {
                if *event == Event::Made {
                    transport.lose_connection();
                }
            };
            Recorder::new(react).into_record(&theirs)
        };
        let (listener, address) = driver.listen(greet_and_close);
        let mut client = util::connected(address);
        driver.until("the server has closed", || drain(&mut client, &mut Vec::new()));
        drop(client); // the server's side is in TIME_WAIT
        assert_eq!(record.lost(), Some(Ok(())));
        let again: Rc<RefCell<Vec<Listener>>> = Rc::default();
        let listen = Rc::clone(&again);
        let handle = driver.handle();
        listener.stop_listening().done(move |stopped| {
            stopped.unwrap();
            listen.borrow_mut().push(handle.listen_tcp(address, Recorder::quiet).unwrap());
        });
        driver.until("it is stopped", || !again.borrow().is_empty());
        driver.turns(3);
        assert_eq!(again.borrow().len(), 1);
        again.borrow()[0].stop_listening();
    });
}

/// Case TC-05.
#[test]
fn connections_outlive_their_listener() {
    behaviour("connections_outlive_their_listener", |driver| {
        let (listener, address) = driver.listen(Recorder::echo);
        let mut client = util::connected(address);
        driver.turns(3);
        listener.stop_listening();
        assert!(!listener.is_listening());
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        client.write_all(b"still here").unwrap();
        let mut echo = Vec::new();
        driver.until("the echo", || {
            drain(&mut client, &mut echo);
            echo == b"still here"
        });
    });
}

/// Case TC-15.
#[test]
fn clients_that_came_before_the_loop_ran_are_all_accepted() {
    behaviour("clients_that_came_before_the_loop_ran_are_all_accepted", |driver| {
        let accepted = Rc::new(Cell::new(0));
        let count = Rc::clone(&accepted);
        let (listener, address) = driver.listen(move || {
            count.set(count.get() + 1);
            Recorder::quiet()
        });
        let clients: Vec<_> = (0..100).map(|_| util::connected(address)).collect();
        driver.turns(1);
        assert!(accepted.get() < 100, "a turn accepts a share, so that others have theirs");
        driver.until("all are accepted", || accepted.get() == 100);
        drop(clients);
        listener.stop_listening();
    });
}

/// Refuses every second connection.
struct Picky(u32);

impl Factory for Picky {
    fn build_protocol(&mut self, peer: &Address) -> Option<Box<dyn Protocol>> {
        assert!(matches!(peer, Address::Tcp(peer) if peer.ip().is_loopback()));
        self.0 += 1;
        self.0.is_multiple_of(2).then(|| Box::new(Recorder::echo()) as _)
    }
}

/// Case TC-16.
#[test]
fn a_factory_that_returns_none_refuses_only_that_connection() {
    behaviour("a_factory_that_returns_none_refuses_only_that_connection", |driver| {
        let listener = driver.listen_tcp("127.0.0.1:0", Picky(0)).unwrap();
        let address = ("127.0.0.1", listener.port().unwrap());
        let mut refused = TcpStream::connect(address).unwrap();
        refused.set_nonblocking(true).unwrap();
        driver.until("it is closed", || drain(&mut refused, &mut Vec::new()));
        let recorder = client(b"x".to_vec());
        let record = recorder.record.clone();
        driver.connect_tcp(address, recorder).detach();
        driver.until("the second is served", || record.lost() == Some(Ok(())));
        assert!(listener.is_listening());
        listener.stop_listening();
    });
}

/// Case TC-16.
#[test]
fn a_factory_may_stop_its_own_listener() {
    behaviour("a_factory_may_stop_its_own_listener", |driver| {
        let own: Rc<RefCell<Option<Listener>>> = Rc::default();
        let stop = Rc::clone(&own);
        let (listener, address) = driver.listen(move || {
            stop.borrow().as_ref().expect("set below").stop_listening();
            Recorder::echo()
        });
        *own.borrow_mut() = Some(listener.clone());
        let mut first = util::connected(address);
        let second = util::connected(address);
        first.write_all(b"x").unwrap();
        let mut echo = Vec::new();
        driver.until("the first is served", || {
            drain(&mut first, &mut echo);
            echo == b"x"
        });
        assert!(!listener.is_listening());
        assert!(TcpStream::connect(address).is_err());
        drop(second);
    });
}

/// Case TC-17.
#[test]
fn stopping_twice_is_harmless() {
    behaviour("stopping_twice_is_harmless", |driver| {
        let (listener, _) = driver.listen(Recorder::quiet);
        let results = [listener.stop_listening(), listener.stop_listening()];
        for result in results {
            assert!(driver.block_on(result).is_ok());
        }
    });
}

/// Case FL-08.
#[test]
fn two_hundred_connections_and_twenty_listeners_leave_nothing() {
    behaviour("two_hundred_connections_and_twenty_listeners_leave_nothing", |driver| {
        for _ in 0..20 {
            let (listener, address) = driver.listen(Recorder::echo);
            let records: Vec<_> = (0..10)
                .map(|_| {
                    let recorder = client(pattern(100));
                    let record = recorder.record.clone();
                    driver.connect_tcp(address, recorder).detach();
                    record
                })
                .collect();
            driver.until("all have their echo", || {
                records.iter().all(|record| record.lost() == Some(Ok(())))
            });
            assert!(records.iter().all(|record| record.data() == pattern(100)));
            driver.turns(3);
            listener.stop_listening();
        }
    });
}

/// Case D9 of the listener: the connection is closed, and the listener continues.
#[test]
fn a_panic_of_the_factory_unwinds_and_the_listener_goes_on() {
    behaviour("a_panic_of_the_factory_unwinds_and_the_listener_goes_on", |driver| {
        let mut calls = 0;
        let (listener, address) = driver.listen(move || {
            calls += 1;
            assert!(calls != 1, "the first");
            Recorder::echo()
        });
        let mut first = util::connected(address);
        assert_eq!(driver.until_panic(), "the first");
        driver.until("it is closed", || drain(&mut first, &mut Vec::new()));
        let recorder = client(b"x".to_vec());
        let record = recorder.record.clone();
        driver.connect_tcp(address, recorder).detach();
        driver.until("the second is served", || record.lost() == Some(Ok(())));
        listener.stop_listening();
    });
}

/// A listener without descriptors pauses, uses almost no processor time, and continues when there
/// are descriptors again.
#[test]
fn without_descriptors_connections_wait_and_the_loop_does_not_spin() {
    behaviour("without_descriptors_connections_wait_and_the_loop_does_not_spin", |driver| {
        let (listener, address) = driver.listen(Recorder::echo);
        let mut clients: Vec<_> = (0..3).map(|_| util::connected(address)).collect();
        let limit = getrlimit(Resource::Nofile);
        let used = util::open_fds().keys().max().copied().expect("0 at least");
        let none = u64::try_from(used + 1).unwrap();
        setrlimit(Resource::Nofile, Rlimit { current: Some(none), ..limit }).unwrap();
        let wakeups = driver.wakeups_within(Duration::from_millis(350));
        assert!(wakeups < 12, "{wakeups} turns");
        setrlimit(Resource::Nofile, limit).unwrap();
        for client in &mut clients {
            client.write_all(b"x").unwrap();
            let mut echo = Vec::new();
            driver.until("it is served", || {
                drain(client, &mut echo);
                echo == b"x"
            });
        }
        listener.stop_listening();
    });
}

/// Dropping the reactor closes listeners and connections, and calls no protocol.
#[test]
fn dropping_the_reactor_closes_everything_and_calls_no_protocol() {
    util::isolated("dropping_the_reactor_closes_everything_and_calls_no_protocol", || {
        let before = util::open_fds();
        let mut driver = Driver(procession_reactor::Reactor::new().unwrap());
        let recorder = Recorder::quiet();
        let (record, transport, mut client) = driver.connection(recorder);
        let (listener, address) = driver.listen(Recorder::quiet);
        transport.write(pattern(8 << 20));
        driver.turns(3);
        drop(driver);
        assert!(record.lost().is_none());
        assert!(transport.try_write("x").is_err());
        assert!(TcpStream::connect(address).is_err());
        assert!(!listener.is_listening());
        client.set_nonblocking(false).unwrap();
        util::try_drain(&mut client, &mut Vec::new()).ok();
        drop(client);
        assert_eq!(util::open_fds(), before);
    });
}

/// TC-11 and TC-12 rely on this: a child inherits neither listeners nor connections.
#[test]
fn every_descriptor_is_closed_on_exec() {
    behaviour("every_descriptor_is_closed_on_exec", |driver| {
        let before = util::open_fds();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let (tcp, address) = driver.listen(Recorder::quiet);
        let unix = driver.listen_unix(&path, Recorder::quiet).unwrap();
        let to_tcp = driver.connect_tcp(address, Recorder::quiet());
        let to_unix = driver.connect_unix(&path, Recorder::quiet());
        let (to_tcp, to_unix) =
            (driver.block_on(to_tcp).unwrap(), driver.block_on(to_unix).unwrap());
        driver.turns(3);
        let new: Vec<i32> =
            util::open_fds().into_keys().filter(|fd| !before.contains_key(fd)).collect();
        assert_eq!(new.len(), 6, "two listeners, two connections with two ends each");
        for fd in new {
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
            let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
            assert_ne!(flags & 0o2_000_000, 0, "descriptor {fd}: O_CLOEXEC");
        }
        for transport in [to_tcp, to_unix] {
            transport.lose_connection();
        }
        driver.turns(5);
        tcp.stop_listening();
        unix.stop_listening();
    });
}

#[test]
fn a_socket_that_cannot_be_removed_is_named() {
    behaviour("a_socket_that_cannot_be_removed_is_named", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        fs::create_dir(&folder).unwrap();
        let path = folder.join("socket");
        let listener = driver.listen_unix(&path, Recorder::quiet).unwrap();
        // A folder that has become a file: as root, too, nothing can be looked up in it.
        fs::rename(&folder, dir.path().join("moved")).unwrap();
        fs::write(&folder, "").unwrap();
        let stopped = driver.block_on(listener.stop_listening());
        let error = stopped.unwrap_err().error().unwrap();
        assert_eq!(error.kind(), ErrorKind::NotADirectory);
        let text = format!("cannot remove the socket {}: Not a directory", path.display());
        assert_eq!(error.to_string(), text);
    });
}

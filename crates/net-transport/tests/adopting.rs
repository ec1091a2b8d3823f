//! Listeners and connections over descriptors that are open already.

mod util;

use std::fs::File;
use std::io::{ErrorKind, Read, Write, pipe};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use procession_net_transport::NetTransports;
use procession_protocol::Address;

use crate::util::{Event, Record, Recorder, behaviour, drain};

/// Case TC-26.
#[test]
fn a_socket_that_is_bound_or_listens_becomes_a_listener() {
    behaviour("a_socket_that_is_bound_or_listens_becomes_a_listener", |driver| {
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        // Its own number stays open, as it does for a service manager.
        let kept = listening.try_clone().unwrap();
        let record = Record::default();
        let theirs = record.clone();
        let factory = move || Recorder::echo().into_record(&theirs);
        let listener = driver.adopt_listener(listening, factory).expect("it listens");
        let address = kept.local_addr().unwrap();
        assert_eq!(listener.host(), Address::Tcp(address));
        let mut peer = TcpStream::connect(address).unwrap();
        peer.write_all(b"over tcp").unwrap();
        let mut echoed = Vec::new();
        peer.set_nonblocking(true).unwrap();
        driver.until("it comes back", || {
            drain(&mut peer, &mut echoed);
            echoed == b"over tcp"
        });
        drop(peer);
        driver.until("it is lost", || record.lost().is_some());
        listener.stop_listening();
        // Who holds the socket still listens.
        TcpStream::connect(address).unwrap();

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let unix = UnixListener::bind(&path).unwrap();
        let listener = driver.adopt_listener(unix, Recorder::quiet).expect("it listens");
        assert_eq!(listener.host(), Address::Unix(Some(path.clone())));
        listener.stop_listening();
        assert!(path.exists(), "the path is not this listener's");
    });
}

/// Case TC-27.
#[test]
fn a_descriptor_that_cannot_listen_is_named_in_the_error() {
    behaviour("a_descriptor_that_cannot_listen_is_named_in_the_error", |driver| {
        let (connected, _peer) = UnixStream::pair().unwrap();
        let unbound = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
            None,
        );
        let fds: [(OwnedFd, &str); 5] = [
            (unbound.unwrap(), "it is not bound"),
            (UdpSocket::bind("127.0.0.1:0").unwrap().into(), "it is no stream socket"),
            (UnixDatagram::unbound().unwrap().into(), "it is no stream socket"),
            (connected.into(), "Invalid argument"),
            (File::open("/dev/null").unwrap().into(), "Socket operation on non-socket"),
        ];
        for (fd, why) in fds {
            let error = driver.adopt_listener(fd, Recorder::quiet).unwrap_err().to_string();
            assert!(error.starts_with("cannot listen on descriptor "), "{error}");
            assert!(error.contains(why), "{error}");
        }
    });
}

/// Case TC-28.
#[test]
fn a_connected_socket_becomes_a_connection() {
    behaviour("a_connected_socket_becomes_a_connection", |driver| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let recorder = Recorder::echo();
        let record = recorder.record.clone();
        let transport = driver.adopt_stream(recorder, client).expect("it is connected");
        assert!(record.has(&Event::Made), "before the verb returns");
        assert_eq!(transport.peer(), Address::Tcp(listener.local_addr().unwrap()));
        server.write_all(b"x").unwrap();
        server.set_nonblocking(true).unwrap();
        let mut echoed = Vec::new();
        driver.until("it comes back", || {
            drain(&mut server, &mut echoed);
            echoed == b"x"
        });
        drop(server);
        driver.until("it is lost", || record.lost().is_some());

        let unconnected = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let bad: [OwnedFd; 2] = [unconnected.into(), udp.into()];
        for fd in bad {
            let recorder = Recorder::quiet();
            let record = recorder.record.clone();
            let error = driver.adopt_stream(recorder, fd).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(record.events().is_empty());
        }
    });
}

/// Case TC-29.
#[test]
fn two_pipes_become_a_connection_and_close_with_it() {
    behaviour("two_pipes_become_a_connection_and_close_with_it", |driver| {
        let ((read, mut to_it), (mut from_it, write)) = (pipe().unwrap(), pipe().unwrap());
        let recorder = Recorder::echo();
        let record = recorder.record.clone();
        driver.stdio_on(recorder, read, write).expect("pipes");
        to_it.write_all(b"through").unwrap();
        drop(to_it);
        driver.until("it is lost", || record.lost().is_some());
        let mut text = String::new();
        // The end comes because nothing holds the writing side any more.
        from_it.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), record.lost()), ("through", Some(Ok(()))));

        // Neither end is used in the other direction.
        let (read, write) = pipe().unwrap();
        let error = driver.stdio_on(Recorder::quiet(), write, read).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::InvalidInput, "it cannot be read")
        );

        let directory = File::open("/").unwrap();
        let error = driver.stdio_on(Recorder::quiet(), directory, File::open("/dev/null").unwrap());
        assert_eq!(error.unwrap_err().kind(), ErrorKind::IsADirectory);
    });
}

/// Case TC-30.
#[test]
fn a_terminal_is_read_and_written_over_one_descriptor() {
    behaviour("a_terminal_is_read_and_written_over_one_descriptor", |driver| {
        let master = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
        let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let mut modes = rustix::termios::tcgetattr(&slave).unwrap();
        modes.make_raw();
        rustix::termios::tcsetattr(&slave, rustix::termios::OptionalActions::Now, &modes).unwrap();
        let recorder = Recorder::echo();
        let record = recorder.record.clone();
        let transport = driver.adopt_stream(recorder, slave).expect("a terminal");
        let mut master = File::from(master);
        master.write_all(b"typed").unwrap();
        driver.until("it is read", || record.data() == b"typed");
        let mut echoed = [0; 5];
        driver.turns(2);
        master.read_exact(&mut echoed).unwrap();
        assert_eq!(&echoed, b"typed");
        transport.abort_connection();
        driver.until("it is lost", || record.lost().is_some());
    });
}

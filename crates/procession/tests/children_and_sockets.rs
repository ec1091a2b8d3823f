//! Children beside TCP connections: a child inherits only the sockets that it is given, and neither
//! children nor connections delay the other.

mod bridge;

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use procession::gather;
use procession::prelude::*;

use crate::bridge::{Driver, Event, PROMPTLY, WATCHDOG, behaviour, bound, children, command, sh};

/// Keeps the transport of its only connection.
#[derive(Clone, Default)]
struct Accepted(Rc<RefCell<Option<Transport>>>);

impl Protocol for Accepted {
    fn connection_made(&mut self, transport: &Transport) {
        *self.0.borrow_mut() = Some(transport.clone());
    }
}

/// Opens a connection, and returns the server's transport and the nonblocking client.
fn connection(driver: &mut Driver) -> (Transport, TcpStream) {
    let accepted = Accepted::default();
    let protocol = accepted.clone();
    let listener =
        driver.handle().listen_tcp("127.0.0.1:0", move || protocol.clone()).expect("a port");
    let client = connect(&listener);
    driver.until("it is accepted", WATCHDOG, || accepted.0.borrow().is_some());
    driver.reactor().block_on(listener.stop_listening()).expect("it stops");
    let transport = accepted.0.take().expect("it was accepted");
    (transport, client)
}

fn connect(listener: &Listener) -> TcpStream {
    let port = listener.port().expect("TCP");
    let client = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    client.set_nonblocking(true).expect("a flag");
    client
}

/// Reads all available bytes, and returns whether the connection has ended.
fn is_at_end(client: &mut TcpStream, read: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return true,
            Ok(bytes) => read.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("the connection is in order: {error}"),
        }
    }
}

/// Case TC-11.
#[test]
fn a_port_is_free_again_while_a_child_lives_that_was_started_beside_the_listener() {
    behaviour(
        "a_port_is_free_again_while_a_child_lives_that_was_started_beside_the_listener",
        |driver| {
            let listen = |driver: &Driver, port: u16| {
                driver.handle().listen_tcp(("127.0.0.1", port), Accepted::default)
            };
            let listener = listen(driver, 0).unwrap();
            let port = listener.port().unwrap();
            assert!(listen(driver, port).is_err(), "two cannot have it");
            let sleep = driver.spawn(command("sleep").arg("5"));
            let closed = listener.stop_listening();
            let plain = TcpListener::bind(("127.0.0.1", port));
            drop(plain.expect("it is free at once, for others too"));
            let again = listen(driver, port).expect("it is free at once");
            for stopped in [closed, again.stop_listening()] {
                driver.reactor().block_on(stopped).unwrap();
            }
            assert!(sleep.process.pid().is_some(), "the child lived all the time");
            sleep.process.signal(Signal::KILL).unwrap();
            driver.drive_to_end(&sleep.record);
        },
    );
}

/// Case TC-12.
#[test]
fn a_client_sees_the_end_while_a_child_lives_that_was_started_beside_the_connection() {
    behaviour(
        "a_client_sees_the_end_while_a_child_lives_that_was_started_beside_the_connection",
        |driver| {
            let (transport, mut client) = connection(driver);
            let sleep = driver.spawn(command("sleep").arg("2"));
            transport.write("bye");
            transport.lose_connection();
            let mut read = Vec::new();
            driver.until_seen("the end", PROMPTLY, || is_at_end(&mut client, &mut read));
            assert_eq!(read, b"bye");
            assert!(sleep.process.pid().is_some(), "the child lived all the time");
            sleep.process.signal(Signal::KILL).unwrap();
            driver.drive_to_end(&sleep.record);
        },
    );
}

/// Case TC-13.
#[test]
fn a_child_that_is_given_the_socket_serves_the_client_to_its_end() {
    behaviour("a_child_that_is_given_the_socket_serves_the_client_to_its_end", |driver| {
        let (transport, mut client) = connection(driver);
        let socket = Arc::new(transport.into_fd().expect("a socket"));
        let cat = command("cat").child_fds([
            (0, Fd::inherit(Arc::clone(&socket))),
            (1, Fd::inherit(Arc::clone(&socket))),
            (2, Fd::from_child()),
        ]);
        let cat = driver.spawn(cat);
        assert_eq!(Arc::strong_count(&socket), 1, "the command is gone, and its clones with it");
        drop(socket);

        let mut read = Vec::new();
        for line in ["one\n", "two\n"] {
            client.write_all(line.as_bytes()).unwrap();
            driver.until_seen("the echo", WATCHDOG, || {
                assert!(!is_at_end(&mut client, &mut read), "it goes on");
                read.ends_with(line.as_bytes())
            });
        }
        client.shutdown(Shutdown::Write).unwrap();
        driver.until_seen("the end", WATCHDOG, || is_at_end(&mut client, &mut read));
        driver.drive_to_end(&cat.record);
        assert_eq!(read, b"one\ntwo\n");
        assert_eq!((cat.record.code(), cat.record.text(2).as_str()), (0, ""));
    });
}

const CLIENTS: usize = 20;
const BYTES: usize = 1 << 20;
/// The limit of a queue plus the most bytes that one turn reads from one source.
const MOST_QUEUED: usize = (64 << 10) + (256 << 10);

/// Counts over both sides of all bridges.
#[derive(Default)]
struct BridgeStats {
    most_queued: Cell<usize>,
    full: Cell<usize>,
    ended: Cell<usize>,
}

impl BridgeStats {
    fn queued(&self, bytes: usize) {
        self.most_queued.set(self.most_queued.get().max(bytes));
    }
}

/// The client's side of a bridge.
struct ToChild {
    stats: Rc<BridgeStats>,
    child: Option<Process>,
}

/// The child's side of a bridge.
struct ToClient {
    stats: Rc<BridgeStats>,
    transport: Transport,
}

impl ToChild {
    fn child(&self) -> &Process {
        self.child.as_ref().expect("it was started with the connection")
    }
}

impl Protocol for ToChild {
    fn connection_made(&mut self, transport: &Transport) {
        let to_client = ToClient { stats: Rc::clone(&self.stats), transport: transport.clone() };
        let cat = Handle::current().spawn_process(to_client, command("cat"));
        self.child = Some(cat.expect("cat starts"));
    }

    fn data_received(&mut self, _: &Transport, data: Bytes) {
        self.child().write(data);
        self.stats.queued(self.child().write_buffered(0));
    }

    fn read_closed(&mut self, _: &Transport) {
        self.child().close_stdin();
    }

    fn write_buffer_full(&mut self, _: &Transport) {
        self.stats.full.set(self.stats.full.get() + 1);
        self.child().pause(1);
    }

    fn write_buffer_drained(&mut self, _: &Transport) {
        self.child().resume(1);
    }
}

impl ProcessProtocol for ToClient {
    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.transport.write(data);
        self.stats.queued(self.transport.write_buffered());
    }

    fn child_write_buffer_full(&mut self, _: &Process, _: ChildFd) {
        self.stats.full.set(self.stats.full.get() + 1);
        self.transport.pause();
    }

    fn child_write_buffer_drained(&mut self, _: &Process, _: ChildFd) {
        self.transport.resume();
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        assert!(reason.is_ok(), "{reason:?}");
        self.stats.ended.set(self.stats.ended.get() + 1);
        self.transport.lose_connection();
    }
}

/// A client that sends everything at once, reads late, and completes its promise with the received
/// bytes when the connection ends.
struct Client {
    sends: Bytes,
    got: BytesMut,
    done: Promise<Bytes, io::Error>,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(self.sends.clone());
        transport.shutdown_write();
        transport.pause();
        let transport = transport.clone();
        Handle::current().call_later(Duration::from_millis(50), move |_| transport.resume());
    }

    fn data_received(&mut self, _: &Transport, data: Bytes) {
        self.got.extend_from_slice(&data);
    }

    fn connection_lost(&mut self, _: &Transport, reason: io::Result<()>) {
        self.done.complete(reason.map(|()| self.got.split().freeze()));
    }
}

/// Bytes that show whether one is lost, doubled or moved; they differ for each client.
fn pattern(client: usize) -> Bytes {
    let first = u8::try_from(client).expect("few clients");
    (0..=250_u8).cycle().skip(usize::from(first) * 3).take(BYTES).map(|byte| byte ^ first).collect()
}

/// Case TC-19.
#[test]
fn twenty_clients_are_bridged_to_twenty_children_byte_by_byte() {
    behaviour("twenty_clients_are_bridged_to_twenty_children_byte_by_byte", |driver| {
        let stats = Rc::new(BridgeStats::default());
        let for_bridges = Rc::clone(&stats);
        let factory = move || ToChild { stats: Rc::clone(&for_bridges), child: None };
        let listener = driver.handle().listen_tcp("127.0.0.1:0", factory).unwrap();
        let port = listener.port().unwrap();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (done, got) = Deferred::new();
                let client = Client { sends: pattern(client), got: BytesMut::new(), done };
                driver.handle().connect_tcp(("127.0.0.1", port), client).detach();
                got
            })
            .collect();
        let all = gather(clients).timeout(WATCHDOG * 3);
        let all = driver.reactor().block_on(all).expect("all end in order");
        for (client, got) in all.iter().enumerate() {
            assert!(*got == pattern(client), "client {client}: {} bytes", got.len());
        }
        assert_eq!(stats.ended.get(), CLIENTS);
        assert!(stats.full.get() > 0, "a bridge was never full");
        assert!(stats.most_queued.get() <= MOST_QUEUED, "{} bytes queued", stats.most_queued.get());
        driver.reactor().block_on(listener.stop_listening()).unwrap();
        for _ in 0..3 {
            driver.turn();
        }
        // `behaviour` counts descriptors and zombies when this closure returns.
        assert_eq!(children(), []);
    });
}

/// Case TC-21.
#[test]
fn a_client_that_floods_holds_up_neither_a_child_nor_a_timer() {
    behaviour("a_client_that_floods_holds_up_neither_a_child_nor_a_timer", |driver| {
        const TICK: Duration = Duration::from_millis(10);
        const LONGEST_GAP: Duration = Duration::from_millis(250);

        /// Discards what it reads.
        #[derive(Clone, Default)]
        struct Sink {
            bytes: Rc<Cell<usize>>,
            is_lost: Rc<Cell<bool>>,
        }

        impl Protocol for Sink {
            fn data_received(&mut self, _: &Transport, data: Bytes) {
                self.bytes.set(self.bytes.get() + data.len());
            }

            fn connection_lost(&mut self, _: &Transport, _: io::Result<()>) {
                self.is_lost.set(true);
            }
        }

        fn tick(reactor: &Handle, ticks: Rc<RefCell<Vec<Duration>>>) {
            ticks.borrow_mut().push(reactor.now());
            reactor.call_later(TICK, move |reactor| tick(reactor, ticks));
        }

        let flooded = Sink::default();
        let sink = flooded.clone();
        let listener = driver.handle().listen_tcp("127.0.0.1:0", move || sink.clone()).unwrap();
        let client = connect(&listener);
        client.set_nonblocking(false).unwrap();
        let mut writer = client.try_clone().unwrap();
        // Writes until the connection is shut down.
        let flood = std::thread::spawn(move || while writer.write_all(&[b'x'; 65536]).is_ok() {});
        driver.until("the flood", WATCHDOG, || flooded.bytes.get() > 1 << 20);

        let ticks: Rc<RefCell<Vec<Duration>>> = Rc::default();
        tick(&driver.handle(), Rc::clone(&ticks));
        let child = driver.spawn(sh("sleep .1; echo ok"));
        driver.run_for(Duration::from_secs(1));
        let said = child.record.after_made(|event| matches!(event, Event::Data(1, _)));
        assert_eq!(child.record.text(1), "ok\n");
        assert!(said.unwrap() < bound(Duration::from_millis(500)), "{said:?}");
        let ticks = ticks.take();
        let longest = ticks.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(ticks.len() > 4 && longest < bound(LONGEST_GAP), "{longest:?} of {}", ticks.len());
        assert!(flooded.bytes.get() > 10 << 20, "{} bytes are no flood", flooded.bytes.get());

        client.shutdown(Shutdown::Both).unwrap();
        flood.join().unwrap();
        drop(client);
        driver.drive_to_end(&child.record);
        driver.until("the end of the flood", WATCHDOG, || flooded.is_lost.get());
        driver.reactor().block_on(listener.stop_listening()).unwrap();
    });
}

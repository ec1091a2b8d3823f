//! Flow control: back-pressure limits memory and loses nothing, and a flood starves no other
//! connection.

mod util;

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use procession_core::WriteError;
use procession_net_transport::NetTransports;
use procession_protocol::{Protocol, Transport};
use procession_reactor::{Handle, Reactor};

use crate::util::{
    Driver, Event, Record, Recorder, behaviour, bound, connected, drain, isolated, open_fds,
    pattern,
};

/// Sends everything back, and pauses reading while its own queue is full.
fn bounded_echo(most: &Rc<Cell<usize>>) -> Recorder {
    let most = Rc::clone(most);
    Recorder::new(move |transport, event| match event {
        Event::Data(data) => {
            transport.write(data.clone());
            most.set(most.get().max(transport.write_buffered()));
        }
        Event::Full => transport.pause(),
        Event::Drained => transport.resume(),
        _ => {}
    })
}

#[test]
fn an_echo_with_back_pressure_is_exact_and_bounded() {
    behaviour("an_echo_with_back_pressure_is_exact_and_bounded", |driver| {
        let most = Rc::new(Cell::new(0));
        let theirs = Rc::clone(&most);
        let (listener, address) = driver.listen(move || bounded_echo(&theirs));
        // More than the kernel buffers in both directions, which can be some megabytes.
        let all = pattern(24 << 20);
        let mut client = connected(address);
        rustix::net::sockopt::set_socket_recv_buffer_size(&client, 64 << 10).unwrap();
        let (mut sent, mut echo) = (0, Vec::new());
        driver.until("nothing more is taken", || match client.write(&all[sent..]) {
            Ok(n) => {
                sent += n;
                false
            }
            Err(_) => {
                // The socket is full for now. The server reads until its own queue is full.
                most.get() > 64 << 10
            }
        });
        driver.until("the whole echo", || {
            let mut buffer = [0; 100_000];
            if let Ok(n) = client.read(&mut buffer) {
                echo.extend_from_slice(&buffer[..n]);
            }
            sent += client.write(&all[sent..]).unwrap_or(0);
            echo.len() == all.len()
        });
        assert!(echo == all);
        // The high mark, and the data that one turn may read on top of it.
        assert!(most.get() <= (64 + 256 + 64) << 10, "{} bytes queued", most.get());
        drop(client);
        listener.stop_listening();
    });
}

/// While whole buffers of 64 KiB arrive, one read asks for more than that.
#[test]
fn a_hard_limit_refuses_what_the_queue_has_no_room_for() {
    behaviour("a_hard_limit_refuses_what_the_queue_has_no_room_for", |driver| {
        let (_, transport, _client) = driver.connection(Recorder::quiet());
        assert_eq!(transport.write_limits(), Some((64 * 1024, 0)));
        transport.set_write_limits(10, 5).unwrap();
        assert_eq!(transport.write_limits(), Some((10, 5)));
        transport.set_write_hard_limit(Some(3)).unwrap();
        assert_eq!(transport.try_write("long"), Err(WriteError::BufferFull));
        transport.set_write_hard_limit(None).unwrap();
        transport.try_write("long").unwrap();
        transport.abort_connection();
        driver.turns(2);
    });
}

#[test]
fn a_bulk_comes_in_large_reads() {
    behaviour("a_bulk_comes_in_large_reads", |driver| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let record = Record::default();
        let theirs = record.clone();
        let listener =
            driver.listen_unix(&path, move || Recorder::quiet().into_record(&theirs)).unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        client.set_nonblocking(true).unwrap();
        driver.until("it is accepted", || record.transport().is_some());
        // More than one turn reads, and one more buffer.
        rustix::net::sockopt::set_socket_send_buffer_size(&client, 1 << 20).unwrap();
        let all = pattern(4 << 20);
        let mut sent = 0;
        driver.until("all of it", || {
            sent += client.write(&all[sent..]).unwrap_or(0);
            record.data().len() == all.len()
        });
        assert!(record.data() == all);
        let sizes: Vec<usize> = record
            .events()
            .iter()
            .filter_map(|event| match event {
                Event::Data(data) => Some(data.len()),
                _ => None,
            })
            .collect();
        let largest = sizes.iter().max().copied().unwrap_or(0);
        assert!(largest > 64 << 10, "{sizes:?}");
        assert!(largest <= 256 << 10, "{sizes:?}");
        drop(client);
        driver.until("it is lost", || record.lost().is_some());
        listener.stop_listening();
    });
}

/// Calls itself every 10 ms, and records the real times between the calls.
fn tick(reactor: &Handle, last: Duration, gaps: Rc<RefCell<Vec<Duration>>>) {
    reactor.call_later(Duration::from_millis(10), move |reactor| {
        let now = reactor.now();
        gaps.borrow_mut().push(now.saturating_sub(last));
        tick(reactor, now, gaps);
    });
}

/// The part of case TC-21 that needs no child.
#[test]
fn a_flood_starves_neither_timers_nor_other_connections() {
    behaviour("a_flood_starves_neither_timers_nor_other_connections", |driver| {
        let gaps: Rc<RefCell<Vec<Duration>>> = Rc::default();
        let record = Record::default();
        let theirs = record.clone();
        let drained = Rc::new(Cell::new(false));
        let over = Rc::clone(&drained);
        let (flooded, flood_address) = driver.listen(move || Discard(Rc::clone(&over)));
        let (listener, address) = driver.listen(move || Recorder::echo().into_record(&theirs));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let flood = std::thread::spawn(move || {
            let mut socket = std::net::TcpStream::connect(flood_address).expect("it listens");
            let data = pattern(1 << 20);
            while !stopped.load(Ordering::Relaxed) {
                socket.write_all(&data).expect("it is read");
            }
        });
        let handle = driver.handle();
        tick(&handle, handle.now(), Rc::clone(&gaps));
        let mut client = connected(address);
        let mut echo = Vec::new();
        for _ in 0..20 {
            client.write_all(b"x").unwrap();
            echo.clear();
            driver.until("the echo", || {
                drain(&mut client, &mut echo);
                echo == b"x"
            });
        }
        driver.until("some ticks", || gaps.borrow().len() >= 20);
        stop.store(true, Ordering::Relaxed);
        driver.until("the flood has ended", || flood.is_finished());
        flood.join().unwrap();
        let longest = gaps.borrow().iter().max().copied().unwrap();
        assert!(longest < bound(Duration::from_millis(250)), "{longest:?}");
        drop(client);
        driver.until("both are lost", || drained.get() && record.lost().is_some());
        flooded.stop_listening();
        listener.stop_listening();
    });
}

/// Reads and discards data, and records the loss.
struct Discard(Rc<Cell<bool>>);

impl Protocol for Discard {
    fn connection_lost(&mut self, _: &Transport, _: std::io::Result<()>) {
        self.0.set(true);
    }
}

/// A transport continues when its last handle is dropped, because the loop owns it.
#[test]
fn dropping_every_handle_keeps_the_connection() {
    isolated("dropping_every_handle_keeps_the_connection", || {
        let before = open_fds();
        let mut driver = Driver(Reactor::new().unwrap());
        let (listener, address) = driver.listen(Recorder::echo);
        let record = Record::default();
        let client = Recorder::new(|transport, event| {
            if *event == Event::Made {
                transport.write("still there");
            }
        });
        driver.connect_tcp(address, client.into_record(&record)).detach();
        driver.until("the echo", || record.data() == b"still there");
        drop(listener);
        let mut second = connected(address);
        second.write_all(b"x").unwrap();
        let mut echo = Vec::new();
        driver.until("the listener goes on", || {
            drain(&mut second, &mut echo);
            echo == b"x"
        });
        drop(second);
        record.transport().expect("it is connected").lose_connection();
        driver.until("it is lost", || record.lost() == Some(Ok(())));
        drop(driver);
        assert_eq!(open_fds(), before, "the reactor closes the listener");
    });
}

//! Area TC: how connections end, and what is delivered before their end.

mod util;

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use procession_core::{Signal, WriteError};
use procession_net_transport::NetTransports;
use procession_protocol::Transport;
use rustix::net::sockopt::set_socket_linger;

use crate::util::{Driver, Event, Record, Recorder, behaviour, drain, pattern, try_drain};

/// Returns a Unix connection whose server side is recorded, and the nonblocking socket of the
/// client.
fn unix_connection(driver: &mut Driver, recorder: Recorder) -> (Record, Transport, UnixStream) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("socket");
    let record = recorder.record.clone();
    let mut recorder = Some(recorder);
    let factory = move || recorder.take().expect("one connection");
    let listener = driver.listen_unix(&path, factory).expect("the path is free");
    let client = UnixStream::connect(&path).expect("it listens");
    client.set_nonblocking(true).expect("a socket");
    driver.until("it is accepted", || record.transport().is_some());
    listener.stop_listening();
    driver.turns(1);
    let transport = record.transport().expect("it is accepted");
    (record, transport, client)
}

/// Case TC-06.
#[test]
fn a_reset_by_the_peer_is_one_loss_with_its_reason() {
    behaviour("a_reset_by_the_peer_is_one_loss_with_its_reason", |driver| {
        let (record, transport, client) = driver.connection(Recorder::quiet());
        transport.write(pattern(16 << 20));
        driver.turns(3);
        assert!(transport.write_buffered() >= 1 << 20, "it is queued");
        set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
        drop(client);
        driver.until("it is lost", || record.lost().is_some());
        let reason = record.lost().unwrap().unwrap_err();
        assert!(matches!(reason, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{reason}");
        driver.turns(3);
        assert_eq!(transport.write_buffered(), 0);
    });
}

/// Case TC-07.
#[test]
fn losing_the_connection_sends_everything_first() {
    behaviour("losing_the_connection_sends_everything_first", |driver| {
        let all = pattern(16 << 20);
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        transport.write(all.clone());
        transport.lose_connection();
        transport.lose_connection();
        driver.turns(2);
        assert_eq!(transport.try_write("late"), Err(WriteError::Closed));
        let mut read = Vec::new();
        // The client reads slowly: one small read per turn.
        driver.until("all is read", || {
            let mut buffer = [0; 300_000];
            match client.read(&mut buffer) {
                Ok(0) => true,
                Ok(n) => {
                    read.extend_from_slice(&buffer[..n]);
                    false
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    false
                }
            }
        });
        assert!(read == all, "{} bytes of {}", read.len(), all.len());
        assert_eq!(record.lost(), Some(Ok(())));
        assert!(record.has(&Event::Full) && record.has(&Event::Drained));
    });
}

/// The peer still gets the reply if its request was not read.
#[test]
fn unread_input_does_not_reset_the_reply() {
    behaviour("unread_input_does_not_reset_the_reply", |driver| {
        let reply = pattern(1 << 20);
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        transport.pause();
        client.write_all(&pattern(20_000)).unwrap();
        transport.write(reply.clone());
        transport.lose_connection();
        let mut read = Vec::new();
        driver.until("the reply", || drain(&mut client, &mut read));
        assert!(read == reply, "{} bytes", read.len());
        assert_eq!(record.lost(), Some(Ok(())));
        assert_eq!(record.data(), b"");
    });
}

/// Case TC-08.
#[test]
fn aborting_drops_the_queue_and_resets() {
    behaviour("aborting_drops_the_queue_and_resets", |driver| {
        let recorder = Recorder::new(|transport, event| {
            if matches!(event, Event::Data(_)) {
                transport.write(pattern(16 << 20));
                transport.abort_connection();
                transport.abort_connection();
            }
        });
        let (record, transport, mut client) = driver.connection(recorder);
        client.write_all(b"x").unwrap();
        driver.until("it is lost", || record.lost().is_some());
        assert_eq!(record.lost(), Some(Err(ErrorKind::ConnectionAborted)));
        let ended = try_drain(&mut client, &mut Vec::new());
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(transport.try_write("late"), Err(WriteError::Closed));
    });
}

/// Case TC-09.
#[test]
fn after_the_peers_half_close_a_reply_still_arrives() {
    behaviour("after_the_peers_half_close_a_reply_still_arrives", |driver| {
        let (record, transport, mut client) = driver.connection(Recorder::quiet().keep_half_open());
        client.write_all(b"request").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        driver.until("the end of the request", || record.has(&Event::ReadClosed));
        assert!(driver.wakeups_within(Duration::from_millis(50)) < 4, "it does not spin");
        assert_eq!(record.data(), b"request");
        transport.write("reply");
        transport.shutdown_write();
        let mut reply = Vec::new();
        driver.until("the reply", || drain(&mut client, &mut reply));
        assert_eq!(reply, b"reply");
        driver.until("both directions are done", || record.lost().is_some());
        assert_eq!(record.lost(), Some(Ok(())));
    });
}

/// Case TC-09.
#[test]
fn by_default_the_peers_half_close_closes_after_the_flush() {
    behaviour("by_default_the_peers_half_close_closes_after_the_flush", |driver| {
        let reply = pattern(4 << 20);
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        transport.write(reply.clone());
        client.shutdown(Shutdown::Write).unwrap();
        let mut read = Vec::new();
        driver.until("all of it", || drain(&mut client, &mut read));
        assert!(read == reply, "{} bytes", read.len());
        assert_eq!(record.lost(), Some(Ok(())));
    });
}

/// The program ends its own direction after the queue. The peer can still send.
#[test]
fn after_the_own_half_close_the_peers_reply_still_arrives() {
    behaviour("after_the_own_half_close_the_peers_reply_still_arrives", |driver| {
        let request = pattern(4 << 20);
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        transport.write(request.clone());
        transport.shutdown_write();
        transport.shutdown_write();
        let mut read = Vec::new();
        driver.until("all of it", || drain(&mut client, &mut read));
        assert!(read == request, "{} bytes", read.len());
        assert_eq!(transport.try_write("late"), Err(WriteError::Closed));
        client.write_all(b"reply").unwrap();
        drop(client);
        driver.until("it is lost", || record.lost().is_some());
        assert_eq!((record.data(), record.lost()), (b"reply".to_vec(), Some(Ok(()))));
    });
}

/// Case TC-17.
#[test]
fn everything_may_be_called_after_the_loss() {
    behaviour("everything_may_be_called_after_the_loss", |driver| {
        let all = |transport: &Transport| {
            transport.write("late");
            transport.pause();
            transport.resume();
            transport.shutdown_write();
            transport.lose_connection();
            transport.lose_connection();
            transport.abort_connection();
            assert_eq!(transport.set_write_limits(1, 0), Err(WriteError::Closed));
        };
        let recorder = Recorder::new(move |transport, event| {
            if matches!(event, Event::Lost(_)) {
                all(transport);
            }
        });
        let (record, transport, client) = driver.connection(recorder);
        drop(client);
        driver.until("it is lost", || record.lost().is_some());
        all(&transport);
        driver.turns(3);
        let error = transport.into_fd().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    });
}

/// Case TC-18.
#[test]
fn data_that_arrived_during_a_pause_is_delivered_before_the_loss() {
    behaviour("data_that_arrived_during_a_pause_is_delivered_before_the_loss", |driver| {
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        transport.pause();
        let all = pattern(1 << 20);
        let mut sent = client.write(&all).unwrap();
        driver.turns(3);
        assert!(driver.wakeups_within(Duration::from_millis(100)) < 4, "it does not spin");
        assert_eq!(record.events(), [Event::Made]);
        transport.resume();
        driver.until("all is sent", || {
            sent += client.write(&all[sent..]).unwrap_or(0);
            sent == all.len()
        });
        transport.pause();
        drop(client);
        driver.wakeups_within(Duration::from_millis(20));
        assert!(driver.wakeups_within(Duration::from_millis(100)) < 4, "it does not spin");
        assert_eq!(record.lost(), None);
        transport.resume();
        driver.until("it is lost", || record.lost().is_some());
        assert!(record.data() == all);
        assert_eq!(record.lost(), Some(Ok(())));
    });
}

/// The peer sent data and then reset or closed the connection, while the program still had data to
/// write.
#[test]
fn what_the_peer_sent_is_delivered_before_a_failed_write_is_the_end() {
    behaviour("what_the_peer_sent_is_delivered_before_a_failed_write_is_the_end", |driver| {
        let (record, transport, mut client) = unix_connection(driver, Recorder::quiet());
        client.write_all(b"last words").unwrap();
        drop(client);
        transport.write("nobody reads this");
        driver.until("it is lost", || record.lost().is_some());
        assert_eq!(record.data(), b"last words");
        assert_eq!(record.lost(), Some(Err(ErrorKind::BrokenPipe)));
    });
}

/// When a Unix peer closes, its end and its hang-up come in one event, and no event follows.
#[test]
fn a_unix_peer_that_closes_is_one_loss_also_for_a_protocol_that_keeps_half_open() {
    let name = "a_unix_peer_that_closes_is_one_loss_also_for_a_protocol_that_keeps_half_open";
    behaviour(name, |driver| {
        let open = util::open_fds();
        for paused in [false, true] {
            let recorder = Recorder::quiet().keep_half_open();
            let (record, transport, mut client) = unix_connection(driver, recorder);
            if paused {
                transport.pause();
            }
            client.write_all(b"last words").unwrap();
            drop(client);
            driver.turns(3);
            if paused {
                assert_eq!(record.events(), [Event::Made]);
                transport.resume();
                driver.turns(3);
            }
            let data = Event::Data("last words".into());
            let told = [Event::Made, data, Event::ReadClosed, Event::Lost(Ok(()))];
            assert_eq!(record.events(), told);
            assert_eq!(transport.try_write("late"), Err(WriteError::Closed));
            assert_eq!(util::open_fds(), open, "it is closed as soon as it is lost");
        }
    });
}

/// The peer is gone when its last data is delivered. A call of the protocol on that is not a
/// failure.
#[test]
fn a_unix_peer_that_has_gone_already_is_no_broken_pipe() {
    behaviour("a_unix_peer_that_has_gone_already_is_no_broken_pipe", |driver| {
        let calls: [fn(&Transport); 4] = [
            Transport::lose_connection,
            Transport::shutdown_write,
            |transport| transport.set_write_limits(1000, 0).expect("it is open"),
            |_| (),
        ];
        for (index, call) in calls.into_iter().enumerate() {
            let recorder = Recorder::new(move |transport, event| match event {
                Event::Data(_) => call(transport),
                Event::ReadClosed => transport.lose_connection(),
                _ => {}
            });
            let (record, _, mut client) = unix_connection(driver, recorder.keep_half_open());
            client.write_all(b"quit").unwrap();
            drop(client);
            driver.turns(3);
            let mut told = vec![Event::Made, Event::Data("quit".into()), Event::Lost(Ok(()))];
            if index > 1 {
                told.insert(2, Event::ReadClosed);
            }
            assert_eq!(record.events(), told, "call {index}");
        }
    });
}

/// The reason of the hang-up is the reason of the loss.
#[test]
fn a_unix_peer_that_closes_with_unread_data_is_a_reset() {
    behaviour("a_unix_peer_that_closes_with_unread_data_is_a_reset", |driver| {
        let recorder = Recorder::quiet().keep_half_open();
        let (record, transport, client) = unix_connection(driver, recorder);
        transport.write("nobody reads this");
        driver.turns(3);
        drop(client);
        driver.turns(3);
        let lost = Event::Lost(Err(ErrorKind::ConnectionReset));
        assert_eq!(record.events(), [Event::Made, Event::Drained, lost]);
    });
}

/// A Unix peer that ends only its sending still gets the reply. Its close is the loss.
#[test]
fn after_a_unix_peers_half_close_a_reply_still_arrives() {
    behaviour("after_a_unix_peers_half_close_a_reply_still_arrives", |driver| {
        let recorder = Recorder::quiet().keep_half_open();
        let (record, transport, mut client) = unix_connection(driver, recorder);
        client.shutdown(Shutdown::Write).unwrap();
        driver.turns(3);
        assert_eq!(record.events(), [Event::Made, Event::ReadClosed]);
        transport.write("reply");
        let mut reply = Vec::new();
        driver.until("the reply", || {
            drain(&mut client, &mut reply);
            reply == b"reply"
        });
        drop(client);
        driver.turns(3);
        let rest = [Event::Drained, Event::Lost(Ok(()))];
        assert_eq!(record.events()[2..], rest);
    });
}

/// The socket is blocking again, the queue has been sent, and no callback follows.
#[test]
fn into_fd_gives_a_blocking_socket_after_what_was_written() {
    behaviour("into_fd_gives_a_blocking_socket_after_what_was_written", |driver| {
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        transport.write("banner ");
        let other = transport.clone();
        let socket = std::net::TcpStream::from(transport.into_fd().unwrap());
        let flags = rustix::fs::fcntl_getfl(&socket).unwrap();
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
        (&socket).write_all(b"from the new owner").unwrap();
        drop(socket);
        let mut read = Vec::new();
        driver.until("the end", || drain(&mut client, &mut read));
        assert_eq!(read, b"banner from the new owner");
        assert_eq!(other.try_write("late"), Err(WriteError::Closed));
        assert_eq!(record.events(), [Event::Made]);
    });
}

/// If the queue cannot be sent at once, the socket stays in the loop.
#[test]
fn into_fd_refuses_while_the_queue_is_not_empty() {
    behaviour("into_fd_refuses_while_the_queue_is_not_empty", |driver| {
        let all = pattern(16 << 20);
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        transport.write(all.clone());
        let error = transport.clone().into_fd().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        transport.lose_connection();
        let mut read = Vec::new();
        driver.until("all of it", || drain(&mut client, &mut read));
        assert!(read == all);
        assert_eq!(record.lost(), Some(Ok(())));
    });
}

/// `into_fd` writes at once, also outside a turn, where the loop does not block the signal.
#[test]
fn into_fd_outside_of_a_turn_raises_no_sigpipe() {
    behaviour("into_fd_outside_of_a_turn_raises_no_sigpipe", |driver| {
        let raised = Rc::new(Cell::new(0));
        let told = Rc::clone(&raised);
        // The watch installs a handler, which reports a signal that would otherwise kill the
        // process.
        let watch = driver.on_signal(Signal::PIPE, move |_| told.set(told.get() + 1)).unwrap();
        let (record, transport, client) = unix_connection(driver, Recorder::quiet());
        drop(client);
        transport.write("nobody reads this");
        let error = transport.into_fd().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        driver.until("it is lost", || record.lost() == Some(Err(ErrorKind::BrokenPipe)));
        driver.turns(3);
        assert_eq!(raised.get(), 0);
        drop(watch);
    });
}

/// Decision D9: in each callback, a panic unwinds and closes this connection, and others continue.
#[test]
fn a_panic_in_a_callback_closes_that_connection_alone() {
    behaviour("a_panic_in_a_callback_closes_that_connection_alone", |driver| {
        let callbacks: [fn(&Event) -> bool; 5] = [
            |event| *event == Event::Made,
            |event| matches!(event, Event::Data(_)),
            |event| *event == Event::Drained,
            |event| *event == Event::ReadClosed,
            |event| matches!(event, Event::Lost(_)),
        ];
        let (other, _, mut healthy) = driver.connection(Recorder::echo());
        for panics in callbacks {
            let (listener, address) = driver.listen(move || {
                Recorder::new(move |transport, event| {
                    assert!(!panics(event), "on purpose");
                    if let Event::Data(data) = event {
                        transport.write(data.clone());
                    }
                })
            });
            let mut client = util::connected(address);
            client.write_all(b"x").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(driver.until_panic(), "on purpose");
            driver
                .until("it is closed", || try_drain(&mut client, &mut Vec::new()).unwrap_or(true));
            listener.stop_listening();
        }
        healthy.write_all(b"fine").unwrap();
        let mut echo = Vec::new();
        driver.until("the other's echo", || {
            drain(&mut healthy, &mut echo);
            echo == b"fine"
        });
        drop(healthy);
        driver.until("it is lost", || other.lost() == Some(Ok(())));
    });
}

/// The marks follow the queue: full once, and drained once it is empty.
#[test]
fn the_marks_follow_the_limits() {
    behaviour("the_marks_follow_the_limits", |driver| {
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        transport.set_write_limits(10, 0).unwrap();
        transport.write_copy(b"twelve bytes");
        transport.write_sequence(["a", "b"]);
        driver.until("it is drained", || record.has(&Event::Drained));
        assert_eq!(record.events(), [Event::Made, Event::Full, Event::Drained]);
        let mut read = Vec::new();
        driver.until("it arrives", || {
            drain(&mut client, &mut read);
            read == b"twelve bytesab"
        });
        drop(client);
        driver.until("it is lost", || record.lost().is_some());
    });
}

/// An empty queue alone causes no mark: a queue that stays at the low mark raises none.
#[test]
fn a_queue_that_is_emptied_below_its_low_mark_is_not_drained() {
    behaviour("a_queue_that_is_emptied_below_its_low_mark_is_not_drained", |driver| {
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        transport.set_write_limits(10, 5).unwrap();
        transport.write_copy(b"short");
        let mut read = Vec::new();
        driver.until("it arrives", || {
            drain(&mut client, &mut read);
            read == b"short"
        });
        assert_eq!(record.events(), [Event::Made]);
        drop(client);
        driver.until("it is lost", || record.lost().is_some());
        assert!(!record.has(&Event::Drained));
    });
}

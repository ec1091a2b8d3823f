//! Forwarding: the data of a peer goes to another peer, a child or a file, and the output of a
//! child goes to a peer, without passing through the program.

mod util;

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use procession_core::Deferred;
use procession_net_transport::NetTransports;
use procession_process_transport::{Command, SpawnProcess};
use procession_protocol::{
    ChildFd, ExitReason, FakeConnection, ForwardError, Process, ProcessProtocol, Protocol, Target,
    Transport,
};
use procession_reactor::Reactor;

use crate::util::{
    Driver, Event, Record, Recorder, behaviour, drain, isolated, pattern, try_drain,
};

/// The number of bytes, or the number of bytes before the failure, and its kind.
type Outcome = Result<u64, (u64, ErrorKind)>;
type Slot = Rc<RefCell<Option<Outcome>>>;

/// Returns a slot that will hold the outcome of a forwarding.
fn outcome(moved: Deferred<u64, ForwardError>) -> Slot {
    let slot = Slot::default();
    let put = slot.clone();
    moved.done(move |moved| {
        let outcome = moved.map_err(|failed| {
            let error = failed.error().expect("neither cancelled nor abandoned");
            (error.moved, error.source.kind())
        });
        *put.borrow_mut() = Some(outcome);
    });
    slot
}

fn over(driver: &mut Driver, slot: &Slot) -> Outcome {
    driver.until("the forwarding is over", || slot.borrow().is_some());
    slot.take().expect("it is there")
}

/// The output of a child, and whether it has ended.
#[derive(Clone, Default)]
struct Child {
    output: Rc<RefCell<Vec<u8>>>,
    ended: Rc<Cell<bool>>,
}

impl Child {
    fn spawn(driver: &Driver, script: &str) -> (Self, Process) {
        let child = Self::default();
        let command = Command::new("/bin/sh").arg("-c").arg(script);
        let process = driver.spawn_process(child.clone(), command).expect("a shell");
        (child, process)
    }
}

impl ProcessProtocol for Child {
    fn child_data_received(&mut self, _: &Process, _: ChildFd, data: Bytes) {
        self.output.borrow_mut().extend_from_slice(&data);
    }

    fn process_ended(&mut self, _: &Process, _: ExitReason) {
        self.ended.set(true);
    }
}

/// Does the same with children. The first child leaves a descriptor open permanently.
fn behaviour_with_children(name: &str, body: impl FnOnce(&mut Driver)) {
    isolated(name, || {
        let mut driver = Driver(Reactor::new().expect("a reactor"));
        let (first, _) = Child::spawn(&driver, "exit");
        driver.until("the exit", || first.ended.get());
        drop(driver);
        behaviour(name, body);
    });
}

/// Returns a connection that stays open when its peer has sent its last byte.
fn half_open(driver: &mut Driver) -> (Record, Transport, TcpStream) {
    driver.connection(Recorder::quiet().keep_half_open())
}

/// Makes the kernel reset a connection when this end is dropped.
fn reset(peer: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).expect("a socket");
    drop(peer);
}

/// Writes all of `data` on another thread, and shuts the direction down.
fn send(peer: &TcpStream, data: Vec<u8>) -> std::thread::JoinHandle<io::Result<()>> {
    let mut peer = peer.try_clone().expect("a descriptor");
    peer.set_nonblocking(false).expect("a socket");
    std::thread::spawn(move || {
        peer.write_all(&data)?;
        peer.shutdown(Shutdown::Write)
    })
}

/// Drives the loop until the thread has ended.
fn join<T>(driver: &mut Driver, thread: std::thread::JoinHandle<io::Result<T>>) -> T {
    driver.until("the peer is served", || thread.is_finished());
    thread.join().expect("no panic").expect("the connection is in order")
}

/// Reads to the end on another thread. This makes the peer blocking.
fn receive(peer: &TcpStream) -> std::thread::JoinHandle<io::Result<Vec<u8>>> {
    let mut peer = peer.try_clone().expect("a descriptor");
    peer.set_nonblocking(false).expect("a socket");
    std::thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).map(|_| all)
    })
}

#[test]
fn the_output_of_a_child_goes_to_a_peer() {
    behaviour_with_children("the_output_of_a_child_goes_to_a_peer", |driver| {
        let (record, transport, mut peer) = half_open(driver);
        let (child, process) = Child::spawn(driver, "head -c 3000000 /dev/zero; printf end");
        transport.write("first ");
        let moved = outcome(process.forward(1, Target::connection(&transport)));
        let received = receive(&peer);
        assert_eq!(over(driver, &moved), Ok(3_000_003));
        driver.until("the exit", || child.ended.get());
        let received = join(driver, received);
        assert!(received.starts_with(b"first \0") && received.ends_with(b"\0end"));
        assert_eq!((received.len(), child.output.borrow().len()), (3_000_009, 0));
        // Only one direction has ended.
        peer.write_all(b"thanks").unwrap();
        driver.until("it is read", || record.data() == b"thanks");
        drop(peer);
        driver.until("the loss", || record.lost() == Some(Ok(())));
    });
}

#[test]
fn what_a_peer_sends_goes_to_a_child() {
    behaviour_with_children("what_a_peer_sends_goes_to_a_child", |driver| {
        let (record, transport, peer) = half_open(driver);
        let (child, process) = Child::spawn(driver, "exec cat");
        process.write("first ");
        let moved = outcome(transport.forward(Target::child(&process, 0)));
        let sent = send(&peer, pattern(3_000_000));
        assert_eq!(over(driver, &moved), Ok(3_000_000));
        driver.until("the exit", || child.ended.get());
        join(driver, sent);
        let mut all = b"first ".to_vec();
        all.extend(pattern(3_000_000));
        assert!(*child.output.borrow() == all, "in order and complete");
        // The peer has sent its last byte, and may still receive an answer.
        assert_eq!(record.events(), [Event::Made, Event::ReadClosed]);
        transport.write("thanks");
        transport.lose_connection();
        assert_eq!(join(driver, receive(&peer)), b"thanks");
        driver.until("the loss", || record.lost() == Some(Ok(())));
    });
}

/// Splice does not work between two sockets: the bytes are copied.
#[test]
fn a_proxy_of_two_forwardings_passes_both_halves_on() {
    behaviour("a_proxy_of_two_forwardings_passes_both_halves_on", |driver| {
        let (one_record, one, one_peer) = half_open(driver);
        let (other_record, other, other_peer) = half_open(driver);
        let there = outcome(one.forward(Target::connection(&other)));
        let back = outcome(other.forward(Target::connection(&one)));
        let question = send(&one_peer, pattern(2_000_000));
        let heard = receive(&other_peer);
        let highest = Cell::new(0);
        driver.until("the question has passed", || {
            highest.set(highest.get().max(other.write_buffered()));
            there.borrow().is_some()
        });
        assert_eq!(there.take(), Some(Ok(2_000_000)));
        assert!(highest.get() <= (256 + 64) << 10, "{} bytes in memory", highest.get());
        assert!(join(driver, heard) == pattern(2_000_000));
        join(driver, question);
        assert!(back.borrow().is_none(), "the answer is still to come");

        let answer = send(&other_peer, pattern(500_000));
        let heard = receive(&one_peer);
        assert_eq!(over(driver, &back), Ok(500_000));
        assert!(join(driver, heard) == pattern(500_000));
        join(driver, answer);
        driver.until("both are lost", || {
            [&one_record, &other_record].iter().all(|record| record.lost() == Some(Ok(())))
        });
        for record in [one_record, other_record] {
            assert_eq!(record.data(), b"", "nothing has passed through the protocols");
        }
    });
}

#[test]
fn a_connection_that_is_forwarded_to_itself_is_an_echo() {
    behaviour("a_connection_that_is_forwarded_to_itself_is_an_echo", |driver| {
        let (record, transport, mut peer) = half_open(driver);
        let moved = outcome(transport.forward(Target::connection(&transport)));
        peer.write_all(&pattern(100_000)).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        driver.until("all came back", || drain(&mut peer, &mut all));
        assert!(all == pattern(100_000));
        assert_eq!(over(driver, &moved), Ok(100_000));
        driver.until("the loss", || record.lost() == Some(Ok(())));
    });
}

#[test]
fn a_full_target_holds_the_peer_back_and_costs_no_turns() {
    behaviour("a_full_target_holds_the_peer_back_and_costs_no_turns", |driver| {
        let (record, transport, mut peer) = half_open(driver);
        let (_, target, mut target_peer) = half_open(driver);
        let moved = outcome(transport.forward(Target::connection(&target)));
        let (mut sent, mut refused) = (0, 0);
        driver.until("nothing more is taken", || {
            match peer.write(&pattern(251 * 1000)[sent % 251..]) {
                Ok(bytes) => (sent, refused) = (sent + bytes, 0),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    refused += 1;
                }
            }
            refused == 20
        });
        let turns = driver.wakeups_within(Duration::from_millis(100));
        assert!(turns <= 3, "{turns} turns while the target is full");
        assert!(moved.borrow().is_none());
        peer.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        driver.until("all has arrived", || drain(&mut target_peer, &mut all));
        assert!(all == pattern(sent), "{} of {sent} bytes", all.len());
        assert_eq!(over(driver, &moved), Ok(u64::try_from(sent).unwrap()));
        drop((peer, target_peer));
        transport.lose_connection();
        driver.until("the loss", || record.lost().is_some());
    });
}

#[test]
fn a_lost_target_closes_the_source_and_counts_what_it_took() {
    behaviour("a_lost_target_closes_the_source_and_counts_what_it_took", |driver| {
        // By default, `read_closed` closes the target when its peer ends.
        let (target_record, target, mut target_peer) = driver.connection(Recorder::quiet());
        let (record, transport, mut peer) = half_open(driver);
        transport.write("before");
        let moved = outcome(transport.forward(Target::connection(&target)));
        peer.write_all(&pattern(5000)).unwrap();
        let (mut all, mut said) = (Vec::new(), Vec::new());
        driver.until("it is there", || {
            drain(&mut target_peer, &mut all);
            all.len() == 5000
        });
        drop(target_peer);
        assert_eq!(over(driver, &moved), Err((5000, ErrorKind::BrokenPipe)));
        driver.until("the losses", || record.lost().is_some() && target_record.lost().is_some());
        assert_eq!((record.lost(), target_record.lost()), (Some(Ok(())), Some(Ok(()))));
        driver.until("the peer sees the end", || drain(&mut peer, &mut said));
        assert_eq!(said, b"before", "what was written is flushed");
    });
}

/// The target's own reads are paused. Only the poller knows that it is gone.
#[test]
fn a_target_that_is_reset_is_lost_although_nothing_is_read() {
    behaviour("a_target_that_is_reset_is_lost_although_nothing_is_read", |driver| {
        let (target_record, target, target_peer) = half_open(driver);
        let (record, transport, _peer) = half_open(driver);
        target.pause();
        let moved = outcome(transport.forward(Target::connection(&target)));
        driver.turns(2);
        reset(target_peer);
        assert_eq!(over(driver, &moved), Err((0, ErrorKind::BrokenPipe)));
        driver.until("the loss of the source", || record.lost() == Some(Ok(())));
        target.resume();
        driver.until("the loss of the target", || target_record.lost().is_some());
    });
}

#[test]
fn a_child_whose_peer_is_gone_gets_sigpipe() {
    behaviour_with_children("a_child_whose_peer_is_gone_gets_sigpipe", |driver| {
        let (record, transport, mut peer) = driver.connection(Recorder::quiet());
        let (child, process) = Child::spawn(driver, "exec yes");
        let moved = outcome(process.forward(1, Target::connection(&transport)));
        let mut all = Vec::new();
        driver.until("some of it", || {
            try_drain(&mut peer, &mut all).expect("it is in order");
            all.len() > 100_000
        });
        reset(peer);
        let Err((bytes, _)) = over(driver, &moved) else { panic!("the peer is gone") };
        assert!(bytes >= 100_000, "{bytes}");
        driver.until("both end", || child.ended.get() && record.lost().is_some());
    });
}

/// A failure of the peer is not its end. This holds for splices and for copies.
#[test]
fn a_peer_that_resets_is_no_end_but_an_error() {
    behaviour("a_peer_that_resets_is_no_end_but_an_error", |driver| {
        let (mut file, end) = io::pipe().unwrap();
        let (_, other, mut other_peer) = half_open(driver);
        for target in [Target::fd(end), Target::connection(&other)] {
            let (record, transport, mut peer) = half_open(driver);
            let moved = outcome(transport.forward(target));
            peer.write_all(b"some").unwrap();
            // The data that arrived before the reset is forwarded.
            driver.turns(3);
            reset(peer);
            assert_eq!(over(driver, &moved), Err((4, ErrorKind::ConnectionReset)));
            driver.until("the loss", || record.lost().is_some());
            assert_eq!(
                record.events(),
                [Event::Made, Event::Lost(Err(ErrorKind::ConnectionReset))]
            );
        }
        let (mut spliced, mut copied) = (Vec::new(), Vec::new());
        file.read_to_end(&mut spliced).unwrap();
        driver.until("the end", || drain(&mut other_peer, &mut copied));
        assert_eq!((spliced, copied), (b"some".to_vec(), b"some".to_vec()));
        other.abort_connection();
    });
}

#[test]
fn a_paused_connection_moves_nothing_until_it_is_resumed() {
    behaviour_with_children("a_paused_connection_moves_nothing_until_it_is_resumed", |driver| {
        let (_, transport, mut peer) = driver.connection(Recorder::quiet());
        let (child, process) = Child::spawn(driver, "exec cat");
        transport.pause();
        let moved = outcome(transport.forward(Target::child(&process, 0)));
        peer.write_all(b"one").unwrap();
        let turns = driver.wakeups_within(Duration::from_millis(50));
        assert!(turns <= 3, "{turns} turns");
        assert_eq!(*child.output.borrow(), b"");
        transport.resume();
        driver.until("one", || *child.output.borrow() == b"one");
        transport.pause();
        peer.write_all(b"two").unwrap();
        drop(peer);
        driver.wakeups_within(Duration::from_millis(50));
        assert_eq!(
            (child.output.borrow().as_slice(), moved.borrow().is_some()),
            (&b"one"[..], false)
        );
        transport.resume();
        assert_eq!(over(driver, &moved), Ok(6));
        driver.until("the exit", || child.ended.get());
        assert_eq!(*child.output.borrow(), b"onetwo");
    });
}

#[test]
fn a_forwarding_that_a_stop_cuts_off_is_no_success() {
    behaviour("a_forwarding_that_a_stop_cuts_off_is_no_success", |driver| {
        let (record, transport, mut peer) = half_open(driver);
        let (mut there, end) = io::pipe().unwrap();
        let moved = outcome(transport.forward(Target::fd(end)));
        peer.write_all(b"some").unwrap();
        driver.turns(3);
        driver.call_soon(|reactor| reactor.stop());
        driver.run().unwrap();
        assert_eq!(record.lost(), Some(Err(ErrorKind::ConnectionAborted)));
        assert_eq!(moved.take(), Some(Err((4, ErrorKind::ConnectionAborted))));
        let mut text = String::new();
        there.read_to_string(&mut text).unwrap();
        assert_eq!(text, "some");
    });
}

#[test]
fn a_source_that_the_program_closes_completes_with_what_was_moved() {
    behaviour("a_source_that_the_program_closes_completes_with_what_was_moved", |driver| {
        type Close = fn(Transport);
        let ways: [Close; 3] = [
            |transport| transport.lose_connection(),
            |transport| transport.abort_connection(),
            |transport| drop(transport.into_fd().expect("nothing is queued")),
        ];
        for close in ways {
            let (_, transport, mut peer) = half_open(driver);
            let (_, target, mut target_peer) = driver.connection(Recorder::quiet());
            let moved = outcome(transport.forward(Target::connection(&target)));
            peer.write_all(b"some").unwrap();
            let mut all = Vec::new();
            driver.until("some", || {
                drain(&mut target_peer, &mut all);
                all == b"some"
            });
            close(transport);
            assert!(moved.borrow().is_none(), "no verb calls back");
            assert_eq!(over(driver, &moved), Ok(4));
            driver.until("the target's end", || drain(&mut target_peer, &mut all));
        }
    });
}

#[test]
fn a_target_that_the_program_closes_is_lost() {
    behaviour("a_target_that_the_program_closes_is_lost", |driver| {
        let ways: [fn(&Transport); 3] =
            [Transport::lose_connection, Transport::abort_connection, Transport::shutdown_write];
        for close in ways {
            let (record, transport, mut peer) = half_open(driver);
            let (_, target, mut target_peer) = driver.connection(Recorder::quiet());
            let moved = outcome(transport.forward(Target::connection(&target)));
            peer.write_all(b"some").unwrap();
            let mut all = Vec::new();
            driver.until("some", || {
                drain(&mut target_peer, &mut all);
                all == b"some"
            });
            close(&target);
            assert!(moved.borrow().is_none(), "no verb calls back");
            assert_eq!(over(driver, &moved), Err((4, ErrorKind::BrokenPipe)));
            driver.until("the loss of the source", || record.lost() == Some(Ok(())));
            target.abort_connection();
        }
    });
}

/// A write finds out that the peer takes no more data. The data that it has sent until then is
/// forwarded.
#[test]
fn what_a_peer_has_sent_before_a_write_to_it_failed_is_moved() {
    behaviour("what_a_peer_has_sent_before_a_write_to_it_failed_is_moved", |driver| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listening = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let recorder = Recorder::quiet();
        let record = recorder.record.clone();
        let transport = driver.connect_unix(&path, recorder);
        let transport = driver.block_on(transport).unwrap();
        let (mut peer, _) = listening.accept().unwrap();
        let (mut there, end) = io::pipe().unwrap();
        transport.pause();
        let moved = outcome(transport.forward(Target::fd(end)));
        peer.write_all(b"some").unwrap();
        peer.shutdown(Shutdown::Read).unwrap();
        transport.write("nobody reads it");
        transport.resume();
        assert_eq!(over(driver, &moved), Ok(4));
        driver.until("the loss", || record.lost() == Some(Err(ErrorKind::BrokenPipe)));
        assert_eq!(record.data(), b"");
        let mut text = String::new();
        there.read_to_string(&mut text).unwrap();
        assert_eq!(text, "some");
        drop::<UnixStream>(peer);
    });
}

#[test]
fn a_panic_of_the_protocol_closes_its_connection_and_ends_the_forwarding() {
    behaviour("a_panic_of_the_protocol_closes_its_connection_and_ends_the_forwarding", |driver| {
        let recorder = Recorder::new(|_, event| assert!(*event != Event::Drained, "on room"));
        let (_, transport, mut peer) = driver.connection(recorder);
        let (mut there, end) = io::pipe().unwrap();
        let moved = outcome(transport.forward(Target::fd(end)));
        peer.write_all(b"some").unwrap();
        driver.turns(3);
        transport.set_write_limits(0, 0).unwrap();
        transport.write("x");
        assert_eq!(driver.until_panic(), "on room");
        assert_eq!(over(driver, &moved), Ok(4));
        let mut text = String::new();
        there.read_to_string(&mut text).unwrap();
        assert_eq!(text, "some");
        let mut said = Vec::new();
        driver.until("the peer sees the end", || drain(&mut peer, &mut said));
    });
}

#[test]
fn what_cannot_be_forwarded_is_refused_and_nothing_changes() {
    struct Quiet;
    impl Protocol for Quiet {}

    behaviour("what_cannot_be_forwarded_is_refused_and_nothing_changes", |driver| {
        let (record, transport, mut peer) = half_open(driver);
        let (_, target, _target_peer) = half_open(driver);
        let fake = FakeConnection::new(Quiet);
        let moved = transport.forward(Target::connection(fake.transport()));
        assert_eq!(over(driver, &outcome(moved)), Err((0, ErrorKind::Unsupported)));
        let moved = fake.transport().forward(Target::connection(&transport));
        assert_eq!(over(driver, &outcome(moved)), Err((0, ErrorKind::Unsupported)));

        let (_, closing, _closing_peer) = half_open(driver);
        closing.shutdown_write();
        let moved = outcome(transport.forward(Target::connection(&closing)));
        assert_eq!(over(driver, &moved), Err((0, ErrorKind::BrokenPipe)));
        peer.write_all(b"delivered").unwrap();
        driver.until("the protocol hears of it", || record.data() == b"delivered");

        let first = outcome(transport.forward(Target::connection(&target)));
        let twice = outcome(transport.forward(Target::connection(&closing)));
        assert_eq!(over(driver, &twice), Err((0, ErrorKind::InvalidInput)));
        let (_, second, _second_peer) = half_open(driver);
        let fed = outcome(second.forward(Target::connection(&target)));
        assert!(over(driver, &fed).is_err(), "another forwarding feeds it");
        assert!(first.borrow().is_none());

        transport.abort_connection();
        assert_eq!(over(driver, &first), Ok(0));
        let late = outcome(transport.forward(Target::connection(&second)));
        assert_eq!(over(driver, &late), Err((0, ErrorKind::InvalidInput)));
        for one in [target, closing, second] {
            one.abort_connection();
        }
        driver.turns(2);
    });
}

#[test]
fn a_reactor_that_is_dropped_leaves_no_forwarding_behind() {
    isolated("a_reactor_that_is_dropped_leaves_no_forwarding_behind", || {
        let before = util::open_fds();
        let abandoned = Rc::new(Cell::new(0));
        let mut driver = Driver(Reactor::new().unwrap());
        let (_, one, _one_peer) = half_open(&mut driver);
        let (_, other, _other_peer) = half_open(&mut driver);
        let null = fs::File::options().write(true).open("/dev/null").unwrap();
        for moved in [one.forward(Target::connection(&other)), other.forward(Target::fd(null))] {
            let abandoned = Rc::clone(&abandoned);
            moved.done(move |moved| {
                assert!(moved.unwrap_err().error().is_none(), "it has no result");
                abandoned.set(abandoned.get() + 1);
            });
        }
        drop(driver);
        assert_eq!(abandoned.get(), 2);
        drop((one, other, _one_peer, _other_peer));
        assert_eq!(util::open_fds(), before);
    });
}

//! `Pipe` with real pipes and sockets.

#[path = "util/bound.rs"]
mod bound;
#[path = "util/each_loop.rs"]
mod each_loop;
#[path = "util/until.rs"]
mod until;

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use each_loop::each_loop;
use procession_core::driver::{Direction, Spent, WithCell};
use procession_reactor::driver::{EventHandler, FlushOutcome, Pipe, PipeReady, ReadEvent, Ready};
use procession_reactor::{Handle, Reactor};
use until::until;

const SHORT: Duration = Duration::from_millis(30);

/// A transport without a protocol: it passes events to its pipe and records their meaning.
#[derive(Default)]
struct PipeOwner {
    pipe: WithCell<Option<Pipe>>,
    seen: RefCell<Vec<PipeReady>>,
}

impl EventHandler for PipeOwner {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        let seen = self.with(|pipe| pipe.on_ready(reactor, ready.readiness));
        self.seen.borrow_mut().push(seen);
    }
}

impl PipeOwner {
    fn open(reactor: &Reactor, fd: impl Into<OwnedFd>, direction: Direction) -> Rc<Self> {
        let transport = Rc::new(Self::default());
        let handler: Rc<dyn EventHandler> = transport.clone();
        let pipe = Pipe::open(reactor, fd.into(), direction, handler, 0).expect("it can be opened");
        transport.pipe.replace(Some(pipe));
        transport
    }

    fn with<R>(&self, call: impl FnOnce(&mut Pipe) -> R) -> R {
        self.pipe.with(|pipe| call(pipe.as_mut().expect("it is open")))
    }

    fn read(&self, reactor: &Reactor) -> ReadEvent {
        self.with(|pipe| pipe.read(reactor))
    }

    fn write(&self, data: impl Into<Bytes>) {
        self.with(|pipe| pipe.queue().expect("a writer").on_write(data.into()))
            .expect("the queue is open");
    }

    fn flush_now(&self, reactor: &Reactor) -> FlushOutcome {
        self.with(|pipe| pipe.flush(reactor, &mut Spent::new()))
    }

    fn last(&self) -> PipeReady {
        self.seen.borrow().last().copied().unwrap_or_default()
    }

    fn close(&self, reactor: &Reactor) {
        let pipe = self.pipe.take().expect("it is open");
        drop(pipe.close(reactor));
    }
}

fn pair() -> (UnixStream, UnixStream) {
    let (here, there) = UnixStream::pair().expect("descriptors are left");
    here.set_nonblocking(true).expect("sockets can be nonblocking");
    (here, there)
}

/// Makes the parent's end of a pipe nonblocking.
fn nonblocking(fd: impl Into<OwnedFd>) -> OwnedFd {
    let fd = fd.into();
    rustix::io::ioctl_fionbio(&fd, true).expect("pipes can be nonblocking");
    fd
}

#[test]
fn a_reader_gives_data_then_nothing_then_the_end() {
    each_loop(|mut reactor| {
        let (here, mut there) = pair();
        let transport = PipeOwner::open(&reactor, here, Direction::Read);
        assert!(matches!(transport.read(&reactor), ReadEvent::WouldBlock));
        there.write_all(b"hello").unwrap();
        until(&mut reactor, || transport.last().readable);
        let ReadEvent::Data(data) = transport.read(&reactor) else { panic!("there is data") };
        assert_eq!(data, "hello");
        assert!(matches!(transport.read(&reactor), ReadEvent::WouldBlock));
        drop(there);
        transport.seen.borrow_mut().clear();
        until(&mut reactor, || transport.last().readable);
        assert!(matches!(transport.read(&reactor), ReadEvent::End));
        transport.close(&reactor);
    });
}

/// If the peer goes while the queue is empty, a flush of the empty queue still reports idle, and
/// the data that the peer sent are still read.
#[test]
fn an_empty_flush_is_idle_even_if_the_peer_has_gone() {
    each_loop(|mut reactor| {
        let (here, mut there) = pair();
        let transport = PipeOwner::open(&reactor, here, Direction::Both);
        there.write_all(b"last words").unwrap();
        drop(there);
        until(&mut reactor, || transport.last().peer_gone);
        assert!(matches!(transport.flush_now(&reactor), FlushOutcome::Idle));
        let ReadEvent::Data(data) = transport.read(&reactor) else { panic!("there is data") };
        assert_eq!(data, "last words");
        transport.write("too late");
        assert!(matches!(transport.flush_now(&reactor), FlushOutcome::Lost(_)));
        transport.close(&reactor);
    });
}

/// If the peer goes while data are queued, the next flush reports the loss, with room or without.
#[test]
fn a_peer_that_goes_while_a_queue_waits_is_lost() {
    each_loop(|mut reactor| {
        let (here, there) = pair();
        let transport = PipeOwner::open(&reactor, here, Direction::Both);
        transport.write(vec![0; 1 << 20]);
        assert!(matches!(transport.flush_now(&reactor), FlushOutcome::Blocked));
        drop(there);
        until(&mut reactor, || transport.last().unblocked);
        assert!(matches!(transport.flush_now(&reactor), FlushOutcome::Lost(_)));
        transport.close(&reactor);
    });
}

#[test]
fn a_large_read_keeps_its_bytes_while_the_buffer_is_used_again() {
    each_loop(|reactor| {
        let (reader, mut writer) = io::pipe().unwrap();
        let transport = PipeOwner::open(&reactor, nonblocking(reader), Direction::Read);
        let mut kept = Vec::new();
        for byte in 0..20_u8 {
            writer.write_all(&vec![byte; Pipe::READ_BUFFER_BYTES / 2]).unwrap();
            let ReadEvent::Data(data) = transport.read(&reactor) else { panic!("there is data") };
            kept.push(data);
        }
        for (data, byte) in kept.iter().zip(0_u8..) {
            assert_eq!(data.len(), Pipe::READ_BUFFER_BYTES / 2);
            assert!(data.iter().all(|&found| found == byte));
        }
        transport.close(&reactor);
    });
}

#[test]
fn a_paused_reader_costs_no_turns_and_sees_the_end_when_it_is_resumed() {
    each_loop(|mut reactor| {
        let (reader, mut writer) = io::pipe().unwrap();
        let transport = PipeOwner::open(&reactor, nonblocking(reader), Direction::Read);
        transport.with(|pipe| pipe.pause(&reactor));
        assert!(transport.with(|pipe| pipe.is_paused()));
        writer.write_all(b"x").unwrap();
        drop(writer);
        let start = reactor.now();
        reactor.turn(Some(SHORT)).unwrap();
        assert!(reactor.now() - start >= SHORT, "one turn, the whole wait");
        assert!(transport.seen.borrow().is_empty());
        transport.with(|pipe| pipe.resume(&reactor)).unwrap();
        until(&mut reactor, || transport.last().readable);
        assert!(matches!(transport.read(&reactor), ReadEvent::Data(_)));
        assert!(matches!(transport.read(&reactor), ReadEvent::End));
        transport.close(&reactor);
    });
}

#[test]
fn a_blocked_writer_goes_on_when_there_is_room_and_nothing_is_lost() {
    each_loop(|mut reactor| {
        let (mut reader, writer) = io::pipe().unwrap();
        let transport = PipeOwner::open(&reactor, nonblocking(writer), Direction::Write);
        let mut expected = Vec::new();
        for byte in 0..100_u8 {
            let chunk = vec![byte; 5000];
            expected.extend_from_slice(&chunk);
            transport.write(chunk);
        }
        transport.with(|pipe| pipe.queue().unwrap().on_close());
        assert!(matches!(transport.flush_now(&reactor), FlushOutcome::Blocked));
        assert!(matches!(transport.flush_now(&reactor), FlushOutcome::Blocked), "without a write");
        let mut got = Vec::new();
        let mut buffer = vec![0; 8192];
        loop {
            let n = reader.read(&mut buffer).unwrap();
            got.extend_from_slice(&buffer[..n]);
            if got.len() == expected.len() {
                break;
            }
            reactor.turn(Some(Duration::ZERO)).unwrap();
            if transport.last().unblocked {
                transport.seen.borrow_mut().clear();
                match transport.flush_now(&reactor) {
                    FlushOutcome::Blocked => {}
                    FlushOutcome::Done => transport.close(&reactor),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(got == expected);
        assert!(transport.pipe.take().is_none(), "closed after the last byte");
        assert_eq!(reader.read(&mut buffer).unwrap(), 0);
    });
}

/// With a poller other than epoll, only the next write may see the loss, so this claim is for
/// Linux.
#[test]
fn the_loss_of_an_idle_writers_reader_is_told_once_and_does_not_spin() {
    each_loop(|mut reactor| {
        let (reader, writer) = io::pipe().unwrap();
        let transport = PipeOwner::open(&reactor, nonblocking(writer), Direction::Write);
        drop(reader);
        until(&mut reactor, || transport.last().peer_gone);
        let start = reactor.now();
        reactor.turn(Some(SHORT)).unwrap();
        assert!(reactor.now() - start >= SHORT, "one turn, the whole wait");
        assert_eq!(transport.seen.borrow().len(), 1);
        transport.write("x");
        let FlushOutcome::Lost(error) = transport.flush_now(&reactor) else {
            panic!("nobody reads")
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        transport.close(&reactor);
    });
}

#[test]
fn a_blocked_writer_whose_reader_goes_away_is_lost_at_its_next_flush() {
    each_loop(|mut reactor| {
        let (reader, writer) = io::pipe().unwrap();
        let transport = PipeOwner::open(&reactor, nonblocking(writer), Direction::Write);
        transport.write(vec![0; 1 << 20]);
        assert!(matches!(transport.flush_now(&reactor), FlushOutcome::Blocked));
        drop(reader);
        until(&mut reactor, || transport.last().unblocked);
        assert!(matches!(transport.flush_now(&reactor), FlushOutcome::Lost(_)));
        transport.close(&reactor);
    });
}

#[test]
fn both_directions_of_a_socket_end_on_their_own() {
    each_loop(|mut reactor| {
        let (here, mut there) = pair();
        let transport = PipeOwner::open(&reactor, here, Direction::Both);
        there.write_all(b"question").unwrap();
        there.shutdown(std::net::Shutdown::Write).unwrap();
        until(&mut reactor, || transport.last().readable);
        assert!(matches!(transport.read(&reactor), ReadEvent::Data(_)));
        assert!(matches!(transport.read(&reactor), ReadEvent::End));
        transport.with(|pipe| pipe.end_reading(&reactor));
        assert!(matches!(transport.read(&reactor), ReadEvent::End));
        let start = reactor.now();
        reactor.turn(Some(SHORT)).unwrap();
        assert!(reactor.now() - start >= SHORT, "the end that was seen does not spin");
        transport.write("answer");
        assert!(matches!(transport.flush_now(&reactor), FlushOutcome::Idle));
        let spent = transport.with(|pipe| pipe.end_writing(&reactor));
        assert!(spent.is_empty());
        assert!(transport.with(|pipe| !pipe.is_writing() && !pipe.is_reading()));
        transport.close(&reactor);
        let mut answer = String::new();
        there.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
    });
}

#[test]
fn a_paused_socket_whose_peer_is_gone_does_not_spin_and_keeps_its_data() {
    each_loop(|mut reactor| {
        let (here, mut there) = pair();
        let transport = PipeOwner::open(&reactor, here, Direction::Both);
        transport.with(|pipe| pipe.pause(&reactor));
        there.write_all(b"last words").unwrap();
        drop(there);
        until(&mut reactor, || transport.last().peer_gone);
        assert!(!transport.last().readable);
        let start = reactor.now();
        reactor.turn(Some(SHORT)).unwrap();
        assert!(reactor.now() - start >= SHORT, "one turn, the whole wait");
        transport.with(|pipe| pipe.resume(&reactor)).unwrap();
        until(&mut reactor, || transport.last().readable);
        let ReadEvent::Data(data) = transport.read(&reactor) else { panic!("there is data") };
        assert_eq!(data, "last words");
        assert!(matches!(transport.read(&reactor), ReadEvent::End));
        transport.close(&reactor);
    });
}

#[test]
fn a_descriptor_that_the_poller_refuses_is_always_ready() {
    let reactor = Reactor::new().unwrap();
    let file = File::open("Cargo.toml").unwrap();
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    let transport = PipeOwner::open(&reactor, file, Direction::Read);
    assert!(transport.with(|pipe| pipe.is_always_ready()));
    let mut total = 0;
    while let ReadEvent::Data(data) = transport.read(&reactor) {
        total += data.len();
    }
    assert_eq!(total, length);
    transport.close(&reactor);
    let null = File::options().write(true).open("/dev/null").unwrap();
    let transport = PipeOwner::open(&reactor, null, Direction::Write);
    transport.write(vec![0; 1 << 20]);
    assert!(matches!(transport.flush_now(&reactor), FlushOutcome::Idle));
    transport.close(&reactor);
}

#[test]
fn closing_returns_the_unwritten_data() {
    let reactor = Reactor::new().unwrap();
    let (_reader, writer) = io::pipe().unwrap();
    let transport = PipeOwner::open(&reactor, nonblocking(writer), Direction::Write);
    transport.write(vec![0; 1 << 20]);
    assert!(matches!(transport.flush_now(&reactor), FlushOutcome::Blocked));
    let spent = transport.pipe.take().unwrap().close(&reactor);
    assert!(!spent.is_empty());
}

//! An adaptive pipe grows while bulk data pass through it.
#![cfg(target_os = "linux")]

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use procession_core::driver::{Direction, Spent};
use procession_reactor::driver::{EventHandler, FlushOutcome, Pipe, ReadEvent, Ready};
use procession_reactor::{Handle, Reactor};

/// The default size of a pipe, and the size of one read.
const BUFFER_BYTES: usize = 64 << 10;

struct IgnoreEvents;

impl EventHandler for IgnoreEvents {
    fn ready(self: Rc<Self>, _: &Handle, _: Ready) {}
}

fn open(reactor: &Reactor, fd: impl Into<OwnedFd>, direction: Direction) -> Pipe {
    let fd = fd.into();
    rustix::io::ioctl_fionbio(&fd, true).expect("pipes can be nonblocking");
    Pipe::open(reactor, fd, direction, Rc::new(IgnoreEvents), 0).expect("it can be opened")
}

fn size(reactor: &Reactor, pipe: &Pipe) -> usize {
    let size = reactor.io().with_fd(pipe.key(), |fd| rustix::pipe::fcntl_getpipe_size(fd));
    size.expect("it is open").expect("it is a pipe")
}

#[test]
fn an_adaptive_pipe_that_is_read_in_whole_buffers_grows() {
    let reactor = Reactor::new().unwrap();
    for adaptive in [false, true] {
        let (read, mut write) = io::pipe().unwrap();
        let mut pipe = open(&reactor, read, Direction::Read);
        if adaptive {
            pipe.set_adaptive();
        }
        for nth in 1..=12 {
            write.write_all(&[0; BUFFER_BYTES]).unwrap();
            let ReadEvent::Data(data) = pipe.read(&reactor) else { panic!("there is data") };
            assert_eq!(data.len(), BUFFER_BYTES);
            let wanted = match nth {
                _ if !adaptive => BUFFER_BYTES,
                1..4 => BUFFER_BYTES,
                4..12 => 256 << 10,
                _ => 1 << 20,
            };
            assert_eq!(size(&reactor, &pipe), wanted, "{nth} buffers");
        }
        drop(pipe.close(&reactor));
    }
}

/// A reader that is faster than the writer finds the pipe empty between whole buffers.
#[test]
fn a_read_that_would_block_does_not_reset_the_count() {
    let reactor = Reactor::new().unwrap();
    let (read, mut write) = io::pipe().unwrap();
    let mut pipe = open(&reactor, read, Direction::Read);
    pipe.set_adaptive();
    for _ in 0..4 {
        write.write_all(&[0; BUFFER_BYTES]).unwrap();
        assert!(matches!(pipe.read(&reactor), ReadEvent::Data(_)));
        assert!(matches!(pipe.read(&reactor), ReadEvent::WouldBlock));
    }
    assert_eq!(size(&reactor, &pipe), 256 << 10);
    drop(pipe.close(&reactor));
}

#[test]
fn an_adaptive_pipe_that_its_writer_fills_grows() {
    let reactor = Reactor::new().unwrap();
    let (read, write) = io::pipe().unwrap();
    let mut pipe = open(&reactor, write, Direction::Write);
    pipe.set_adaptive();
    for _ in 0..4 {
        assert_eq!(size(&reactor, &pipe), BUFFER_BYTES);
        pipe.queue().unwrap().on_write(vec![0; BUFFER_BYTES].into()).unwrap();
        if matches!(pipe.flush(&reactor, &mut Spent::new()), FlushOutcome::Idle) {
            pipe.queue().unwrap().on_write(vec![0; BUFFER_BYTES].into()).unwrap();
            assert!(matches!(pipe.flush(&reactor, &mut Spent::new()), FlushOutcome::Blocked));
        }
    }
    assert_eq!(size(&reactor, &pipe), 256 << 10);
    drop((pipe.close(&reactor), read));
}

#[test]
fn bytes_moved_past_the_pipe_count_as_bulk_and_a_trickle_resets_the_count() {
    let reactor = Reactor::new().unwrap();
    let (read, _write) = io::pipe().unwrap();
    let mut pipe = open(&reactor, read, Direction::Read);
    pipe.set_adaptive();
    for bytes in [3 * BUFFER_BYTES, 1, BUFFER_BYTES] {
        pipe.on_moved(&reactor, bytes);
        assert_eq!(size(&reactor, &pipe), BUFFER_BYTES);
    }
    pipe.on_moved(&reactor, 3 * BUFFER_BYTES);
    assert_eq!(size(&reactor, &pipe), 256 << 10);
    drop(pipe.close(&reactor));
}

/// A socket has no such size: the pipe does not try again, and no data are lost.
#[test]
fn a_refused_resize_loses_no_data() {
    let reactor = Reactor::new().unwrap();
    let (here, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut pipe = open(&reactor, here, Direction::Both);
    pipe.set_adaptive();
    for _ in 0..3 {
        pipe.on_moved(&reactor, 4 * BUFFER_BYTES);
    }
    there.write_all(b"still here").unwrap();
    let ReadEvent::Data(data) = pipe.read(&reactor) else { panic!("there is data") };
    assert_eq!(data, "still here");
    drop(pipe.close(&reactor));
}

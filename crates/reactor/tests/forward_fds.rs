//! Forwarding between real pipes, sockets and files.

#[path = "util/bound.rs"]
mod bound;
#[path = "forward/kernel.rs"]
mod kernel;
#[path = "forward/outcome.rs"]
mod outcome;
#[path = "util/until.rs"]
mod until;

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use kernel::KernelSource;
use outcome::{OutcomeCell, outcome};
use procession_reactor::Reactor;
use procession_reactor::driver::{Forward, SinkPort};
use until::until;

/// The number of queued bytes at which the forward stops reading its source.
const HIGH_BYTES: usize = 256 << 10;

/// Starts a forward from `source` to a descriptor.
fn to_fd(reactor: &Reactor, source: &Rc<KernelSource>, fd: impl Into<OwnedFd>) -> Rc<OutcomeCell> {
    let slot = Rc::new(OutcomeCell::default());
    let put = slot.clone();
    let sink = <dyn SinkPort>::of_fd(reactor, fd.into()).expect("it can be opened");
    Forward::start(reactor, source.clone(), sink, move |moved, result| {
        put.set(Some(outcome(moved, result)))
    })
    .expect("nothing else feeds it");
    slot
}

#[test]
fn a_forward_waits_for_either_side_that_would_block() {
    let mut reactor = Reactor::new().unwrap();
    let (read, mut write) = io::pipe().unwrap();
    let (mut target, end) = io::pipe().unwrap();
    let source = KernelSource::open(&reactor, read);
    let moved = to_fd(&reactor, &source, end);
    // The source is empty, then has data.
    reactor.turn(Some(Duration::ZERO)).unwrap();
    write.write_all(b"first").unwrap();
    let mut first = [0; 5];
    until(&mut reactor, || kernel::is_filled(&target, 5));
    target.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"first");
    // The sink is full, and both pipes hold 64 KiB.
    let writer = std::thread::spawn(move || write.write_all(&[b'x'; 200_000]));
    until(&mut reactor, || !source.watched.get());
    let (passed, mut turns) = (Rc::new(Cell::new(false)), 0);
    let put = passed.clone();
    reactor.call_later(Duration::from_millis(50), move |_| put.set(true));
    while !passed.get() {
        reactor.turn(None).unwrap();
        turns += 1;
    }
    assert!(turns < 5, "{turns} turns while the sink is full");
    let reader = std::thread::spawn(move || {
        let mut rest = Vec::new();
        target.read_to_end(&mut rest).map(|_| rest.len())
    });
    until(&mut reactor, || moved.get().is_some());
    assert_eq!(moved.get(), Some(Ok(200_005)));
    assert_eq!(reader.join().unwrap().unwrap(), 200_000);
    writer.join().unwrap().unwrap();
}

/// A drain moves the requested bytes while the pipe still has a writer, else everything in the
/// pipe.
#[test]
fn a_drain_ends_after_the_requested_bytes_or_at_the_end_of_the_pipe() {
    for held in [true, false] {
        let reactor = Reactor::new().unwrap();
        let (read, mut write) = io::pipe().unwrap();
        let (mut target, end) = io::pipe().unwrap();
        let source = KernelSource::open(&reactor, read);
        let moved = to_fd(&reactor, &source, end);
        write.write_all(&[b'x'; 100]).unwrap();
        let writer = held.then_some(write);
        source.forward().drain(60);
        let wanted = if held { 60 } else { 100 };
        assert_eq!(moved.get(), Some(Ok(wanted)));
        assert_eq!((source.ended.get(), source.read_to_end.get()), (Some(false), !held));
        let mut text = Vec::new();
        target.read_to_end(&mut text).unwrap();
        assert_eq!(u64::try_from(text.len()).unwrap(), wanted);
        drop(writer);
    }
}

/// Drained data wait while the sink is full.
#[test]
fn a_drain_waits_for_room_in_the_sink() {
    let mut reactor = Reactor::new().unwrap();
    let (read, mut write) = io::pipe().unwrap();
    let (mut target, mut end) = io::pipe().unwrap();
    kernel::fill(&mut end);
    let source = KernelSource::open(&reactor, read);
    let moved = to_fd(&reactor, &source, end);
    write.write_all(b"held").unwrap();
    source.forward().drain(4);
    assert_eq!(moved.get(), None);
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        target.read_to_end(&mut all).map(|_| all.ends_with(b"held"))
    });
    until(&mut reactor, || moved.get().is_some());
    assert_eq!(moved.get(), Some(Ok(4)));
    assert!(reader.join().unwrap().unwrap());
    drop(write);
}

/// The kernel reports a reset once, to whichever call comes first. For a source it is the end, for
/// a sink a failure.
#[test]
fn a_reset_ends_a_source_and_fails_a_sink() {
    let mut reactor = Reactor::new().unwrap();
    // A peer that closes with unread data resets the connection.
    let (here, mut there) = UnixStream::pair().unwrap();
    (&here).write_all(b"unread").unwrap();
    there.write_all(b"hello").unwrap();
    drop(there);
    let (mut target, end) = io::pipe().unwrap();
    let source = KernelSource::open(&reactor, here);
    let moved = to_fd(&reactor, &source, end);
    until(&mut reactor, || moved.get().is_some());
    assert_eq!((moved.get(), source.ended.get()), (Some(Ok(5)), Some(true)));
    let mut text = String::new();
    target.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");

    // A source may report the reset as a failure instead of an end.
    let (here, there) = tcp_pair();
    (&here).write_all(b"unread").unwrap();
    kernel::wait_readable(&there);
    let (mut target, end) = io::pipe().unwrap();
    let source = KernelSource::open(&reactor, here);
    source.can_fail.set(true);
    let moved = to_fd(&reactor, &source, end);
    drop(there);
    until(&mut reactor, || moved.get().is_some());
    assert_eq!(moved.get(), Some(Err((0, ErrorKind::ConnectionReset))));
    assert!(!source.read_to_end.get());
    assert_eq!(target.read(&mut [0]).unwrap(), 0, "the sink is let go of");

    let (here, there) = tcp_pair();
    (&here).write_all(b"unread").unwrap();
    let (read, mut write) = io::pipe().unwrap();
    kernel::wait_readable(&there);
    drop(there);
    kernel::wait_hung_up(&here);
    write.write_all(b"nobody reads it").unwrap();
    let source = KernelSource::open(&reactor, read);
    let moved = to_fd(&reactor, &source, here);
    until(&mut reactor, || moved.get().is_some());
    let Some(Err((0, kind))) = moved.get() else { panic!("{:?}", moved.get()) };
    assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind}");
    assert_eq!(source.ended.get(), Some(false));
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    let address = listener.local_addr().expect("it is bound");
    let here = TcpStream::connect(address).expect("it listens");
    (here, listener.accept().expect("it is connected").0)
}

/// Between two sockets nothing can be spliced. Copies wait in memory, up to a limit.
#[test]
fn copies_to_a_slow_descriptor_are_bounded() {
    let mut reactor = Reactor::new().unwrap();
    let (here, mut there) = UnixStream::pair().unwrap();
    let (end, mut target) = UnixStream::pair().unwrap();
    let source = KernelSource::open(&reactor, here);
    let slot = Rc::new(OutcomeCell::default());
    let put = slot.clone();
    let sink = <dyn SinkPort>::of_fd(&reactor, kernel::nonblocking(end)).unwrap();
    Forward::start(&reactor, source.clone(), sink.clone(), move |moved, result| {
        put.set(Some(outcome(moved, result)));
    })
    .unwrap();
    let writer = std::thread::spawn(move || there.write_all(&[b'x'; 2_000_000]));
    until(&mut reactor, || !source.watched.get());
    assert!((HIGH_BYTES..=HIGH_BYTES + (64 << 10)).contains(&sink.queued()), "{}", sink.queued());
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        target.read_to_end(&mut all).map(|_| all.len())
    });
    until(&mut reactor, || slot.get().is_some());
    assert_eq!(slot.get(), Some(Ok(2_000_000)));
    assert_eq!(reader.join().unwrap().unwrap(), 2_000_000);
    writer.join().unwrap().unwrap();
}

#[test]
fn a_sink_whose_reader_is_gone_is_an_error() {
    let mut reactor = Reactor::new().unwrap();
    let (read, write) = io::pipe().unwrap();
    let (target, end) = io::pipe().unwrap();
    let source = KernelSource::open(&reactor, read);
    let moved = to_fd(&reactor, &source, end);
    drop(target);
    until(&mut reactor, || moved.get().is_some());
    assert_eq!(moved.get(), Some(Err((0, ErrorKind::BrokenPipe))));
    assert_eq!(source.ended.get(), Some(false));
    drop(write);
}

#[test]
fn a_descriptor_takes_only_one_forward() {
    let reactor = Reactor::new().unwrap();
    let (read, _write) = io::pipe().unwrap();
    let (_target, end) = io::pipe().unwrap();
    let sink = <dyn SinkPort>::of_fd(&reactor, kernel::nonblocking(end)).unwrap();
    let source = KernelSource::open(&reactor, read);
    Forward::start(&reactor, source.clone(), sink.clone(), |_, _| {}).unwrap();
    let refused = Forward::start(&reactor, source, sink.clone(), |_, _| {});
    refused.unwrap_err();
    assert!(sink.key().is_some());
}

#[test]
fn a_stop_of_the_loop_is_an_error_with_the_count() {
    let mut reactor = Reactor::new().unwrap();
    let (read, mut write) = io::pipe().unwrap();
    let (target, end) = io::pipe().unwrap();
    let source = KernelSource::open(&reactor, read);
    let moved = to_fd(&reactor, &source, end);
    write.write_all(b"some").unwrap();
    until(&mut reactor, || kernel::is_filled(&target, 4));
    let forward = source.forward();
    forward.cut_off();
    forward.source_closed();
    assert_eq!(moved.get(), Some(Err((4, ErrorKind::ConnectionAborted))));
}

/// A dropped reactor drops the callback, uncalled, and every port.
#[test]
fn a_dropped_reactor_drops_the_callback_uncalled() {
    let reactor = Reactor::new().unwrap();
    let (read, _write) = io::pipe().unwrap();
    let (mut target, end) = io::pipe().unwrap();
    let source = KernelSource::open(&reactor, read);
    let moved = to_fd(&reactor, &source, end);
    drop(reactor);
    drop(source);
    assert_eq!((moved.get(), Rc::strong_count(&moved)), (None, 1));
    assert_eq!(target.read(&mut [0]).unwrap(), 0, "the sink is closed");
}

/// A regular file is always ready, so the forward waits for no event.
#[test]
fn a_file_never_blocks() {
    let mut reactor = Reactor::new().unwrap();
    let (read, mut write) = io::pipe().unwrap();
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
    let source = KernelSource::open(&reactor, read);
    let moved = to_fd(&reactor, &source, null);
    write.write_all(&[0; 1000]).unwrap();
    drop(write);
    until(&mut reactor, || moved.get().is_some());
    assert_eq!(moved.get(), Some(Ok(1000)));
}

//! Forwarding between pipes, sockets and files, against the kernel.

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
use outcome::{Slot, outcome};
use procession_reactor::Reactor;
use procession_reactor::driver::{Forward, SinkPort};
use until::until;

/// The copies at which a source is left alone.
const HIGH_BYTES: usize = 256 << 10;

/// Begins to move what `source` gives to a descriptor.
fn to_fd(reactor: &Reactor, source: &Rc<KernelSource>, fd: impl Into<OwnedFd>) -> Rc<Slot> {
    let slot = Rc::new(Slot::default());
    let put = slot.clone();
    let sink = <dyn SinkPort>::of_fd(reactor, fd.into()).expect("it can be opened");
    Forward::start(reactor, source.clone(), sink, move |moved, result| {
        put.set(Some(outcome(moved, result)))
    })
    .expect("nothing else feeds it");
    slot
}

#[test]
fn either_side_that_would_block_is_waited_for() {
    let mut reactor = Reactor::new().unwrap();
    let (read, mut write) = io::pipe().unwrap();
    let (mut target, end) = io::pipe().unwrap();
    let source = KernelSource::open(&reactor, read);
    let moved = to_fd(&reactor, &source, end);
    // The source has nothing, then something.
    reactor.turn(Some(Duration::ZERO)).unwrap();
    write.write_all(b"first").unwrap();
    let mut first = [0; 5];
    until(&mut reactor, || kernel::is_filled(&target, 5));
    target.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"first");
    // The sink is full, with both pipes' 64 KiB on their way.
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

/// So many bytes and no more, where somebody holds the pipe still; else all that is in it.
#[test]
fn what_is_drained_ends_with_what_it_held_or_with_its_writers() {
    for held in [true, false] {
        let reactor = Reactor::new().unwrap();
        let (read, mut write) = io::pipe().unwrap();
        let (mut target, end) = io::pipe().unwrap();
        let source = KernelSource::open(&reactor, read);
        let moved = to_fd(&reactor, &source, end);
        write.write_all(&[b'x'; 100]).unwrap();
        let writer = held.then_some(write);
        source.told().drain(60);
        let wanted = if held { 60 } else { 100 };
        assert_eq!(moved.get(), Some(Ok(wanted)));
        assert_eq!((source.ended.get(), source.read_to_end.get()), (Some(false), !held));
        let mut text = Vec::new();
        target.read_to_end(&mut text).unwrap();
        assert_eq!(u64::try_from(text.len()).unwrap(), wanted);
        drop(writer);
    }
}

/// What a drained source holds waits for a sink that is full.
#[test]
fn what_is_drained_waits_for_room() {
    let mut reactor = Reactor::new().unwrap();
    let (read, mut write) = io::pipe().unwrap();
    let (mut target, mut end) = io::pipe().unwrap();
    kernel::fill(&mut end);
    let source = KernelSource::open(&reactor, read);
    let moved = to_fd(&reactor, &source, end);
    write.write_all(b"held").unwrap();
    source.told().drain(4);
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

/// A connection that was reset says so once, to whichever call comes first: of a source it is the
/// end, and of a sink a failure.
#[test]
fn a_reset_belongs_to_the_side_that_has_it() {
    let mut reactor = Reactor::new().unwrap();
    // A peer that leaves something unread resets its socket.
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

    // A source for which that is no end says so.
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

/// From a socket to a socket nothing can be spliced: copies wait in memory, and not many of them.
#[test]
fn copies_to_a_slow_descriptor_are_bounded() {
    let mut reactor = Reactor::new().unwrap();
    let (here, mut there) = UnixStream::pair().unwrap();
    let (end, mut target) = UnixStream::pair().unwrap();
    let source = KernelSource::open(&reactor, here);
    let slot = Rc::new(Slot::default());
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
fn a_descriptor_whose_reader_is_gone_is_lost() {
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
fn a_descriptor_feeds_on_one_forwarding() {
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
fn a_stop_of_the_loop_is_an_error_that_counts() {
    let mut reactor = Reactor::new().unwrap();
    let (read, mut write) = io::pipe().unwrap();
    let (target, end) = io::pipe().unwrap();
    let source = KernelSource::open(&reactor, read);
    let moved = to_fd(&reactor, &source, end);
    write.write_all(b"some").unwrap();
    until(&mut reactor, || kernel::is_filled(&target, 4));
    let forward = source.told();
    forward.cut_off();
    forward.source_closed();
    assert_eq!(moved.get(), Some(Err((4, ErrorKind::ConnectionAborted))));
}

/// A reactor that goes away drops who waits, uncalled, and every port.
#[test]
fn a_reactor_that_is_dropped_calls_nobody() {
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

/// A regular file is always ready, so that no event of it is waited for.
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

//! Descriptor numbers, codes, sizes and times at their extremes, for the pure cores and the fakes: they
//! are ignored or answered as documented, and only calls that document a panic panic.

use std::time::Duration;

use bytes::Bytes;
use procession_core::{Mark, Signal, WriteError};
use procession_protocol::driver::{
    ConnectionLifecycle, ConnectionSlot, DataNow, GroupState, Lifecycle, ProtocolSlot,
    TerminationOutcome, TerminationScope, TerminationStep, Terminator,
};
use procession_protocol::{
    ChildFd, Event, FakeConnection, FakeFd, FakeProcess, LineReceiver, Pace, ProcessProtocol,
    ProcessTerminated, Producer, Protocol, ResourceUsage, StreamAdapter, Target, Termination,
    Termios, Transport, WindowSize,
};

const NUMBERS: [i32; 5] = [i32::MIN, -1, 0, 99, i32::MAX];

struct Quiet;
impl ProcessProtocol for Quiet {}

#[test]
fn every_status_is_a_reason() {
    for number in NUMBERS {
        let reason = Lifecycle::exit_reason(number, None);
        assert_eq!(reason.is_ok(), number == 0);
        let text = reason.map_or_else(|ended| ended.to_string(), |done| done.to_string());
        assert!(!text.is_empty());
        let exited = ProcessTerminated::exited(number);
        assert_eq!(exited.exit_code(), Some(number & 0xff));
        let signalled = ProcessTerminated::signalled(Signal::from_raw(number));
        assert!(!signalled.to_string().is_empty());
        assert_eq!(ChildFd::from(number).as_raw(), number);
    }
    let usage = ResourceUsage::new(Duration::MAX, Duration::ZERO, Some(u64::MAX));
    assert_eq!(usage.peak_rss_bytes(), Some(u64::MAX));
    let lost = Lifecycle::with_held_fds(Err(ProcessTerminated::lost()), vec![ChildFd::from(-1); 3]);
    assert_eq!(lost.unwrap_err().held_fds().len(), 3);
    for after in [Duration::ZERO, Duration::MAX] {
        let ended = Termination::new(Err(ProcessTerminated::lost()), true, after);
        assert!(!ended.to_string().is_empty());
    }
}

#[test]
fn a_lifecycle_ignores_numbers_that_are_not_pipes() {
    let fds = NUMBERS.map(ChildFd::from);
    let mut child = Lifecycle::new(fds.into_iter().chain(fds), Some(Duration::MAX));
    assert_eq!(child.open_fds().count(), NUMBERS.len());
    assert_eq!(child.poll_event(), Some(Event::Made));
    let unknown = ChildFd::from(1234);
    assert_eq!(child.on_data(unknown, Bytes::from_static(b"x")).as_deref(), Some(&b"x"[..]));
    assert_eq!(child.on_data(fds[0], Bytes::new()).as_deref(), Some(&b""[..]));
    let refused = |data: &'static [u8]| DataNow::Refused(Bytes::from_static(data));
    assert_eq!(child.on_data_now(unknown, Bytes::from_static(b"x")), refused(b"x"));
    assert_eq!(child.on_data_now(fds[0], Bytes::new()), refused(b""));
    child.on_mark(unknown, Mark::Full);
    child.on_read_closed(unknown);
    child.on_pipe_closed(unknown);
    child.on_paused(unknown);
    child.on_resumed(unknown);
    child.on_not_held(unknown);
    assert!(!child.is_open(unknown) && !child.accepts(unknown));
    assert_eq!(child.poll_event(), None);
    child.set_drain_after_exit(Some(Duration::MAX));
    child.on_reaped(Err(ProcessTerminated::lost()), Duration::MAX);
    assert_eq!(child.poll_deadline(), Some(Duration::MAX));
    child.on_time(Duration::ZERO);
    assert_eq!(child.poll_drain(), None);
    child.on_time(Duration::MAX);
    assert_eq!(std::iter::from_fn(|| child.poll_drain()).count(), NUMBERS.len());
}

#[test]
fn line_limits_of_zero_and_of_the_maximum_work() {
    let mut lines = LineReceiver::new().max_length(0);
    lines.on_data(Bytes::from_static(b"\na\n"));
    lines.on_data(Bytes::new());
    for is_cut in [false, true] {
        let line = lines.poll().unwrap();
        assert_eq!((line.len(), line.is_cut()), (0, is_cut));
    }
    assert_eq!(lines.poll(), None);
    let mut lines = LineReceiver::with_delimiter("\0\0").max_length(usize::MAX);
    lines.on_data(Bytes::from(vec![b'x'; 100_000]));
    lines.set_line_mode(Bytes::new());
    lines.on_end();
    lines.on_end();
    assert_eq!(lines.poll().unwrap(), &[b'x'; 100_000]);
    lines.on_data(Bytes::from_static(b"late"));
    assert_eq!(lines.poll(), None);
}

#[test]
#[should_panic(expected = "an empty delimiter ends no line")]
fn an_empty_delimiter_panics_as_documented() {
    drop(LineReceiver::with_delimiter(""));
}

#[test]
fn a_fake_ignores_descriptors_that_it_does_not_have() {
    let mut fake = FakeProcess::with_fds(Quiet, [(-1, FakeFd::ToChild), (7, FakeFd::FromChild)]);
    let process = fake.process().clone();
    fake.set_group_members(usize::MAX);
    fake.set_group_members(0);
    for fd in [i32::MIN, 0, 99, i32::MAX] {
        assert_eq!(process.write_to_child(fd, "x"), Err(WriteError::UnknownFd));
        assert_eq!(process.set_write_limits(fd, 0, usize::MAX), Err(WriteError::UnknownFd));
        assert_eq!(process.set_write_hard_limit(fd, Some(0)), Err(WriteError::UnknownFd));
        assert_eq!(process.write_limits(fd), None);
        assert_eq!((process.write_buffered(fd), process.pipe_size(fd)), (0, None));
        assert!(process.with_fd(fd, |_| ()).is_none());
        assert!(!process.unregister_producer(fd));
        process.close_child_fd(fd);
        process.shutdown_write(fd);
        process.abort_connection(fd);
        process.pause(fd);
        process.resume(fd);
        let forward = process.forward(fd, Target::child(&process, fd));
        assert!(matches!(forward.try_take(), Some(Err(_))));
        assert!(fake.written(fd).is_empty());
    }
    process.write_sequence(Vec::<&'static str>::new());
    process.write_copy(&[]);
    assert!(process.resize(0, u16::MAX).is_err());
    assert!(process.set_termios(&Termios::default()).is_err());
    for number in NUMBERS {
        let sent = process.signal(Signal::from_raw(number));
        assert_eq!(sent.is_ok(), (0..=64).contains(&number), "{number}");
    }
    for fd in [i32::MIN, 0, 99, i32::MAX] {
        fake.child_writes(fd, "x");
        fake.child_closes(fd);
        fake.child_shuts_down(fd);
        fake.hold_writes(fd);
        fake.child_reads(fd, usize::MAX);
        fake.release_writes(fd);
        assert!(fake.is_closed(fd));
    }
    fake.child_reads(-1, usize::MAX);
    fake.child_reads(-1, usize::MAX);
    fake.child_writes(7, "");
    fake.set_drain_after_exit(Some(Duration::MAX));
    let ended = process.terminate(Signal::TERM, Duration::MAX);
    fake.exit(i32::MAX);
    assert!(fake.is_ended());
    drop(ended);
    let mut fake = FakeProcess::new(Quiet);
    fake.exit_by_signal(Signal::from_raw(-1));
    assert!(fake.is_ended());
}

/// A producer that does nothing.
struct Idle;
impl Producer for Idle {
    fn resume(&mut self, _: &Transport) {}
}

#[test]
fn producers_of_unknown_descriptors_are_refused() {
    let fake = FakeProcess::new(Quiet);
    let process = fake.process();
    for fd in [i32::MIN, -1, 1, 99, i32::MAX] {
        assert!(process.register_producer(fd, Pace::Pull, Idle).is_err());
        assert!(!process.unregister_producer(fd));
        assert!(process.transport(fd).try_write("x").is_err());
        assert!(process.transport(fd).register_producer(Pace::Push, Idle).is_err());
    }
    let slot = ProtocolSlot::new(Box::new(Quiet));
    for number in NUMBERS {
        assert!(slot.try_stop_producer(ChildFd::from(number)).is_ok());
        assert!(slot.try_deliver_data(process, ChildFd::from(number), Bytes::new()).is_ok());
    }
}

struct Stream;
impl Protocol for Stream {}

#[test]
fn a_fake_connection_takes_sizes_of_any_magnitude() {
    let mut fake = FakeConnection::new(Stream);
    let transport = fake.transport().clone();
    transport.write_sequence(Vec::<&'static str>::new());
    transport.write_copy(&[]);
    transport.set_write_limits(0, usize::MAX).unwrap();
    fake.peer_reads(usize::MAX); // it is not full
    fake.hold_writes();
    fake.peer_reads(0);
    fake.peer_reads(usize::MAX);
    fake.peer_reads(usize::MAX);
    fake.peer_writes("");
    transport.write("x");
    assert_eq!(fake.written(), "x");
    let slot = ConnectionSlot::new(Box::new(Stream));
    assert!(slot.try_deliver_data(&transport, Bytes::new()).is_ok());
    let mut connection = ConnectionLifecycle::of_pair();
    let refused = DataNow::Refused(Bytes::new());
    assert_eq!(connection.on_data_now(Bytes::new()), refused);
    assert_eq!(connection.on_data(Bytes::new()), Some(Bytes::new()));
}

#[test]
fn kept_error_output_may_be_limited_to_any_size() {
    for most in [0, usize::MAX] {
        let (adapter, kept) = StreamAdapter::new(Stream).keep_stderr(most);
        let mut fake = FakeProcess::new(adapter);
        fake.child_writes(2, "err");
        fake.exit(0);
        assert_eq!(kept.bytes(), if most == 0 { "" } else { "err" });
    }
    let size = WindowSize::new(0, u16::MAX).with_pixels(u16::MAX, 0);
    assert_eq!((size.rows, size.columns), (0, u16::MAX));
}

/// An endless grace has no deadline, and a clock that goes back does not cause a KILL.
#[test]
fn terminations_take_any_time_and_any_signal() {
    for number in NUMBERS {
        let mut terminator = Terminator::new(TerminationScope::Group);
        terminator.on_group(GroupState::Empty, Duration::MAX);
        let signal = Signal::from_raw(number);
        terminator.on_terminate(signal, Duration::MAX, Duration::MAX);
        assert_eq!(terminator.poll_step(), Some(TerminationStep::Signal(signal)));
        assert_eq!(terminator.poll_step(), Some(TerminationStep::Continue));
        terminator.on_time(Duration::ZERO);
        assert_eq!(terminator.poll_step(), None);
        assert_eq!(terminator.poll_deadline(), Some(Duration::MAX));
        terminator.on_reaped(Duration::ZERO);
        terminator.on_group(GroupState::Empty, Duration::ZERO);
        let (is_gone, after) = (true, Duration::ZERO);
        let ended = TerminationOutcome::Ended { escalated: false, is_gone, after };
        assert_eq!(terminator.poll_outcome(), Some(ended));
    }
}

//! Errors of operations on a running child, and of its end.

use std::error::Error;
use std::fs::File;
use std::io;
use std::time::Duration;

use procession::ChildError;
use procession::Failed;
use procession::{
    Child, ChildFd, Command, FakeProcess, Fd, Process, ProcessProtocol, ProcessTerminated, Reactor,
    Signal, SignalError, SpawnProcess, TakeError, WriteError,
};
use procession::{FrameError, FrameReceiver, Framing};
use procession::{Pace, Producer, Target, Transport, UnknownEnd};

use crate::{Row, row};

struct Quiet;

impl ProcessProtocol for Quiet {}

struct Nothing;

impl Producer for Nothing {
    fn resume(&mut self, _: &Transport) {}
}

pub(crate) fn rows() -> Vec<Row> {
    let mut reactor = Reactor::new().expect("a reactor");
    let cat = || Command::new("cat").kill_on_drop(true);
    let process = reactor.spawn_process(Quiet, cat()).expect("it starts");
    let mut rows = forwardings(&reactor, &process);
    rows.extend(producers(&process));
    rows.extend(writes(&mut reactor, &process));
    rows.extend(signals(&process));
    rows.extend(taken());
    rows.extend(ends());
    rows.extend(dialogues(&mut reactor));
    rows.extend(frames());
    let child = reactor.spawn_process(Quiet, cat()).expect("it starts");
    let mut dialogue = reactor.spawn_child(cat()).expect("it starts");
    let spawned = cat().spawn().expect("it starts");
    let (handle, pid) = (reactor.handle(), spawned.pid());
    drop(reactor);
    let gone = child.write_to_child(0, "x").expect_err("it fails");
    rows.push(row("WriteError::ReactorGone", &gone, "the reactor is gone"));
    let gone = child.signal(Signal::TERM).expect_err("it fails");
    let text = "cannot send the signal: the reactor is gone";
    rows.push(row("SignalError::ReactorGone", &gone, text));
    let mut other = Reactor::new().expect("a second one");
    let gone = other.block_on(dialogue.wait_failed());
    let text = r#"cannot wait for "cat": the reactor is gone"#;
    rows.push(row("ChildError::ReactorGone", &gone, text));
    let refused = handle.adopt(Quiet, spawned).map(drop).expect_err("it fails");
    let text = format!("the reactor cannot take process {pid}: the reactor is gone");
    rows.push(row("AdoptError", &refused, text));
    let mut spawned = refused.into_spawned();
    spawned.terminate(Signal::KILL, Duration::ZERO).expect("it is there");
    rows
}

trait WaitFailed {
    async fn wait_failed(&mut self) -> ChildError;
}

impl WaitFailed for Child {
    async fn wait_failed(&mut self) -> ChildError {
        self.ended().await.map(drop).expect_err("it fails")
    }
}

fn writes(reactor: &mut Reactor, process: &Process) -> Vec<Row> {
    let full = || {
        process.set_write_hard_limit(0, Some(1)).expect("it is open");
        process.write_to_child(0, "xx")
    };
    let rows = [
        ("WriteError::NotWritable", process.write_to_child(1, "x"), READ_ONLY),
        ("WriteError::UnknownFd", process.write_to_child(9, "x"), UNKNOWN),
        ("WriteError::BufferFull", full(), "the write queue of the descriptor is full"),
    ];
    process.close_stdin();
    while process.write_to_child(0, "").is_ok() {
        reactor.turn(None).expect("a turn");
    }
    let closed = process.write_to_child(0, "x");
    let closed = [("WriteError::Closed", closed, "the descriptor is closed for writing")];
    let rows = rows.into_iter().chain(closed);
    let rows =
        rows.map(|(of, written, text)| row(of, &written.expect_err("it fails"), text)).collect();
    while process.pid().is_some() {
        reactor.turn(None).expect("a turn");
    }
    rows
}

const READ_ONLY: &str = "the descriptor is only read by the parent";
const UNKNOWN: &str = "the parent has no descriptor of this number";

fn signals(ended: &Process) -> Vec<Row> {
    let signal = |error: SignalError, of, why: &str| {
        row(of, &error, format!("cannot send the signal: {why}"))
    };
    let spawned = Command::new("cat").spawn().expect("it starts");
    let unknown = spawned.signal(Signal::from_raw(200)).expect_err("it fails");
    let alone = spawned.signal_group(Signal::TERM).expect_err("it fails");
    spawned.output().expect("it ends");
    vec![
        signal(
            ended.signal(Signal::TERM).expect_err("it fails"),
            "SignalError::ProcessExitedAlready",
            "the process has exited already",
        ),
        signal(alone, "SignalError::NoGroup", "the process leads no group of its own"),
        signal(unknown, "SignalError::Os", "Invalid argument"),
    ]
}

fn producers(process: &Process) -> Vec<Row> {
    let refused = |fd: i32, process: &Process| {
        process.register_producer(fd, Pace::Push, Nothing).expect_err("it fails")
    };
    let output = refused(1, process);
    process.register_producer(0, Pace::Push, Nothing).expect("it is open");
    let second = refused(0, process);
    assert!(process.unregister_producer(0));
    let text = |fd, why| format!("no producer was registered for child fd {fd}: {why}");
    let (has_one, unsupported) = ("it has one", "the transport knows no producers");
    // Every transport of this library has producers.
    let kind = procession::ProducerErrorKind::Unsupported;
    vec![
        row("ProducerError", &second, text(0, has_one)),
        row("ProducerError", &output, text(1, READ_ONLY)),
        row("ProducerErrorKind::AlreadyRegistered", &second.reason(), has_one),
        row("ProducerErrorKind::Write", &output.reason(), READ_ONLY),
        row("ProducerErrorKind::Unsupported", &kind, unsupported),
    ]
}

/// Forwardings that fail at once.
fn forwardings(reactor: &Reactor, process: &Process) -> Vec<Row> {
    let null = || Target::fd(File::open("/dev/null").expect("it is there"));
    let extra = Command::new("cat").child_fd(5, Fd::from_child()).kill_on_drop(true);
    let other = reactor.spawn_process(Quiet, extra).expect("it starts");
    let fake = FakeProcess::new(Quiet);
    let foreign = "the target is not an input of a child, or a connection, of a reactor";
    let _moving = process.forward(2, Target::child(&other, 0));
    other.close_child_fd(5);
    let tries = [
        (process.forward(9, null()), "child fd 9", "the parent has no end of it"),
        (process.forward(0, null()), "child fd 0", "the parent only writes it"),
        (process.forward(2, null()), "child fd 2", "it is forwarded already"),
        (other.forward(5, null()), "child fd 5", "it is closed"),
        (process.forward(1, Target::child(fake.process(), 0)), "child fd 1", foreign),
    ];
    let rows = tries.into_iter().map(|(moved, what, why)| {
        let error = moved.try_take().expect("at once").expect_err("it fails");
        row("ForwardError", &error, format!("forwarding of {what} ended after 0 bytes: {why}"))
    });
    let rows = rows.collect();
    other.signal(Signal::KILL).expect("it runs");
    rows
}

fn taken() -> Vec<Row> {
    let mut spawned = Command::new("true").spawn().expect("it starts");
    drop(spawned.take(1).expect("an output"));
    let twice = spawned.take(1).expect_err("it fails");
    let unknown = spawned.take(7).expect_err("it fails");
    assert!(spawned.wait().expect("it ends").is_ok());
    // fcntl(2) does not fail for a descriptor that is open.
    let refused = TakeError::Os(ChildFd::STDIN, io::Error::from_raw_os_error(9));
    let other = TakeError::Direction(ChildFd::from(5));
    let text = |fd, why| format!("cannot hand out child fd {fd}: {why}");
    vec![
        row("TakeError::Taken", &twice, text(1, "it was taken or closed before")),
        row("TakeError::Unknown", &unknown, text(7, "the parent has no end of it")),
        // Only a loop asks for one direction; `tokio/tests/children.rs` provokes this.
        row("TakeError::Direction", &other, text(5, "the parent's end has the other direction")),
        row("TakeError::Os", &refused, text(0, "Bad file descriptor")),
    ]
}

fn ends() -> Vec<Row> {
    let sh = |script| Command::new("sh").args(["-c", script]).spawn().expect("it starts");
    let exited = sh("exit 3").wait().expect("it ends").expect_err("it fails");
    let killed = sh("kill -9 $$").wait().expect("it ends").expect_err("it fails");
    // `unknown_end` of the transport's tests provokes each of them.
    let unknown = [
        ("UnknownEnd::Taken", UnknownEnd::Taken, "somebody else waited for it"),
        (
            "UnknownEnd::SigchldIgnored",
            UnknownEnd::SigchldIgnored,
            "SIGCHLD is ignored in this program",
        ),
        (
            "UnknownEnd::WaitRefused",
            UnknownEnd::WaitRefused(1),
            "the system refuses to wait for it: Operation not permitted",
        ),
        ("UnknownEnd::NotReaped", UnknownEnd::NotReaped, "it was not reaped by then"),
    ];
    let unknown = unknown.map(|(of, why, says)| {
        let ended = ProcessTerminated::unknown(why);
        row(of, &ended, format!("ended with an unknown status: {says}"))
    });
    let mut rows = vec![
        row("ProcessTerminated", &exited, "exited with status 3"),
        row("ProcessTerminated", &killed, "ended by signal 9 (SIGKILL)"),
    ];
    rows.extend(unknown);
    rows
}

fn dialogues(reactor: &mut Reactor) -> Vec<Row> {
    let handle = reactor.handle();
    let spawn: ChildError =
        handle.spawn_child(Command::new("/no/such")).map(drop).expect_err("it fails").into();
    let write = reactor.block_on(async {
        let mut child = handle.spawn_child(Command::new("true"))?;
        child.close_stdin();
        child.wait().await?;
        child.write("x").await
    });
    let ended = reactor.block_on(async {
        let script = Command::new("sh").args(["-c", "echo no such key >&2; exit 2"]);
        handle.spawn_child(script)?.ended().await.map(drop)
    });
    vec![
        row("ChildError::Spawn", &spawn, r#"cannot execute "/no/such": No such file or directory"#),
        row(
            "ChildError::Write",
            &write.expect_err("it fails"),
            r#"cannot write to "true": the descriptor is closed for writing"#,
        ),
        row(
            "ChildError::Terminated",
            &ended.expect_err("it fails"),
            r#""sh" exited with status 2: no such key"#,
        ),
    ]
}

/// An error that holds an I/O error converts to one with the same kind and number.
#[test]
fn a_conversion_to_an_io_error_keeps_kind_and_number() {
    let spawn = Command::new("/no/such").spawn().map(drop).expect_err("it fails");
    assert_eq!(spawn.io_error().raw_os_error(), Some(libc::ENOENT));
    let errors: [(io::Error, i32); 3] = [
        (spawn.into(), libc::ENOENT),
        (SignalError::Os(io::Error::from_raw_os_error(1)).into(), libc::EPERM),
        (TakeError::Os(ChildFd::STDIN, io::Error::from_raw_os_error(9)).into(), libc::EBADF),
    ];
    for (error, number) in errors {
        assert_eq!(error.raw_os_error(), Some(number));
    }
    let refused = Command::new("x").env("", "y").spawn().map(drop).expect_err("it fails");
    let text = refused.to_string();
    let kept = io::Error::from(refused);
    assert_eq!((kept.kind(), kept.to_string()), (io::ErrorKind::InvalidInput, text));
    let failed: Failed<WriteError> = Failed::Error(WriteError::Closed);
    assert_eq!(io::Error::from(failed).kind(), io::ErrorKind::BrokenPipe);
    assert!(Error::source(&kept).is_none());
}

fn frames() -> Vec<Row> {
    let read = |framing, stream: &'static str| {
        let mut frames = FrameReceiver::new(framing).max_length(9);
        frames.on_data(stream.into());
        frames.on_end();
        frames.poll().expect("an error").expect_err("it fails")
    };
    let long = Framing::U8.frame([0; 256]).expect_err("it is too long");
    let expected: [(FrameError, &str); 4] = [
        (
            read(Framing::Netstring, "10:"),
            "cannot read netstrings: a frame has 10 bytes, and at most 9 are allowed",
        ),
        (
            read(Framing::ContentLength, "Length: 1\r\n\r\n"),
            "cannot read frames with a Content-Length header: a frame has a malformed head or end",
        ),
        (
            read(Framing::U16Be, "\0"),
            "cannot read frames with a length of two bytes: the stream ended inside a frame",
        ),
        (
            long,
            "cannot write frames with a length of one byte: a frame has 256 bytes, and at most 255 are \
             allowed",
        ),
    ];
    expected.iter().map(|(error, text)| row("FrameError", error, *text)).collect()
}

//! Standard input and output as a connection, on files, pipes and sockets.

use std::cell::RefCell;
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Seek, Write, pipe};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bytes::Bytes;
use procession_core::Deferred;
use procession_protocol::{ForwardError, Target, Transport};
use procession_reactor::Reactor;

use super::*;

/// What an [`Echo`] received.
#[derive(Default)]
struct EchoRecord {
    text: String,
    read_closed: bool,
    lost: Option<io::Result<()>>,
}

/// Sends everything back, and closes at the end.
#[derive(Clone, Default)]
struct Echo(Rc<RefCell<EchoRecord>>);

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: Bytes) {
        self.0.borrow_mut().text.push_str(std::str::from_utf8(&data).unwrap());
        transport.write(data);
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.0.borrow_mut().read_closed = true;
        transport.lose_connection();
    }

    fn connection_lost(&mut self, _: &Transport, reason: io::Result<()>) {
        self.0.borrow_mut().lost = Some(reason);
    }
}

fn start(reactor: &Reactor, input: impl AsFd, output: impl AsFd) -> (Echo, Transport) {
    let echo = Echo::default();
    let stream = over(reactor, input.as_fd(), output.as_fd(), Box::new(echo.clone())).unwrap();
    stream.made();
    (echo, stream.transport())
}

fn until_lost(reactor: &mut Reactor, echo: &Echo) -> io::Result<()> {
    for _ in 0..1000 {
        if let Some(reason) = echo.0.borrow_mut().lost.take() {
            return reason;
        }
        reactor.turn(Some(Duration::from_millis(10))).unwrap();
    }
    panic!("it was not lost within 10 s");
}

fn is_nonblocking(fd: impl AsFd) -> bool {
    fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
}

fn pipes() -> ((PipeReader, PipeWriter), (PipeReader, PipeWriter)) {
    (pipe().unwrap(), pipe().unwrap())
}

#[test]
fn an_echo_over_pipes_leaves_them_blocking() {
    let mut reactor = Reactor::new().unwrap();
    let ((input, mut far_input), (mut far_output, output)) = pipes();
    let (echo, _) = start(&reactor, &input, &output);
    assert!(!is_nonblocking(&input) && !is_nonblocking(&output));
    far_input.write_all(b"over pipes").unwrap();
    drop(far_input);
    until_lost(&mut reactor, &echo).unwrap();
    assert!(echo.0.borrow().read_closed);
    drop(output);
    let mut text = String::new();
    far_output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "over pipes");
}

#[test]
fn a_shared_socket_is_blocking_again_at_the_end() {
    let mut reactor = Reactor::new().unwrap();
    let (socket, mut far) = UnixStream::pair().unwrap();
    let (echo, _) = start(&reactor, &socket, &socket);
    far.write_all(b"inetd").unwrap();
    far.shutdown(Shutdown::Write).unwrap();
    until_lost(&mut reactor, &echo).unwrap();
    assert!(!is_nonblocking(&socket));
    drop(socket);
    let mut text = String::new();
    far.read_to_string(&mut text).unwrap();
    assert_eq!(text, "inetd");
}

#[test]
fn a_file_is_read_from_where_it_stands_and_appended_to() {
    let mut reactor = Reactor::new().unwrap();
    let mut input = tempfile::tempfile().unwrap();
    let text = "0123456789".repeat(100_000);
    input.write_all(text.as_bytes()).unwrap();
    input.seek(io::SeekFrom::Start(10)).unwrap();
    let mut output = tempfile::tempfile().unwrap();
    output.write_all(b"before ").unwrap();
    let (echo, _) = start(&reactor, &input, &output);
    assert_eq!(echo.0.borrow().text, "", "the loop reads");
    until_lost(&mut reactor, &echo).unwrap();
    output.rewind().unwrap();
    let mut written = String::new();
    output.read_to_string(&mut written).unwrap();
    assert!(written.strip_prefix("before ") == Some(&text[10..]));
}

#[test]
fn dev_null_ends_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let (echo, _) = start(&reactor, &null, &null);
    assert!(echo.0.borrow().lost.is_none());
    until_lost(&mut reactor, &echo).unwrap();
    assert!(echo.0.borrow().read_closed);
}

#[test]
fn a_paused_file_is_read_when_it_is_resumed() {
    let mut reactor = Reactor::new().unwrap();
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(b"later").unwrap();
    input.rewind().unwrap();
    let (echo, transport) = start(&reactor, &input, tempfile::tempfile().unwrap());
    transport.pause();
    for _ in 0..5 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(echo.0.borrow().text, "");
    transport.resume();
    until_lost(&mut reactor, &echo).unwrap();
    assert_eq!(echo.0.borrow().text, "later");
}

fn until_moved(reactor: &mut Reactor, moved: Deferred<u64, ForwardError>) -> u64 {
    let slot = Rc::new(RefCell::new(None));
    let put = Rc::clone(&slot);
    moved.done(move |moved| *put.borrow_mut() = Some(moved.unwrap()));
    for _ in 0..1000 {
        if let Some(moved) = slot.take() {
            return moved;
        }
        reactor.turn(Some(Duration::from_millis(10))).unwrap();
    }
    panic!("it was not moved within 10 s");
}

/// No event reports that a file can be read or written. The file is longer than one turn's budget.
#[test]
fn a_file_is_moved_to_a_file() {
    let mut reactor = Reactor::new().unwrap();
    let (mut input, mut output) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    let text = "0123456789".repeat(1_000_000);
    input.write_all(text.as_bytes()).unwrap();
    input.rewind().unwrap();
    let (echo, transport) = start(&reactor, &input, &output);
    let moved = transport.forward(Target::connection(&transport));
    assert_eq!(until_moved(&mut reactor, moved), 10_000_000);
    until_lost(&mut reactor, &echo).unwrap();
    assert_eq!(echo.0.borrow().text, "");
    output.rewind().unwrap();
    let mut written = String::new();
    output.read_to_string(&mut written).unwrap();
    assert!(written == text);
}

#[test]
fn a_paused_file_is_moved_when_it_is_resumed() {
    let mut reactor = Reactor::new().unwrap();
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(b"later").unwrap();
    input.rewind().unwrap();
    let (echo, transport) = start(&reactor, &input, tempfile::tempfile().unwrap());
    transport.pause();
    let (mut there, end) = pipe().unwrap();
    let moved = transport.forward(Target::fd(end));
    for _ in 0..5 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(rustix::io::ioctl_fionread(&there).unwrap(), 0);
    transport.resume();
    assert_eq!(until_moved(&mut reactor, moved), 5);
    until_lost(&mut reactor, &echo).unwrap();
    let mut text = String::new();
    there.read_to_string(&mut text).unwrap();
    assert_eq!(text, "later");
}

#[test]
fn pipes_are_moved_in_both_ways() {
    let mut reactor = Reactor::new().unwrap();
    let ((input, mut far_input), (mut far_output, output)) = pipes();
    let (echo, transport) = start(&reactor, &input, &output);
    drop((input, output));
    let moved = transport.forward(Target::connection(&transport));
    far_input.write_all(b"over pipes").unwrap();
    drop(far_input);
    assert_eq!(until_moved(&mut reactor, moved), 10);
    until_lost(&mut reactor, &echo).unwrap();
    let mut text = String::new();
    far_output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "over pipes");
}

#[test]
fn a_reader_that_goes_away_is_the_end() {
    let mut reactor = Reactor::new().unwrap();
    let ((input, _far_input), (far_output, output)) = pipes();
    let (echo, transport) = start(&reactor, &input, &output);
    drop(far_output);
    let lost = until_lost(&mut reactor, &echo).unwrap_err();
    assert_eq!(lost.kind(), io::ErrorKind::BrokenPipe);
    assert!(!echo.0.borrow().read_closed);
    assert!(transport.into_fd().is_err());
}

#[test]
fn after_the_end_of_the_output_the_input_goes_on() {
    let mut reactor = Reactor::new().unwrap();
    let ((input, mut far_input), (mut far_output, output)) = pipes();
    let (echo, transport) = start(&reactor, &input, &output);
    drop(output);
    transport.write("done");
    transport.shutdown_write();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    let mut text = String::new();
    far_output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "done");
    far_input.write_all(b"more").unwrap();
    drop(far_input);
    until_lost(&mut reactor, &echo).unwrap();
    assert_eq!(echo.0.borrow().text, "more");
}

#[test]
fn a_directory_is_refused_and_no_callback_is_called() {
    let reactor = Reactor::new().unwrap();
    let directory = File::open(std::env::temp_dir()).unwrap();
    let (socket, _far) = UnixStream::pair().unwrap();
    let (input, output) = (directory.as_fd(), socket.as_fd());
    for (input, output) in [(input, output), (output, input)] {
        let echo = Echo::default();
        let opened = over(&reactor, input, output, Box::new(echo.clone()));
        assert_eq!(opened.err().unwrap().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(Rc::strong_count(&echo.0), 1, "the protocol is dropped");
    }
    assert!(!is_nonblocking(&socket));
}

#[test]
fn a_stop_writes_what_is_queued_and_leaves_a_socket_blocking() {
    let mut reactor = Reactor::new().unwrap().without_signals();
    let (socket, mut far) = UnixStream::pair().unwrap();
    let (echo, transport) = start(&reactor, &socket, &socket);
    transport.write("bye");
    reactor.call_soon(|reactor| reactor.stop());
    reactor.run().unwrap();
    let lost = echo.0.borrow_mut().lost.take().unwrap().unwrap_err();
    assert_eq!(lost.kind(), io::ErrorKind::ConnectionAborted);
    assert_eq!(lost.to_string(), "the event loop stopped");
    assert!(!is_nonblocking(&socket));
    drop(socket);
    let mut text = String::new();
    far.read_to_string(&mut text).unwrap();
    assert_eq!(text, "bye");
}

#[test]
fn only_connection_made_is_called_before_the_loop_runs() {
    struct Aborts(Echo);

    impl Protocol for Aborts {
        fn connection_made(&mut self, transport: &Transport) {
            transport.abort_connection();
        }

        fn connection_lost(&mut self, transport: &Transport, reason: io::Result<()>) {
            self.0.connection_lost(transport, reason);
        }
    }

    let mut reactor = Reactor::new().unwrap();
    let ((input, _far_input), (_far_output, output)) = pipes();
    let echo = Echo::default();
    let protocol = Box::new(Aborts(echo.clone()));
    over(&reactor, input.as_fd(), output.as_fd(), protocol).unwrap().made();
    assert!(echo.0.borrow().lost.is_none());
    let lost = until_lost(&mut reactor, &echo).unwrap_err();
    assert_eq!(lost.kind(), io::ErrorKind::ConnectionAborted);
}

/// Returns a FIFO that was opened for reading, and its path. Its writer has written `text` and is
/// gone.
fn left_fifo(dir: &tempfile::TempDir, text: &str) -> (File, std::path::PathBuf) {
    use std::os::unix::fs::OpenOptionsExt;
    let path = dir.path().join("fifo");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, mode, 0).unwrap();
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let input = File::options().read(true).custom_flags(flags).open(&path).unwrap();
    ioctl_fionbio(&input, false).unwrap();
    File::options().write(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
    (input, path)
}

/// Like `(echo a > fifo) & prog < fifo`: reads what the writer wrote, and then sees its end.
#[test]
fn a_fifo_whose_writer_went_before_ends() {
    let dir = tempfile::tempdir().unwrap();
    for (index, text) in ["", "a", &"long".repeat(10_000)].into_iter().enumerate() {
        let mut reactor = Reactor::new().unwrap();
        let dir = tempfile::tempdir_in(&dir).unwrap();
        let (input, _path) = left_fifo(&dir, text);
        let (echo, _) = start(&reactor, &input, tempfile::tempfile().unwrap());
        until_lost(&mut reactor, &echo).unwrap();
        assert!(echo.0.borrow().text == text && echo.0.borrow().read_closed, "{index}");
        assert!(!is_nonblocking(&input), "it is as it was");
    }
}

/// A writer that is still there, or that comes before the start, is read to its end.
#[test]
fn a_fifo_whose_writer_goes_later_ends_then() {
    let mut reactor = Reactor::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (input, path) = left_fifo(&dir, "first ");
    let mut next = File::options().write(true).open(&path).unwrap();
    let (echo, _) = start(&reactor, &input, tempfile::tempfile().unwrap());
    assert!(!is_nonblocking(&input), "it has a description of its own");
    for _ in 0..5 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert!(!echo.0.borrow().read_closed, "somebody writes");
    next.write_all(b"second").unwrap();
    drop(next);
    until_lost(&mut reactor, &echo).unwrap();
    assert_eq!(echo.0.borrow().text, "first second");
}

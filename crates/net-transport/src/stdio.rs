//! The program's own standard input and output as a stream.
//!
//! `O_NONBLOCK` belongs to a description, which others may share: the shell that started the
//! program, and its own `println!`. So pipes and terminals are opened once more where the system
//! can do that; else the flag is set, and taken back at the end.

use std::io::{self, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use procession_protocol::{Address, Protocol};
use procession_reactor::Handle;
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::io::{Errno, ioctl_fionbio};

use crate::stream::{Ends, Stream};

/// A stream over standard input and output; calls nobody yet.
pub(crate) fn open(reactor: &Handle, protocol: Box<dyn Protocol>) -> io::Result<Rc<Stream>> {
    over(reactor, stdin().as_fd(), stdout().as_fd(), protocol)
}

fn over(
    reactor: &Handle,
    input: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
    protocol: Box<dyn Protocol>,
) -> io::Result<Rc<Stream>> {
    let mut restore = Restore(Vec::new());
    let input = restore.nonblocking(input, OFlags::RDONLY)?;
    let output = restore.nonblocking(output, OFlags::WRONLY)?;
    let restore = std::mem::take(&mut restore.0);
    let ends = Ends::Pair { input, output, restore };
    Stream::open(reactor, ends, Address::Other, Address::Other, protocol)
}

/// What was made nonblocking and is blocking again when this is dropped.
struct Restore(Vec<OwnedFd>);

impl Restore {
    /// A nonblocking descriptor for what `fd` refers to.
    fn nonblocking(&mut self, fd: BorrowedFd<'_>, access: OFlags) -> io::Result<OwnedFd> {
        let stat = fstat(fd)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            return Err(Errno::ISDIR.into());
        }
        let copy = fd.try_clone_to_owned()?;
        if kind == FileType::RegularFile {
            return Ok(copy); // never blocks, and has an offset that is to be shared
        }
        if may_reopen(&stat)
            && let Some(own) = reopen(fd, access)
        {
            return Ok(own);
        }
        if !fcntl_getfl(fd)?.contains(OFlags::NONBLOCK) {
            let kept = fd.try_clone_to_owned()?;
            ioctl_fionbio(&copy, true)?;
            self.0.push(kept);
        }
        Ok(copy)
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        for fd in &self.0 {
            // It was changed by the same call, which succeeded.
            ioctl_fionbio(fd, false).ok();
        }
    }
}

/// Tells whether opening it once more gives the same thing: pipes, and terminals but for the
/// masters, of which each opening makes a new one.
#[cfg(target_os = "linux")]
fn may_reopen(stat: &rustix::fs::Stat) -> bool {
    const CONSOLES: u32 = 4;
    const FIRST_PTY: u32 = 136;
    const LAST_PTY: u32 = 143;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo => true,
        FileType::CharacterDevice => {
            matches!(rustix::fs::major(stat.st_rdev), CONSOLES | FIRST_PTY..=LAST_PTY)
        }
        _ => false,
    }
}

#[cfg(not(target_os = "linux"))]
fn may_reopen(_: &rustix::fs::Stat) -> bool {
    false
}

/// `None` where it may not be opened: another user's, or a pipe that nobody reads.
fn reopen(fd: BorrowedFd<'_>, access: OFlags) -> Option<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    rustix::fs::open(path, flags, rustix::fs::Mode::empty()).ok()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::fs::File;
    use std::io::{PipeReader, PipeWriter, Read, Seek, Write, pipe};
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use bytes::Bytes;
    use procession_protocol::Transport;
    use procession_reactor::Reactor;

    use super::*;

    /// What an [`Echo`] heard.
    #[derive(Default)]
    struct Heard {
        text: String,
        read_closed: bool,
        lost: Option<io::Result<()>>,
    }

    /// Sends everything back, and closes at the end.
    #[derive(Clone, Default)]
    struct Echo(Rc<RefCell<Heard>>);

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
    fn a_directory_is_refused_and_nobody_is_called() {
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
}

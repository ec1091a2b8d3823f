//! Tests of the example `reactor_only`: timers, a Unix socket and signals.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use procession_reactor::{Handle, Interest, Reactor, Signal};
use rustix::process::{Pid, kill_process};
use tempfile::TempDir;

/// The server is killed after this time, so that no read of a test waits forever.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running server, on its own socket.
struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    path: PathBuf,
    _dir: TempDir,
}

impl Server {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("socket");
        let mut command = Command::new(env!("CARGO_BIN_EXE_reactor_only"));
        let mut child = command.arg(&path).stdout(Stdio::piped()).spawn().expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut server = Self { child, output, path, _dir: dir };
        assert_eq!(server.line(), format!("listening on {}", server.path.display()));
        server
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }

    fn client(&self) -> UnixStream {
        let client = UnixStream::connect(&self.path).expect("it listens");
        client.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        client
    }

    fn signal(&self, signal: Signal) {
        let signal =
            rustix::process::Signal::from_named_raw(signal.as_raw()).expect("it has a name");
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If the server has ended, there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn echo(client: &mut UnixStream, text: &str) {
    client.write_all(text.as_bytes()).expect("it listens");
    let mut read = vec![0; text.len()];
    client.read_exact(&mut read).expect("an echo");
    assert_eq!(read, text.as_bytes());
}

#[test]
fn without_a_path_it_reads_each_tick_and_stops() {
    let output = Command::new(env!("CARGO_BIN_EXE_reactor_only")).output().unwrap();
    let wanted = "read hello 1\nread hello 2\nread hello 3\nstopped\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), wanted);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn clients_come_and_go_and_a_signal_counts_them() {
    let mut server = Server::start();
    let (mut one, mut two) = (server.client(), server.client());
    echo(&mut one, "one");
    echo(&mut two, "two");
    server.signal(Signal::HUP);
    assert_eq!(server.line(), "2 connections");
    drop(one);
    // A program that another test starts has a copy of the first client's socket until its exec, so the
    // server may see the end of that client a little later.
    loop {
        echo(&mut two, "more");
        server.signal(Signal::HUP);
        match server.line().as_str() {
            "1 connections" => return,
            still => assert_eq!(still, "2 connections"),
        }
    }
}

#[test]
fn a_connection_that_is_silent_is_closed_and_one_that_speaks_is_not() {
    let mut server = Server::start();
    let (mut silent, speaking) = (server.client(), Rc::new(RefCell::new(server.client())));
    // This test's loop makes one client send regularly, until the other is closed.
    let mut reactor = Reactor::new().unwrap();
    speak(&reactor, Rc::clone(&speaking));
    silent.set_nonblocking(true).unwrap();
    reactor
        .register(silent.try_clone().unwrap(), Interest::READABLE, |silent, _| {
            silent.reactor().stop();
            silent.close();
        })
        .unwrap();
    reactor.call_later(DEADLINE, |_| panic!("it is not closed"));
    reactor.run().unwrap();
    silent.set_nonblocking(false).unwrap();
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(server.line(), "closed a silent connection");
    echo(&mut speaking.borrow_mut(), "still here");
    assert!(reactor.now() >= Duration::from_millis(900), "{:?}", reactor.now());
}

fn speak(reactor: &Handle, client: Rc<RefCell<UnixStream>>) {
    echo(&mut client.borrow_mut(), "again");
    reactor.call_later(Duration::from_millis(100), move |reactor| speak(reactor, client));
}

#[test]
fn sigterm_stops_it_and_the_socket_is_removed() {
    let mut server = Server::start();
    server.signal(Signal::TERM);
    assert_eq!(server.line(), "stopped by SIGTERM");
    assert_eq!(server.child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
    assert!(!server.path.exists());
}

#[test]
fn a_path_that_is_taken_is_an_error() {
    let server = Server::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_reactor_only"));
    let second = command.arg(&server.path).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(server.path.exists(), "the first one's socket stays");
}

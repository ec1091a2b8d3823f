//! An example that serves until it is stopped, seen from outside: the lines that it prints, and its
//! reaction to signals. Every wait has a deadline, and dropping the server kills it.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use procession_test_support::{announce, sys};
use rustix::process::{Pid, Signal, kill_process};

use super::{DEADLINE, bound, program};

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Server {
    /// Starts an example, without input.
    pub(crate) fn start(name: &str, args: &[&str]) -> Self {
        announce();
        // It would inherit that these are ignored, as they are in the background of a shell.
        for signal in [Signal::HUP, Signal::INT, Signal::QUIT] {
            sys::default_action(signal.as_raw());
        }
        let mut command = Command::new(program(name));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the example can be started");
        let lines = lines(child.stdout.take().expect("a pipe"));
        let errors = lines_of_errors(&mut child);
        Self { child, lines, errors }
    }

    /// Returns the next line that it prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(bound(DEADLINE)).expect("it prints a line before the deadline")
    }

    /// Returns the next line on its standard error.
    pub(crate) fn error(&self) -> String {
        self.errors.recv_timeout(bound(DEADLINE)).expect("it complains before the deadline")
    }

    /// Returns the next line that matches, and skips those before it.
    pub(crate) fn line_like(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.line();
            if is_wanted(&line) {
                return line;
            }
        }
    }

    /// Returns the next lines until each of these has come.
    pub(crate) fn lines_until(&self, wanted: &[&str]) -> Vec<String> {
        let mut lines = Vec::new();
        while !wanted.iter().all(|wanted| lines.iter().any(|line| line == wanted)) {
            lines.push(self.line());
        }
        lines
    }

    /// Returns the port that it prints.
    pub(crate) fn port(&self) -> u16 {
        let line = self.line();
        let port = line.strip_prefix("listening on port ").and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| panic!("no port in {line:?}"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits for its end. Returns the signal that ended it, and the unread lines.
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<String>) {
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(bound(DEADLINE)) {
                Ok(line) => rest.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end: {rest:?}"),
            }
        }
        (self.child.wait().expect("it is ours").signal(), rest)
    }

    /// Closes its standard output, and waits for its end. Returns its first line of errors, and how it
    /// ended.
    pub(crate) fn without_reader(mut self) -> (String, ExitStatus) {
        // The thread that reads ends with the receiver, at the next line.
        drop(std::mem::replace(&mut self.lines, mpsc::channel().1));
        let error = self.error();
        (error, self.child.wait().expect("it is ours"))
    }

    /// Stops it, and waits for its end, which must be by that signal. Returns the unread lines.
    pub(crate) fn stop(self) -> Vec<String> {
        self.signal(Signal::TERM);
        let (signal, lines) = self.end();
        assert_eq!(signal, Some(Signal::TERM.as_raw()), "{lines:?}");
        lines
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `end` there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn lines_of_errors(child: &mut Child) -> Receiver<String> {
    lines(child.stderr.take().expect("a pipe"))
}

/// Reads lines on a separate thread, so that a wait for one can have a deadline.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // When the test is over, nobody receives this.
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Returns a client of a server on this machine. It waits for nothing longer than the deadline.
pub(crate) fn client(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(bound(DEADLINE / 4))).expect("a deadline");
    stream
}

/// Polls until the condition holds.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    // Nobody sends: the receive is a pause.
    let (_sender, pause) = mpsc::channel::<()>();
    let mut left = bound(DEADLINE);
    while !is_so() {
        let step = Duration::from_millis(10);
        left = left.checked_sub(step).unwrap_or_else(|| panic!("not before the deadline: {what}"));
        pause.recv_timeout(step).ok();
    }
}

/// Returns whether a process runs; a zombie does not.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    // The name is in parentheses, and may contain some itself.
    stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

/// Creates an executable for `sh`.
///
/// A child writes it. If this process opened it, a child of another test could inherit the
/// descriptor, and exec would fail because the file is busy.
pub(crate) fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    let write = r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1""#;
    let status = Command::new("sh").args(["-c", write, "sh"]).arg(&path).arg(text).status();
    assert!(status.expect("there is a shell").success(), "{} is not written", path.display());
    path
}

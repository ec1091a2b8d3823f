//! An example that serves until it is told to stop, seen from outside: what it prints, line by
//! line, and what a signal does to it. Every wait has a deadline, and dropping it kills it.

use super::{DEADLINE, bound, program};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Server {
    /// Starts an example, without input.
    pub(crate) fn start(name: &str, args: &[&str]) -> Self {
        procession_test_support::announce();
        let mut command = Command::new(program(name));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the example can be started");
        let lines = lines(child.stdout.take().expect("a pipe"));
        let errors = lines_of_errors(&mut child);
        Self { child, lines, errors }
    }

    /// The next line that it prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(bound(DEADLINE)).expect("it prints a line before the deadline")
    }

    /// The next line on its standard error.
    pub(crate) fn error(&self) -> String {
        self.errors.recv_timeout(bound(DEADLINE)).expect("it complains before the deadline")
    }

    /// The next line like this; those before it are passed over.
    pub(crate) fn line_like(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.line();
            if is_wanted(&line) {
                return line;
            }
        }
    }

    /// The port that it says it listens on.
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

    /// Waits for its end: the signal that it died by, and the lines that were not taken.
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

    /// Tells it to stop, and waits for its end, which is that signal's: the lines that were not taken.
    pub(crate) fn stop(self) -> Vec<String> {
        self.signal(Signal::TERM);
        let (signal, lines) = self.end();
        assert_eq!(signal, Some(Signal::TERM.as_raw()), "{lines:?}");
        lines
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `end` there is nothing left to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn lines_of_errors(child: &mut Child) -> Receiver<String> {
    lines(child.stderr.take().expect("a pipe"))
}

/// Reads lines in a thread of its own, so that waiting for one can have a deadline.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Nobody listens any more when the test is over.
            sender.send(line).ok();
        }
    });
    receiver
}

/// A client of a server on this machine, which waits for nothing longer than the deadline.
pub(crate) fn client(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(bound(DEADLINE / 4))).expect("a deadline");
    stream
}

/// Looks again and again until it is so.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    // Nobody sends: it is a pause.
    let (_sender, pause) = mpsc::channel::<()>();
    let mut left = bound(DEADLINE);
    while !is_so() {
        let step = Duration::from_millis(10);
        left = left.checked_sub(step).unwrap_or_else(|| panic!("not before the deadline: {what}"));
        pause.recv_timeout(step).ok();
    }
}

/// Whether a process runs: a zombie does not.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    // The name stands in parentheses and may contain some.
    stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

/// An executable for `sh`.
///
/// A child writes it: a descriptor of ours could be in another test's child, and keep it busy.
pub(crate) fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    let write = r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1""#;
    let status = Command::new("sh").args(["-c", write, "sh"]).arg(&path).arg(text).status();
    assert!(status.expect("there is a shell").success(), "{} is not written", path.display());
    path
}

//! The thread of a connection: it starts `ssh`, waits until the keeper is ready, sends beats and orders,
//! and ends the connection.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Spawned};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendFlags, send};

use super::shared::SharedLink;
use super::texts::{self, Names};

/// How long a closed connection may take to end by itself.
const CLOSING: Duration = Duration::from_millis(1500);
/// The grace of what is killed because a connection is gone, in tenths of seconds.
const GRACE_TENTHS: u64 = 20;
/// How much of what `ssh` complains about is kept.
const MOST_REASON_BYTES: usize = 4096;

/// On Apple's systems a socket has this as an option.
#[cfg(target_vendor = "apple")]
const WITHOUT_SIGNAL: SendFlags = SendFlags::empty();
#[cfg(not(target_vendor = "apple"))]
const WITHOUT_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// A connection that begins.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) link: Arc<SharedLink>,
    pub(crate) number: u64,
    pub(crate) names: Names,
    pub(crate) wakes: Arc<PipeReader>,
}

/// Makes a connection, and keeps it until it ends or is closed.
pub(crate) fn drive(connection: Connection) {
    let reason = match Master::start(&connection) {
        Ok(mut master) => {
            let why = master.keep(&connection);
            let reason = master.reason(why);
            connection.link.on_down(connection.number, reason);
            master.end();
            return;
        }
        Err(error) => error.to_string(),
    };
    connection.link.on_down(connection.number, reason);
}

/// The `ssh` that has the connection.
struct Master {
    child: Spawned,
    /// A socket, because a write to it raises no signal.
    stdin: Option<UnixStream>,
    stdout: File,
    stderr: File,
    said: Vec<u8>,
    complaints: Vec<u8>,
    /// Complaints are read no more.
    is_deaf: bool,
    is_up: bool,
}

impl Master {
    fn start(connection: &Connection) -> io::Result<Self> {
        let Connection { link, names, .. } = connection;
        let keeper = texts::keeper(names, link.words.beat_secs(), GRACE_TENTHS);
        let mut words = link.words.master(names);
        words.push(OsString::from(keeper));
        // The thread stays until it has ended the child. Without a session of its own, `ssh` could ask
        // on the terminal.
        let command = Command::new(&link.words.program).args(words).owned(true).session_if_owned();
        let command = command.die_with_thread_by_default().stdin(Fd::socketpair());
        // The message names the program, which the conversion of an error of the system would leave out.
        let mut child = command.spawn().map_err(|error| io::Error::new(error.kind(), error))?;
        let mut take = |fd: i32| child.take(fd).map_err(io::Error::from);
        Ok(Self {
            stdin: Some(take(0)?.into()),
            stdout: take(1)?.into(),
            stderr: take(2)?.into(),
            child,
            said: Vec::new(),
            complaints: Vec::new(),
            is_deaf: false,
            is_up: false,
        })
    }

    /// Returns when the connection is to be closed, or is gone.
    fn keep(&mut self, connection: &Connection) -> &'static str {
        let link = &connection.link;
        let begun = now();
        loop {
            let wait = match self.is_up {
                true => link.beat(),
                false => link.words.connect_timeout.saturating_sub(now() - begun),
            };
            if wait.is_zero() {
                return "it was not ready in time";
            }
            // A beat with each order does not matter.
            if self.is_up && self.order(&link.take_beat()).is_err() {
                return "the connection was lost";
            }
            let Ok([out, err, woken]) = self.wait(&connection.wakes, wait) else {
                return "the connection cannot be watched";
            };
            if woken {
                let mut bytes = [0; 64];
                // What matters is that it was woken.
                rustix::io::read(&*connection.wakes, &mut bytes).ok();
                let Some(orders) = link.take_orders() else { return "it was closed" };
                for order in orders {
                    self.order(&order).ok(); // a lost connection is seen by its end
                }
            }
            if err {
                self.read_complaints();
            }
            if out && !self.read_output(connection) {
                return if self.is_up { "the connection was lost" } else { "the login has ended" };
            }
        }
    }

    /// Reads what the keeper says. Returns whether there may be more.
    fn read_output(&mut self, connection: &Connection) -> bool {
        if !read_some(&mut self.stdout, &mut self.said) {
            return false;
        }
        let ready = format!("ready {}\n", connection.names.nonce);
        // A login shell may have said something before.
        let is_ready = self.said.windows(ready.len()).any(|said| said == ready.as_bytes());
        if is_ready && !self.is_up {
            self.is_up = true;
            connection.link.on_up(connection.number, &connection.names);
        }
        if self.is_up {
            self.said.clear();
        }
        true
    }

    fn wait(&self, wakes: &PipeReader, within: Duration) -> io::Result<[bool; 3]> {
        let fds = [self.stdout.as_fd(), self.stderr.as_fd(), wakes.as_fd()];
        // At its end, a pipe is always ready: only the output's end is of interest.
        let count = if self.is_deaf { [0, 2].to_vec() } else { [0, 1, 2].to_vec() };
        let mut polled: Vec<_> =
            count.iter().map(|at| PollFd::from_borrowed_fd(fds[*at], PollFlags::IN)).collect();
        // A limit that is too long for the clock is no limit.
        let within = Timespec::try_from(within).ok();
        rustix::io::retry_on_intr(|| poll(&mut polled, within.as_ref()))?;
        let mut ready = [false; 3];
        for (at, fd) in count.iter().zip(&polled) {
            ready[*at] = !fd.revents().is_empty();
        }
        Ok(ready)
    }

    fn read_complaints(&mut self) {
        let goes_on = read_some(&mut self.stderr, &mut self.complaints);
        self.is_deaf = !goes_on || self.complaints.len() >= MOST_REASON_BYTES;
    }

    fn order(&self, order: &str) -> io::Result<()> {
        let stdin = self.stdin.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut rest = order.as_bytes();
        while !rest.is_empty() {
            let sent = rustix::io::retry_on_intr(|| send(stdin, rest, WITHOUT_SIGNAL))?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    /// Returns why the connection is gone, in the last words of `ssh` or of the login.
    fn reason(&mut self, why: &str) -> String {
        while !self.is_deaf && self.has_complaint() {
            self.read_complaints();
        }
        let last = last_line(&self.complaints).or_else(|| last_line(&self.said));
        last.unwrap_or_else(|| why.to_owned())
    }

    fn has_complaint(&self) -> bool {
        let mut polled = [PollFd::new(&self.stderr, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// Closes the keeper's input, which ends it and the connection; then ends `ssh`.
    fn end(mut self) {
        self.stdin = None;
        let is_over = self.is_up && matches!(self.child.wait_timeout(CLOSING), Ok(Some(_)));
        if !is_over {
            self.child.terminate(Signal::TERM, CLOSING).ok(); // it may have ended meanwhile
        }
        self.child.wait().ok(); // the connection is closed in any case
    }
}

fn last_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    Some(line.chars().filter(|c| !c.is_control()).collect())
}

#[expect(clippy::disallowed_methods, reason = "the thread of a connection has no loop")]
fn now() -> Instant {
    Instant::now()
}

/// Reads once. Returns whether there may be more.
fn read_some(from: &mut File, to: &mut Vec<u8>) -> bool {
    let mut bytes = [0; 4096];
    match from.read(&mut bytes) {
        Ok(0) => false,
        Ok(length) => {
            to.extend_from_slice(&bytes[..length]);
            true
        }
        Err(error) => error.kind() == io::ErrorKind::Interrupted,
    }
}

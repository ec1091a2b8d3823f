//! [`Ready`]: the ways in which a program shows that it is ready.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use procession_protocol::ChildFd;

use crate::OutputLine;

/// How a program shows that it is ready.
///
/// A [`Monitor`](crate::Monitor) takes one in its [`Policy`](crate::Policy::ready_when), and
/// [`start`](Self::start) starts a program with it and no monitor.
///
/// # What each way costs
///
/// [`line`](Self::line) looks at each line that the program writes until it is ready.
/// [`tcp`](Self::tcp), [`unix`](Self::unix) and [`file`](Self::file) try again and again: after 5, 10, 20,
/// … ms, at most 250 ms apart. Each attempt at a port or a socket is a connection that the program has to
/// accept and that ends at once. [`fd`](Self::fd) is one more pipe. [`notify`](Self::notify) is one socket,
/// which stays open while the program runs.
///
/// # What was there before
///
/// A port or a socket that somebody accepts on before the program has started would show the wrong
/// program as ready. Therefore it is tried once before the start, and the start fails with
/// [`ReadyError::AlreadyReady`](crate::ReadyError::AlreadyReady); a monitor tries again later. A file
/// that is already there does not count until it changes, because a program that crashed leaves its file
/// behind.
#[derive(Clone)]
pub struct Ready(pub(super) Way);

/// The longest path of a Unix socket (`unix(7)`).
const MOST_SOCKET_PATH_BYTES: usize = 107;

#[derive(Clone)]
pub(super) enum Way {
    Line(Arc<str>),
    LineWhere(Arc<dyn Fn(&OutputLine) -> bool + Send + Sync>),
    /// One of them accepts.
    Tcp(Vec<SocketAddr>),
    Unix(PathBuf),
    File(PathBuf),
    Fd(ChildFd),
    Notify,
}

impl Ready {
    /// A line of either output contains this text.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Reactor, Ready};
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let server = Command::new("sh").args(["-c", "echo listening on 80 >&2; sleep 60"]);
    /// let server = Ready::line("listening on").start(server, Duration::from_secs(5));
    /// let server = reactor.block_on(server)?;
    /// assert_eq!(server.output(), "listening on 80\n");
    /// // Its drop ends the program.
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn line(text: impl AsRef<str>) -> Self {
        Self(Way::Line(text.as_ref().into()))
    }

    /// `matches` returns true for a line of either output.
    pub fn line_where(matches: impl Fn(&OutputLine) -> bool + Send + Sync + 'static) -> Self {
        Self(Way::LineWhere(Arc::new(matches)))
    }

    /// A TCP port of this machine accepts connections, on 127.0.0.1 or `::1`.
    pub fn tcp(port: u16) -> Self {
        let here = [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
        Self(Way::Tcp(here.to_vec()))
    }

    /// This address accepts TCP connections.
    pub fn tcp_at(address: impl Into<SocketAddr>) -> Self {
        Self(Way::Tcp(vec![address.into()]))
    }

    /// A Unix stream socket accepts connections at this path.
    pub fn unix(path: impl AsRef<Path>) -> Self {
        Self(Way::Unix(path.as_ref().to_owned()))
    }

    /// A file appears at this path, or the one that was there before the start changes.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self(Way::File(path.as_ref().to_owned()))
    }

    /// The program writes a line feed to this descriptor, a pipe, as s6 expects it.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Reactor, Ready};
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let server = Command::new("sh").args(["-c", "echo >&3; exec 3>&-; sleep 60"]);
    /// let server = reactor.block_on(Ready::fd(3).start(server, Duration::from_secs(5)))?;
    /// assert!(server.process().pid().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fd(number: impl Into<ChildFd>) -> Self {
        Self(Way::Fd(number.into()))
    }

    /// The program sends `READY=1` to the socket that the variable `NOTIFY_SOCKET` names, as
    /// `sd_notify(3)` does.
    ///
    /// Messages count only from the process that was started, not from its children (systemd's
    /// `NotifyAccess=main`): the kernel says who has sent one. `STATUS=` is shown in a monitor's table, and
    /// descriptors that come with a message are closed, which is what `BARRIER=1` waits for.
    ///
    /// # Platform
    ///
    /// Linux. Elsewhere a start fails with [`ReadyError::Watch`](crate::ReadyError::Watch).
    pub fn notify() -> Self {
        Self(Way::Notify)
    }

    /// Returns why this can never come about, if that is known.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let is_path =
            |path: &Path| !path.as_os_str().is_empty() && !path.as_os_str().as_bytes().contains(&0);
        match &self.0 {
            Way::Line(text) if text.contains('\n') => {
                Some("it waits for a line with a line feed inside")
            }
            Way::Tcp(addresses) if addresses.iter().any(|address| address.port() == 0) => {
                Some("it waits for port 0, on which nothing accepts")
            }
            Way::Unix(path)
                if !is_path(path) || path.as_os_str().len() > MOST_SOCKET_PATH_BYTES =>
            {
                Some(
                    "it waits for a socket whose path is empty, longer than 107 bytes, or has a NUL",
                )
            }
            Way::File(path) if !is_path(path) => {
                Some("it waits for a file whose path is empty or has a NUL")
            }
            Way::Fd(fd) if fd.as_raw() < 3 => Some(
                "it waits for a line feed on a descriptor below 3, which has the program's input or output",
            ),
            _ => None,
        }
    }

    /// Returns whether both are the same. Closures are the same only as clones of one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Way::Line(one), Way::Line(two)) => one == two,
            (Way::LineWhere(one), Way::LineWhere(two)) => Arc::ptr_eq(one, two),
            (Way::Tcp(one), Way::Tcp(two)) => one == two,
            (Way::Unix(one), Way::Unix(two)) | (Way::File(one), Way::File(two)) => one == two,
            (Way::Fd(one), Way::Fd(two)) => one == two,
            (Way::Notify, Way::Notify) => true,
            _ => false,
        }
    }
}

/// Writes what is waited for, as in "port 80 accepts a connection".
impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Way::Line(text) => write!(f, "a line contains {text:?}"),
            Way::LineWhere(_) => f.write_str("a line matches"),
            Way::Tcp(addresses) => match addresses.as_slice() {
                [address] => write!(f, "{address} accepts a connection"),
                [address, ..] => write!(f, "port {} accepts a connection", address.port()),
                [] => f.write_str("no address accepts a connection"),
            },
            Way::Unix(path) => write!(f, "{path:?} accepts a connection"),
            Way::File(path) => write!(f, "the file {path:?} appears"),
            Way::Fd(fd) => write!(f, "a line feed comes on descriptor {fd}"),
            Way::Notify => f.write_str("READY=1 comes on NOTIFY_SOCKET"),
        }
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ready({self})")
    }
}

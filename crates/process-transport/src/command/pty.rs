//! A pseudo-terminal as the child's terminal.

use crate::terminal_pair;
use procession_protocol::{Termios, WindowSize};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// The terminal of a child: its 0, 1 and 2.
///
/// Size and termios are set before the program runs, so that its first look at them is right.
///
/// A new terminal is in canonical mode: the child reads whole lines, and **a line that is longer than
/// 4,095 bytes is cut there**: the kernel discards the rest up to the line feed, without a report. Long
/// lines need raw or non-canonical mode
/// ([`Termios::set_canonical`](procession_protocol::Termios::set_canonical)), or a pipe instead of a
/// terminal. What the child writes has no such limit.
///
/// # Examples
///
/// ```
/// use procession::{Command, Pty};
///
/// let shell = Command::new("bash").pty(Pty::new().size(24, 80)).env("TERM", "xterm-256color");
/// # drop(shell);
/// ```
///
/// # References
///
/// [termios(3)](https://man7.org/linux/man-pages/man3/termios.3.html), "Canonical and noncanonical mode".
#[derive(Debug, Clone)]
#[must_use = "a terminal does nothing until a command has it"]
pub struct Pty {
    pub(crate) size: Option<WindowSize>,
    pub(crate) termios: Option<Termios>,
    pub(crate) controlling: bool,
    pub(crate) pair: Option<(Arc<OwnedFd>, Arc<OwnedFd>)>,
}

impl Pty {
    /// A new pair, the child's controlling terminal, without a size (`stty size` says `0 0`). Unless
    /// [`termios`](Self::termios) says otherwise it erases characters of UTF-8 whole (`IUTF8`).
    pub fn new() -> Self {
        Self { size: None, termios: None, controlling: true, pair: None }
    }

    /// Opens a new pair now, so that its [name](Self::name) is known before there is a child.
    ///
    /// As for [`pair`](Self::pair), the terminal does not end before the last clone of this value, and
    /// of a command that has it, is dropped.
    ///
    /// # Errors
    ///
    /// What the kernel says: too many terminals or descriptors, for instance.
    #[doc(alias = "openpty")]
    pub fn open() -> io::Result<Self> {
        let (master, slave) = terminal_pair::open_pair()?;
        Ok(Self::new().pair(Arc::new(master), Arc::new(slave)))
    }

    /// Returns the path of the slave, `/dev/pts/7` for instance.
    ///
    /// # Errors
    ///
    /// `NotFound` if it is not open yet: see [`open`](Self::open). Else what the kernel says.
    #[doc(alias = "ptsname")]
    pub fn name(&self) -> io::Result<PathBuf> {
        let master = self.master().ok_or(io::ErrorKind::NotFound)?;
        terminal_pair::name(master)
    }

    /// Returns the master of a pair that is open already.
    pub fn master(&self) -> Option<&OwnedFd> {
        self.pair.as_ref().map(|(master, _)| &**master)
    }

    /// Returns the slave of a pair that is open already.
    pub fn slave(&self) -> Option<&OwnedFd> {
        self.pair.as_ref().map(|(_, slave)| &**slave)
    }

    /// Sets the window size in character cells.
    pub fn size(mut self, rows: u16, columns: u16) -> Self {
        let size = self.size.unwrap_or_default();
        let cells = WindowSize::new(rows, columns);
        self.size = Some(cells.with_pixels(size.pixel_width, size.pixel_height));
        self
    }

    /// Sets the window size in pixels, for programs that draw; 0 is unknown.
    pub fn size_pixels(mut self, width: u16, height: u16) -> Self {
        self.size = Some(self.size.unwrap_or_default().with_pixels(width, height));
        self
    }

    /// Sets the terminal's attributes.
    pub fn termios(mut self, termios: Termios) -> Self {
        self.termios = Some(termios);
        self
    }

    /// Whether the terminal becomes the child's controlling terminal; it does by default.
    ///
    /// Without, the child stays in the parent's session, and the terminal's signals (Ctrl-C, window
    /// changes) do not reach it.
    pub fn controlling(mut self, controlling: bool) -> Self {
        self.controlling = controlling;
        self
    }

    /// Uses a pair of the caller's, which a failed spawn leaves open and as it was.
    ///
    /// The master is the parent's end: it is duplicated, and set to non-blocking, which its
    /// duplicates share. Size, attributes and owner, where the command sets them, are the terminal's
    /// from before the clone on: a spawn that fails later sets them back.
    ///
    /// As long as anybody has the slave open the terminal does not end: `process_ended` waits until
    /// the last clone of this value, and of a command that has it, is dropped.
    pub fn pair(mut self, master: Arc<OwnedFd>, slave: Arc<OwnedFd>) -> Self {
        self.pair = Some((master, slave));
        self
    }
}

impl Default for Pty {
    fn default() -> Self {
        Self::new()
    }
}

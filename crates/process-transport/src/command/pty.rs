//! A pseudo-terminal as the child's terminal.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use procession_protocol::{Termios, WindowSize};

use crate::terminal_pair;

/// The terminal of a child: its descriptors 0, 1 and 2.
///
/// Window size and attributes are set before the program runs, so its first look at them is right.
///
/// **A new terminal has no size**: its rows and columns are 0, and `stty size` prints `0 0`. Programs then
/// guess, or do not draw. Set one by [`size`](Self::size), and change it while the child runs by
/// [`Process::resize`](procession_protocol::Process::resize) or
/// [`Spawned::resize`](crate::Spawned::resize).
///
/// A new terminal is in canonical mode: the child reads whole lines, and **a line longer than 4,095
/// bytes is cut there**: the kernel discards the rest up to the line feed, without a report. For
/// long lines use raw or non-canonical mode
/// ([`Termios::set_canonical`](procession_protocol::Termios::set_canonical)), or a pipe instead of
/// a terminal. Output of the child has no such limit.
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
    /// Creates a terminal that each spawn opens anew. It becomes the child's controlling terminal
    /// and has no size (`stty size` prints `0 0`). Unless [`termios`](Self::termios) says
    /// otherwise, an erase removes a whole UTF-8 character (`IUTF8`).
    pub fn new() -> Self {
        Self { size: None, termios: None, controlling: true, pair: None }
    }

    /// Opens a new pair now, so that its [name](Self::name) is known before the spawn.
    ///
    /// As with [`pair`](Self::pair), the terminal ends only after the last clone of this value, and
    /// of each command that has it, is dropped.
    ///
    /// # Errors
    ///
    /// The kernel's error: too many terminals or descriptors, for instance.
    #[doc(alias = "openpty")]
    pub fn open() -> io::Result<Self> {
        let (master, slave) = terminal_pair::open_pair()?;
        Ok(Self::new().pair(Arc::new(master), Arc::new(slave)))
    }

    /// Returns the path of the slave, for instance `/dev/pts/7`.
    ///
    /// # Errors
    ///
    /// `NotFound` if it is not open yet (see [`open`](Self::open)); else the kernel's error.
    #[doc(alias = "ptsname")]
    pub fn name(&self) -> io::Result<PathBuf> {
        let master = self.master().ok_or(io::ErrorKind::NotFound)?;
        terminal_pair::name(master)
    }

    /// Returns the master of a pair that is already open.
    pub fn master(&self) -> Option<&OwnedFd> {
        self.pair.as_ref().map(|(master, _)| &**master)
    }

    /// Returns the slave of a pair that is already open.
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

    /// Sets the window size in pixels, for programs that draw; 0 means unknown.
    pub fn size_pixels(mut self, width: u16, height: u16) -> Self {
        self.size = Some(self.size.unwrap_or_default().with_pixels(width, height));
        self
    }

    /// Sets the terminal's attributes.
    pub fn termios(mut self, termios: Termios) -> Self {
        self.termios = Some(termios);
        self
    }

    /// Sets whether the terminal becomes the child's controlling terminal; it does by default.
    ///
    /// If not, the child stays in the parent's session, and the terminal's signals (Ctrl-C, window
    /// changes) do not reach it.
    pub fn controlling(mut self, controlling: bool) -> Self {
        self.controlling = controlling;
        self
    }

    /// Uses a pair of the caller. A failed spawn leaves the pair open and as it was.
    ///
    /// The master is the parent's end. The spawn duplicates it. A loop, or a verb that reads it, sets
    /// it to non-blocking, which all duplicates share. If the command sets size, attributes or owner, the terminal has them
    /// from before the clone; a spawn that fails later restores them.
    ///
    /// The terminal does not end while its slave is open anywhere: `process_ended` waits until the
    /// last clone of this value, and of each command that has it, is dropped.
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

//! Terminals that belong to no child of this library, the program's own above all: their size and
//! settings, and raw mode that ends.

use crate::sealed::Sealed;
use crate::sys;
use procession_protocol::{Termios, WindowSize};
use rustix::termios::tcgetwinsize;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// What a terminal can be asked for: its [`Termios`] and its [`WindowSize`].
///
/// This trait is sealed: nobody else implements it.
///
/// # Examples
///
/// ```
/// use procession_process_transport::{OfTerminal, Pty};
/// use procession_protocol::{Termios, WindowSize};
///
/// let pty = Pty::open()?;
/// let slave = pty.slave().unwrap();
/// assert!(Termios::of(slave)?.echoes());
/// assert_eq!(WindowSize::of(slave)?, WindowSize::default());
/// # std::io::Result::Ok(())
/// ```
pub trait OfTerminal: Sealed + Sized {
    /// Returns what the terminal on this descriptor has.
    ///
    /// # Errors
    ///
    /// `ENOTTY` if it is no terminal; else what the kernel says.
    fn of(terminal: impl AsFd) -> io::Result<Self>;
}

impl OfTerminal for Termios {
    fn of(terminal: impl AsFd) -> io::Result<Self> {
        sys::termios(terminal.as_fd())
    }
}

impl OfTerminal for WindowSize {
    fn of(terminal: impl AsFd) -> io::Result<Self> {
        let size = tcgetwinsize(terminal)?;
        Ok(Self::new(size.ws_row, size.ws_col).with_pixels(size.ws_xpixel, size.ws_ypixel))
    }
}

/// A terminal in raw mode, the program's own for instance; dropped, it has its settings of before.
///
/// The settings belong to the terminal, not to the program: a program that is killed leaves it raw.
///
/// # Examples
///
/// ```
/// use procession_process_transport::{OfTerminal, Pty, RawMode};
/// use procession_protocol::Termios;
///
/// let pty = Pty::open()?;
/// let slave = pty.slave().unwrap();
/// let raw = RawMode::begin(slave)?;
/// assert!(!Termios::of(slave)?.echoes());
/// drop(raw);
/// assert!(Termios::of(slave)?.echoes());
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
#[must_use = "the terminal has its settings of before when this is dropped"]
pub struct RawMode {
    terminal: OwnedFd,
    before: Termios,
}

impl RawMode {
    /// Makes the terminal pass every byte through as it is, in both directions.
    ///
    /// # Errors
    ///
    /// `ENOTTY` if it is no terminal; else what the kernel says.
    #[doc(alias = "cfmakeraw")]
    pub fn begin(terminal: impl AsFd) -> io::Result<Self> {
        let terminal = terminal.as_fd().try_clone_to_owned()?;
        let before = sys::termios(terminal.as_fd())?;
        let mut raw = before.clone();
        raw.set_raw();
        sys::set_termios(terminal.as_fd(), &raw)?;
        Ok(Self { terminal, before })
    }

    /// Returns the settings of before.
    pub fn before(&self) -> &Termios {
        &self.before
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // One that has hung up has no settings to be set back.
        sys::set_termios(self.terminal.as_fd(), &self.before).ok();
    }
}

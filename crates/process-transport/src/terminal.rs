//! Terminals that belong to no child, such as the program's own: their size, their settings, and a
//! guard for raw mode.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use procession_protocol::{Termios, WindowSize};
use rustix::termios::tcgetwinsize;

use crate::sealed::SealedOfTerminal;
use crate::sys;

/// A property that can be read from a terminal: its [`Termios`] and its [`WindowSize`].
///
/// This trait is sealed: only this crate implements it.
///
/// # Examples
///
/// ```
/// use procession::{OfTerminal, Pty, Termios, WindowSize};
///
/// let pty = Pty::open()?;
/// let slave = pty.slave().unwrap();
/// assert!(Termios::of(slave)?.echoes());
/// assert_eq!(WindowSize::of(slave)?, WindowSize::default());
/// # std::io::Result::Ok(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no property of a terminal",
    label = "only `Termios` and `WindowSize` can be read from a terminal"
)]
pub trait OfTerminal: SealedOfTerminal + Sized {
    /// Returns the current value of the terminal on this descriptor.
    ///
    /// # Errors
    ///
    /// `ENOTTY` if the descriptor is no terminal; else the kernel's error.
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

/// A terminal in raw mode, for instance the program's own. Its drop restores the settings of
/// before.
///
/// The settings belong to the terminal, not to the program: if the program is killed, the terminal
/// stays raw.
///
/// # Examples
///
/// ```
/// use procession::{OfTerminal, Pty, RawMode, Termios};
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
    /// Makes the terminal pass every byte through unchanged, in both directions.
    ///
    /// # Errors
    ///
    /// `ENOTTY` if the descriptor is no terminal; else the kernel's error.
    #[doc(alias = "cfmakeraw")]
    pub fn begin(terminal: impl AsFd) -> io::Result<Self> {
        let terminal = terminal.as_fd().try_clone_to_owned()?;
        let before = sys::termios(terminal.as_fd())?;
        let mut raw = before.clone();
        raw.set_raw();
        sys::set_termios(terminal.as_fd(), &raw)?;
        Ok(Self { terminal, before })
    }

    /// Returns the settings from before raw mode.
    pub fn before(&self) -> &Termios {
        &self.before
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that has hung up has no settings to restore.
        sys::set_termios(self.terminal.as_fd(), &self.before).ok();
    }
}

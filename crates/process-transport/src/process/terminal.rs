//! A child's terminal: size, attributes, end of file, by its master.

use super::Transport;
use crate::launch::kernel_size;
use crate::sys;
use procession_protocol::{ChildFd, Termios, WindowSize};
use rustix::termios::{tcgetwinsize, tcsetwinsize};
use std::io;
use std::os::fd::BorrowedFd;

impl Transport {
    /// Lends the master; `ENOTTY` where the child has no terminal, `EIO` where it is gone.
    fn with_master<R>(&self, call: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>) -> io::Result<R> {
        let key = self.state.with(|state| {
            if !state.has_terminal {
                return Err(io::Error::from_raw_os_error(libc::ENOTTY));
            }
            let pipe = state.end(ChildFd::STDOUT).and_then(|end| end.pipe.as_ref());
            let gone = || io::Error::from_raw_os_error(libc::EIO);
            Ok(pipe.ok_or_else(gone)?.key())
        })?;
        let gone = || Err(io::Error::from_raw_os_error(libc::EIO));
        self.reactor().with_fd(key, call).unwrap_or_else(gone)
    }

    pub(super) fn set_window_size(&self, size: WindowSize) -> io::Result<()> {
        self.with_master(|master| Ok(tcsetwinsize(master, kernel_size(size))?))
    }

    pub(super) fn get_window_size(&self) -> io::Result<WindowSize> {
        let size = self.with_master(|master| Ok(tcgetwinsize(master)?))?;
        Ok(WindowSize::new(size.ws_row, size.ws_col).with_pixels(size.ws_xpixel, size.ws_ypixel))
    }

    pub(super) fn get_termios(&self) -> io::Result<Termios> {
        self.with_master(sys::termios)
    }

    pub(super) fn change_termios(&self, settings: &Termios) -> io::Result<()> {
        self.with_master(|master| sys::set_termios(master, settings))
    }

    pub(super) fn eof_char(&self) -> io::Result<u8> {
        self.with_master(sys::eof_char)
    }
}

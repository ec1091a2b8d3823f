//! Opens a pseudo-terminal for a child and sets it up before the program runs.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use procession_protocol::{Termios, WindowSize};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Gid, Uid, fchown, fstat};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};

use super::credentials::group_of_terminals;
use crate::command::{Command, Pty};
use crate::error::{SpawnError, Step};
use crate::sys;
use crate::terminal_pair::open_pair;

/// What the parent keeps of a child's terminal besides the master, which is the end of child fd 1.
///
/// The slave is kept until the child is reaped. Without it, a child that redirects its own 0 to 2
/// would leave the terminal without an open slave: the master would report its end while the child
/// lives, and a close of the master would then hang up the child.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// `None` once the child is reaped.
    pub(crate) slave: Option<Arc<OwnedFd>>,
    pub(crate) before: SavedTerminal,
}

/// The settings of a caller's terminal from before the command changed them; the drop restores
/// them.
///
/// Empty for a terminal that was made for the child.
#[derive(Debug, Default)]
pub(crate) struct SavedTerminal(Option<Box<SavedSettings>>);

#[derive(Debug)]
struct SavedSettings {
    slave: Arc<OwnedFd>,
    size: Option<Winsize>,
    termios: Option<Termios>,
    owner: Option<(Uid, Gid)>,
}

impl SavedTerminal {
    fn of(pty: &Pty, uid: Option<u32>) -> io::Result<Self> {
        let Some((_, slave)) = &pty.pair else { return Ok(Self::default()) };
        Ok(Self(Some(Box::new(SavedSettings {
            slave: slave.clone(),
            size: pty.size.map(|_| tcgetwinsize(slave)).transpose()?,
            termios: pty.termios.as_ref().map(|_| sys::termios(slave.as_fd())).transpose()?,
            owner: match uid {
                Some(_) => {
                    let status = fstat(slave)?;
                    Some((Uid::from_raw(status.st_uid), Gid::from_raw(status.st_gid)))
                }
                None => None,
            },
        }))))
    }

    /// Keeps the new settings, because the child runs.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

impl Drop for SavedTerminal {
    /// Restores the settings. What could be read and set can be restored, unless the terminal was
    /// hung up meanwhile.
    fn drop(&mut self) {
        let Some(saved) = self.0.take() else { return };
        if let Some(size) = saved.size {
            tcsetwinsize(&saved.slave, size).ok();
        }
        if let Some(termios) = &saved.termios {
            sys::set_termios(saved.slave.as_fd(), termios).ok();
        }
        if let Some((uid, gid)) = saved.owner {
            fchown(&saved.slave, Some(uid), Some(gid)).ok();
        }
    }
}

/// Opens the terminal if the command asks for one, and returns it with its master.
pub(super) fn open(
    command: &Command,
    uid: Option<u32>,
) -> Result<Option<(Terminal, OwnedFd)>, SpawnError> {
    let Some(pty) = &command.pty else { return Ok(None) };
    let failed = |error| SpawnError::new(Step::Pty, &command.program, error);
    let (master, slave) = pair(pty).map_err(|error| match pty.pair {
        Some(_) => failed(error),
        None => failed(error).with(" by /dev/ptmx"),
    })?;
    let before = SavedTerminal::of(pty, uid).map_err(failed)?;
    set_up(pty, &slave, uid).map_err(failed)?;
    Ok(Some((Terminal { slave: Some(Arc::new(slave)), before }, master)))
}

/// Returns the master and the slave.
fn pair(pty: &Pty) -> io::Result<(OwnedFd, OwnedFd)> {
    if let Some((master, slave)) = &pty.pair {
        return Ok((fcntl_dupfd_cloexec(master, 3)?, fcntl_dupfd_cloexec(slave, 3)?));
    }
    open_pair()
}

/// Waits until the line discipline has processed everything that was written to the master, with
/// its echo.
///
/// A kernel task does this processing, and it signals before it echoes: a child that Ctrl-C killed
/// may be reaped before the `^C` is echoed, and the slave must not close before that. A poll of a
/// slave that has nothing to read waits for that task (Linux, `n_tty_poll`), and for nothing else.
pub(crate) fn take_in(slave: &OwnedFd) {
    let mut polled = [PollFd::new(slave, PollFlags::IN)];
    // The result does not matter. On failure everything is as without this call.
    poll(&mut polled, Some(&Timespec::default())).ok();
}

/// Converts a size to the system's type.
pub(crate) fn kernel_size(size: WindowSize) -> Winsize {
    Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: size.pixel_width,
        ws_ypixel: size.pixel_height,
    }
}

fn set_up(pty: &Pty, slave: &OwnedFd, uid: Option<u32>) -> io::Result<()> {
    if let Some(size) = pty.size {
        tcsetwinsize(slave, kernel_size(size))?;
    }
    if let Some(termios) = &pty.termios {
        sys::set_termios(slave.as_fd(), termios)?;
    }
    if let Some(uid) = uid {
        let group = group_of_terminals().map(Gid::from_raw);
        fchown(slave, Some(Uid::from_raw(uid)), group)?;
    }
    Ok(())
}

//! Opening a pseudo-terminal for a child, with everything set before the program runs.

use super::credentials::group_of_terminals;
use crate::command::{Command, Pty};
use crate::error::{SpawnError, Step};
use crate::sys;
use crate::terminal_pair::open_pair;
use procession_protocol::{Termios, WindowSize};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Gid, Uid, fchown, fstat};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// What the parent keeps of a child's terminal beside the master, which is the end of child fd 1.
///
/// The slave is kept until the child is reaped. Closed at once, a child that redirects its own 0 to 2
/// would leave the terminal without an opener: the master would report its end while the child lives,
/// and closing it then hangs the child up.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// `None` once the child was reaped.
    pub(crate) slave: Option<Arc<OwnedFd>>,
    pub(crate) before: Before,
}

/// What a caller's terminal was like before the command changed it; dropped, it is so again.
///
/// Empty for a terminal that was made for the child.
#[derive(Debug, Default)]
pub(crate) struct Before {
    slave: Option<Arc<OwnedFd>>,
    size: Option<Winsize>,
    termios: Option<Termios>,
    owner: Option<(Uid, Gid)>,
}

impl Before {
    fn of(pty: &Pty, uid: Option<u32>) -> io::Result<Self> {
        let Some((_, slave)) = &pty.pair else { return Ok(Self::default()) };
        Ok(Self {
            slave: Some(slave.clone()),
            size: pty.size.map(|_| tcgetwinsize(slave)).transpose()?,
            termios: pty.termios.as_ref().map(|_| sys::termios(slave.as_fd())).transpose()?,
            owner: match uid {
                Some(_) => {
                    let status = fstat(slave)?;
                    Some((Uid::from_raw(status.st_uid), Gid::from_raw(status.st_gid)))
                }
                None => None,
            },
        })
    }

    /// The child runs: what was set stays.
    pub(crate) fn forget(&mut self) {
        self.slave = None;
    }
}

impl Drop for Before {
    /// What was got and set can be set back, unless the terminal was hung up meanwhile.
    fn drop(&mut self) {
        let Some(slave) = self.slave.take() else { return };
        if let Some(size) = self.size {
            tcsetwinsize(&slave, size).ok();
        }
        if let Some(termios) = &self.termios {
            sys::set_termios(slave.as_fd(), termios).ok();
        }
        if let Some((uid, gid)) = self.owner {
            fchown(&slave, Some(uid), Some(gid)).ok();
        }
    }
}

/// Opens the terminal that the command asks for, if it does; with it comes the master, which is made
/// non-blocking once the child runs: a caller's is to stay as it was where the spawn fails.
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
    let before = Before::of(pty, uid).map_err(failed)?;
    set_up(pty, &slave, uid).map_err(failed)?;
    Ok(Some((Terminal { slave: Some(Arc::new(slave)), before }, master)))
}

/// The master and the slave.
fn pair(pty: &Pty) -> io::Result<(OwnedFd, OwnedFd)> {
    if let Some((master, slave)) = &pty.pair {
        return Ok((fcntl_dupfd_cloexec(master, 3)?, fcntl_dupfd_cloexec(slave, 3)?));
    }
    open_pair()
}

/// Waits until the line discipline has taken in all that was written to the master, its echo included.
///
/// The kernel takes it in by a task of its own, which signals before it echoes: a child that Ctrl-C
/// killed may be reaped before the `^C` is on its way, and the slave must not close before. To poll a
/// slave that has nothing to read waits for that task (Linux, `n_tty_poll`); it waits for nobody else.
pub(crate) fn take_in(slave: &OwnedFd) {
    let mut polled = [PollFd::new(slave, PollFlags::IN)];
    // The answer is of no interest, and a failure leaves what it would be without.
    poll(&mut polled, Some(&Timespec::default())).ok();
}

/// A size as the system takes it.
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

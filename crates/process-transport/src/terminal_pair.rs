//! Opens pseudo-terminals: pairs of descriptors that belong to no child yet.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{grantpt, unlockpt};

use crate::sys;
use crate::sys::platform::{self, above_stdio};

/// Opens a new pair and returns its master and its slave. The line discipline knows UTF-8, so an
/// erase removes characters and not bytes.
pub(crate) fn open_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let master = above_stdio(platform::open_master()?)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let slave = above_stdio(open_slave(&master)?)?;
    let mut settings = sys::termios(slave.as_fd())?;
    settings.set_utf8(true);
    sys::set_termios(slave.as_fd(), &settings)?;
    Ok((master, slave))
}

/// Returns the path of the slave of this master.
pub(crate) fn name(master: &OwnedFd) -> io::Result<PathBuf> {
    let name = platform::slave_name(master)?;
    Ok(OsString::from_vec(name.into_bytes()).into())
}

/// Opens the slave through the master if the system can, else by its name.
fn open_slave(master: &OwnedFd) -> io::Result<OwnedFd> {
    match platform::open_slave(master) {
        Ok(slave) => Ok(slave),
        Err(_) => {
            let name = platform::slave_name(master)?;
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            Ok(rustix::fs::open(name, flags, Mode::empty())?)
        }
    }
}

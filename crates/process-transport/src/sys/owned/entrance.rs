//! How a child gets its place, and how the signals get their handler.

use std::ffi::c_int;
use std::io;
#[cfg(any(feature = "reactor", target_os = "linux"))]
use std::os::fd::BorrowedFd;

#[cfg(feature = "reactor")]
use super::hook;
#[cfg(target_os = "linux")]
use super::scope_place::{self, ScopePlace};
use super::slot::Entry;
use super::table::{self, Place};
use super::{calls, exit, handler};
#[cfg(feature = "reactor")]
use crate::sys::raw;

/// Makes the four signals end the owned children first, if they end this process by default; makes
/// the exit of the process do so in any case.
pub(crate) fn install() {
    install_in(calls::own_pid());
}

fn install_in(own_pid: c_int) {
    #[cfg(feature = "reactor")]
    hook::tell_reactors();
    exit::end_owned_at_exit();
    handler::install_in(own_pid);
}

/// Reserves a place for a child that is about to start; its drop releases it.
///
/// All signals are blocked on this thread until [`Place::settle`].
///
/// # Errors
///
/// No memory; or the owned children of this process were ended, because the process ends.
pub(in crate::sys) fn reserve(entry: Entry) -> io::Result<Place> {
    let place = table::reserve(entry)?;
    install_in(place.owner());
    Ok(place)
}

/// Makes all that is in a scope end with the program, by its `cgroup.kill`, until the drop of the
/// result.
///
/// # Errors
///
/// No memory; or the owned children of this process were ended, because the process ends.
#[cfg(target_os = "linux")]
pub(crate) fn enter_scope(kill: BorrowedFd<'_>) -> io::Result<ScopePlace> {
    let place = scope_place::enter(kill)?;
    install();
    Ok(place)
}

/// Reserves a place for a child that already runs and is not reaped.
///
/// # Errors
///
/// Those of [`reserve`].
#[cfg(feature = "reactor")]
pub(crate) fn enter(entry: Entry, pid: u32, pidfd: Option<BorrowedFd<'_>>) -> io::Result<Place> {
    let old_mask = raw::set_mask(u64::MAX).map_err(io::Error::from_raw_os_error)?;
    // On other systems the descriptor that reports the exit is no pidfd.
    let pidfd = pidfd.filter(|_| cfg!(target_os = "linux"));
    let entered = reserve(entry).inspect(|place| place.settle(pid, pidfd));
    raw::set_mask(old_mask).map_err(io::Error::from_raw_os_error)?;
    entered
}

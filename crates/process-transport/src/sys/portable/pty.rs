//! The name of a terminal's slave, on systems without a safe call for it.
#![expect(unsafe_code, reason = "ptsname")]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Mutex, PoisonError};

/// Guards the static buffer in which `ptsname(3)` returns the name.
static BUFFER: Mutex<()> = Mutex::new(());

/// Returns the path of the slave of this master.
pub(crate) fn slave_name(master: impl AsFd) -> io::Result<CString> {
    let _ours = BUFFER.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the descriptor is open for the length of the call.
    let name = unsafe { libc::ptsname(master.as_fd().as_raw_fd()) };
    if name.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: not null, so a string that ends in NUL, unchanged until the next call: see `BUFFER`.
    Ok(unsafe { CStr::from_ptr(name) }.to_owned())
}

//! The result of a system call.

use std::ffi::c_long;
use std::io;

/// A value, or the error number.
pub(in crate::sys) type Call<T = ()> = Result<T, i32>;

pub(super) fn check(result: c_long) -> Call<c_long> {
    if result < 0 { Err(last_errno()) } else { Ok(result) }
}

/// Returns the error number of the last failed call.
pub(in crate::sys) fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

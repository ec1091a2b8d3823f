//! The ptrace call that keeps a process from being reaped by its parent.
//!
//! # Audit
//!
//! `ptrace`: PTRACE_SEIZE without options takes only numbers.
#![expect(unsafe_code, reason = "this call has no safe form")]

use std::io;
use std::ptr::null_mut;

/// Traces `pid` for as long as this process lives.
pub(crate) fn seize(pid: i32) -> io::Result<()> {
    let none: *mut libc::c_void = null_mut();
    // SAFETY: the arguments are numbers.
    let result = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, none, none) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

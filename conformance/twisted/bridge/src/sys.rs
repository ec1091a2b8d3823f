//! The three promises that Rust cannot check, because Python makes them.
//!
//! # Audit
//!
//! - `lent`: the caller keeps the descriptor open. Twisted's reactors have the same rule.
//! - `given`: the caller gives the descriptor away. Twisted's rule for the pair of a terminal.
//! - `InThisThread`: its content does not leave the thread. `Python::detach` promises that.
#![expect(unsafe_code, reason = "see the audit above")]

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use pyo3::prelude::*;

const EBADF: i32 = 9;

/// Borrows a descriptor that Python keeps open for as long as it is used.
pub(crate) fn lent(fd: RawFd) -> PyResult<BorrowedFd<'static>> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(EBADF).into());
    }
    // SAFETY: the caller keeps it open, see the audit; it is not -1.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Takes over a descriptor that Python gives away.
pub(crate) fn given(fd: RawFd) -> PyResult<OwnedFd> {
    lent(fd)?;
    // SAFETY: nobody else owns it, see the audit; it is not -1.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A value for a closure that runs without Python's lock, but in the same thread.
pub(crate) struct InThisThread<T>(T);

// SAFETY: the value stays in its thread, see the audit.
unsafe impl<T> Send for InThisThread<T> {}

impl<T> InThisThread<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    pub(crate) fn take(self) -> T {
        self.0
    }
}

//! A descriptor by its number.
//!
//! # Audit
//!
//! * `borrow`: its callers look at each use whether the number is still open.
#![expect(unsafe_code, reason = "a source that changes cannot lend what it has")]

use std::os::fd::BorrowedFd;

/// Borrows an open descriptor.
pub(crate) fn borrow<'fd>(number: i32) -> BorrowedFd<'fd> {
    // SAFETY: see the audit.
    unsafe { BorrowedFd::borrow_raw(number) }
}

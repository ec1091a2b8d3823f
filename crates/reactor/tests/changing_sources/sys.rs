//! Borrows a descriptor by its number.
//!
//! # Audit
//!
//! * `borrow`: at each use, the callers check that the number is still open.
#![expect(unsafe_code, reason = "a source that changes cannot borrow its descriptor from itself")]

use std::os::fd::BorrowedFd;

/// Borrows an open descriptor.
pub(crate) fn borrow<'fd>(number: i32) -> BorrowedFd<'fd> {
    // SAFETY: see the audit.
    unsafe { BorrowedFd::borrow_raw(number) }
}

//! The one system call of a place: a pause.

use std::ffi::c_int;

/// Lets the other threads go on.
pub(crate) fn pause(_milliseconds: c_int) {
    loom::thread::yield_now();
}

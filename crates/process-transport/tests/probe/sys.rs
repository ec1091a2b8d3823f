//! The unsafe corner of the probe: C's `main`, descriptors by number, exec in a thread.
//!
//! # Audit
//!
//! * `main`: the kernel hands over `argc` strings that live as long as the process.
//! * `borrow_raw`: the probe uses numbers that it was started with; a closed one gives EBADF.
//! * `_exit`, `close`: numbers only.
#![expect(unsafe_code, reason = "these have no safe form")]

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What the C library calls.
#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let count = usize::try_from(argc).expect("argc is not negative");
    let args: Vec<&[u8]> = (0..count)
        .map(|index| {
            // SAFETY: `argv` has `argc` elements.
            let element = unsafe { argv.add(index) };
            // SAFETY: as above; each is a pointer to a string.
            let string = unsafe { *element };
            // SAFETY: the strings end in NUL and live as long as the process.
            unsafe { CStr::from_ptr(string) }.to_bytes()
        })
        .collect();
    crate::run(&args)
}

/// Descriptor `number`, open or not.
pub(crate) fn fd(number: i32) -> BorrowedFd<'static> {
    assert!(number >= 0, "a descriptor is not negative");
    // SAFETY: not -1; see the audit.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Closes descriptor `number`.
pub(crate) fn close(number: i32) {
    // SAFETY: nothing in the probe owns a descriptor.
    unsafe { libc::close(number) };
}

/// Leaves at once with any number, also one that does not fit in a byte.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: takes a number.
    unsafe { libc::_exit(code) }
}

/// Executes `sh -c script` from a thread that is not the main one.
pub(crate) fn exec_in_thread(script: &OsStr) -> i32 {
    let script = script.to_owned();
    let thread = std::thread::spawn(move || Command::new("/bin/sh").arg("-c").arg(script).exec());
    match thread.join() {
        Ok(error) => panic!("exec: {error}"),
        Err(_) => 70,
    }
}

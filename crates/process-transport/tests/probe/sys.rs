//! The system calls of the probe that need unsafe code: C's `main`, descriptors by number, and exec
//! in a thread.
//!
//! # Audit
//!
//! `main`: the kernel passes `argc` strings that live as long as the process.
//! `borrow_raw`: the probe uses numbers that it was started with. A closed one gives EBADF.
//! `_exit`, `close`: the arguments are numbers.
#![expect(unsafe_code, reason = "these have no safe form")]

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The entry point that the C library calls.
#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let count = usize::try_from(argc).expect("argc is not negative");
    let args: Vec<&[u8]> = (0..count)
        .map(|index| {
            // SAFETY: `argv` has `argc` elements.
            let element = unsafe { argv.add(index) };
            // SAFETY: as above; each element is a pointer to a string.
            let string = unsafe { *element };
            // SAFETY: the strings end in NUL and live as long as the process.
            unsafe { CStr::from_ptr(string) }.to_bytes()
        })
        .collect();
    crate::run(&args)
}

/// Borrows descriptor `number`, open or not.
pub(crate) fn fd(number: i32) -> BorrowedFd<'static> {
    assert!(number >= 0, "a descriptor is not negative");
    // SAFETY: the number is not -1; see the audit.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Closes descriptor `number`.
pub(crate) fn close(number: i32) {
    // SAFETY: nothing in the probe owns a descriptor.
    unsafe { libc::close(number) };
}

/// Exits at once with any number, even one that does not fit in a byte.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: the argument is a number.
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

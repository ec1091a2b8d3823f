//! Whether the program has one thread, which nothing can disturb between two of its calls.
#![cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "a variable of the C library")
)]

/// Returns whether the C library knows that there is one thread; false if it does not know (before
/// glibc 2.32, or linked statically).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn has_one_thread() -> bool {
    use std::ffi::c_char;
    use std::sync::OnceLock;

    /// The address of the library's `char __libc_single_threaded`, or 0.
    static FLAG: OnceLock<usize> = OnceLock::new();

    let flag = *FLAG.get_or_init(|| {
        // SAFETY: the name ends in NUL, and the default scope needs no handle.
        let flag = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr()) };
        flag.expose_provenance()
    });
    let flag = std::ptr::with_exposed_provenance::<c_char>(flag);
    // SAFETY: it is null, or leads to a variable of the library, which is never unloaded. The library
    // writes it only while this thread is in a call that starts or joins another.
    !flag.is_null() && unsafe { flag.read_volatile() } != 0
}

/// Returns false: only the GNU C library tells how many threads there are.
#[cfg(all(target_os = "linux", not(target_env = "gnu")))]
pub(super) fn has_one_thread() -> bool {
    false
}

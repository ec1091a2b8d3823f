//! The ptrace calls that hold a child at its birth.
//!
//! # Audit
//!
//! `ptrace`: PTRACE_SEIZE and PTRACE_DETACH take only numbers. PTRACE_GETEVENTMSG writes one
//! unsigned long to a local.
//! `waitpid`: writes one int to a local.
//! `unshare`: takes a number.
#![expect(unsafe_code, reason = "these calls have no safe form")]

use std::io;
use std::ptr::null_mut;

/// Traces `thread` so that it stops at its next vfork, together with its child.
pub(crate) fn seize(thread: i32) -> io::Result<()> {
    let options = usize::try_from(libc::PTRACE_O_TRACEVFORK).expect("a flag");
    let none: *mut libc::c_void = null_mut();
    let options = std::ptr::without_provenance_mut::<libc::c_void>(options);
    // SAFETY: the arguments are numbers.
    let result = unsafe { libc::ptrace(libc::PTRACE_SEIZE, thread, none, options) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits until `thread` is at its vfork and its new child is stopped. Returns the child's pid.
pub(crate) fn child_at_birth(thread: i32) -> i32 {
    let status = wait(thread);
    assert!(libc::WIFSTOPPED(status), "status {status:#x}");
    assert_eq!(status >> 16, libc::PTRACE_EVENT_VFORK, "status {status:#x}");
    let mut child: libc::c_ulong = 0;
    let none: *mut libc::c_void = null_mut();
    // SAFETY: the last pointer leads to an unsigned long.
    let result = unsafe {
        libc::ptrace(
            libc::PTRACE_GETEVENTMSG,
            thread,
            none,
            (&raw mut child).cast::<libc::c_void>(),
        )
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    let child = i32::try_from(child).expect("a pid");
    let status = wait(child);
    assert!(libc::WIFSTOPPED(status), "status {status:#x}");
    child
}

/// Lets a stopped process run on without a tracer.
pub(crate) fn detach(pid: i32) {
    let none: *mut libc::c_void = null_mut();
    // SAFETY: the arguments are numbers.
    let result = unsafe { libc::ptrace(libc::PTRACE_DETACH, pid, none, none) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Puts later children of this thread into a new PID namespace.
pub(crate) fn new_pid_namespace_for_children() -> io::Result<()> {
    // SAFETY: the argument is a number.
    let result = unsafe { libc::unshare(libc::CLONE_NEWPID) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits for a change of a child, a traced thread, or an inherited child. Returns the wait status.
pub(crate) fn wait(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: the pointer leads to an int.
    let result = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
    assert_eq!(result, pid, "{}", io::Error::last_os_error());
    status
}

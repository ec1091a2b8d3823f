//! What the tests do without a safe form.
#![expect(unsafe_code, reason = "the closure is safe after a fork")]

use std::io;

use procession_tokio::Command;

/// Adds a closure that fails.
pub(crate) fn failing_closure(command: &mut Command) -> &mut Command {
    let fails = || Err(io::Error::from_raw_os_error(rustix::io::Errno::PERM.raw_os_error()));
    // SAFETY: the closure makes a number, and neither allocates nor locks.
    unsafe { command.pre_exec(fails) }
}

//! How a child that its clone did not put into its cgroup goes there, before its exec.
//!
//! It writes its number to the cgroup's file. Where the kernel does not allow that, although the cgroup
//! is the user's, the child asks systemd to move it, by one call of D-Bus over a socket of its own: the
//! kernel also wants to write to a cgroup above both places, which only systemd may do.

use std::ffi::CStr;

#[cfg(target_os = "linux")]
use super::ask::ask;
use super::raw;
use super::request::Birthplace;

/// Goes to the cgroup, unless the child was born there.
pub(super) fn join(birthplace: &Birthplace) -> raw::Call {
    let Some(procs) = birthplace.procs_to_write() else { return Ok(()) };
    let result = write_number(procs);
    #[cfg(target_os = "linux")]
    if let (Err(_), Some(call)) = (result, birthplace.manager()) {
        return ask(call);
    }
    result
}

/// It opens a file, so it comes before the limits, which may leave no number for one.
fn write_number(procs: &CStr) -> raw::Call {
    let fd = raw::open_for_writing(procs)?;
    let written = raw::write(fd, b"0"); // the writer itself
    raw::close(fd)?;
    written.map(drop)
}

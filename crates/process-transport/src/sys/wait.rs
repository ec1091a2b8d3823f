//! Reaping one child, with what it used.
#![expect(unsafe_code, reason = "waitid and getrusage")]

use super::outcome::{Child, Peeked, Waited};
use super::owned::Place;
use super::{kept_status, lost, raw};
use procession_protocol::ResourceUsage;
use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Only looks.
const WITHOUT_REAP: c_int = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;

/// Reaps the child if it has ended. `parent_peak_kib` is the parent's own peak at the spawn.
///
/// A child that has ended gives its place back first, or leaves it to the group that it leads.
pub(crate) fn try_reap(
    child: Child<'_>,
    place: &mut Option<Place>,
    parent_peak_kib: i64,
) -> io::Result<Waited> {
    if place.is_some() {
        if matches!(wait(child, WITHOUT_REAP, i64::MAX), Ok(Waited::Running)) {
            return Ok(Waited::Running);
        }
        *place = place.take().and_then(Place::before_reap);
    }
    wait(child, libc::WEXITED | libc::WNOHANG, parent_peak_kib)
}

/// Whether the child has ended and waits to be reaped; it stays as it is.
pub(crate) fn peek(child: Child<'_>) -> Peeked {
    match wait(child, WITHOUT_REAP, i64::MAX) {
        Ok(Waited::Running) => Peeked::Running,
        Ok(Waited::Reaped(..)) => Peeked::Ended,
        Ok(Waited::Kept(_) | Waited::Lost(_)) | Err(_) => Peeked::Lost,
    }
}

/// Reaps a child that was killed, and waits for its end, of which nobody wants to know what it says.
pub(super) fn reap_killed(child: Child<'_>) {
    wait(child, libc::WEXITED, i64::MAX).ok();
}

/// The signal that has ended a child that is not reaped; it stays as it is.
pub(super) fn ended_by(child: Child<'_>) -> Option<c_int> {
    match wait(child, WITHOUT_REAP, i64::MAX) {
        Ok(Waited::Reaped(status, _)) => Some(status & 0x7f).filter(|signal| *signal != 0),
        _ => None,
    }
}

/// The highest resident set of this process so far, in KiB.
pub(crate) fn own_peak_kib() -> i64 {
    // SAFETY: all zeros is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer leads to a local.
    let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    if result == 0 { usage.ru_maxrss } else { 0 }
}

/// The signal by which the child is stopped; it stays as it is.
#[cfg(feature = "reactor")]
pub(crate) fn stopped_by(child: Child<'_>) -> Option<i32> {
    let (info, _) = wait_on(child, libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT).ok()??;
    // SAFETY: waitid fills this field for children, and it is zero where nothing has stopped.
    let signal = unsafe { info.si_status() };
    (info.si_code == libc::CLD_STOPPED).then_some(signal)
}

fn wait(child: Child<'_>, flags: c_int, parent_peak_kib: i64) -> io::Result<Waited> {
    let (info, usage) = match wait_on(child, flags) {
        Ok(Some(answer)) => answer,
        Ok(None) => return Ok(lost(child)),
        Err(_) if flags & libc::WNOWAIT == 0 => {
            return wait_by_number(child, flags & libc::WNOHANG, parent_peak_kib);
        }
        Err(error) => return Err(error),
    };
    // SAFETY: waitid fills this field for children, and it is zero where nothing has ended.
    let status = unsafe { info.si_status() };
    let status = match info.si_code {
        libc::CLD_EXITED => status << 8,
        libc::CLD_KILLED => status,
        libc::CLD_DUMPED => status | 0x80,
        _ => return Ok(Waited::Running),
    };
    Ok(Waited::Reaped(status, resource_usage(&usage, parent_peak_kib)))
}

/// What is known of a child that nobody can wait for.
fn lost(child: Child<'_>) -> Waited {
    let kept = match child {
        Child::Fd(pidfd, _) => kept_status::of(pidfd),
        Child::Pid(_) => None,
    };
    kept.map_or_else(|| Waited::Lost(lost::why()), Waited::Kept)
}

/// Where `waitid(2)` is refused, by a filter perhaps: what `wait4(2)` says, which knows less.
fn wait_by_number(child: Child<'_>, flags: c_int, parent_peak_kib: i64) -> io::Result<Waited> {
    let (Child::Fd(_, pid) | Child::Pid(pid)) = child;
    let mut status: c_int = 0;
    // SAFETY: all zeros is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers lead to locals of the types that wait4(2) names.
        let result = unsafe {
            libc::syscall(
                libc::SYS_wait4,
                pid,
                &raw mut status,
                flags | libc::__WALL,
                &raw mut usage,
            )
        };
        match result {
            0 => return Ok(Waited::Running),
            1.. => return Ok(Waited::Reaped(status, resource_usage(&usage, parent_peak_kib))),
            _ => match raw::last_errno() {
                libc::EINTR => {}
                libc::ECHILD => return Ok(lost(child)),
                errno => return Err(io::Error::from_raw_os_error(errno)),
            },
        }
    }
}

/// What `waitid(2)` says of a child; `None` where it is none of ours.
type Answer = Option<(libc::siginfo_t, libc::rusage)>;

fn wait_on(child: Child<'_>, flags: c_int) -> io::Result<Answer> {
    let (fd, pid) = match child {
        Child::Fd(fd, pid) => (Some(fd.as_raw_fd().cast_unsigned()), pid),
        Child::Pid(pid) => (None, pid),
    };
    if let Some(fd) = fd {
        let refused = |error: &io::Error| {
            matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EPERM))
        };
        match wait_for(libc::P_PIDFD, fd, flags) {
            Err(error) if refused(&error) => {}
            result => return result,
        }
    }
    // Not reaped by us, so the number is the child's.
    wait_for(libc::P_PID, pid, flags)
}

fn wait_for(kind: libc::idtype_t, id: u32, flags: c_int) -> io::Result<Answer> {
    // SAFETY: all zeros is a valid `siginfo_t`; the kernel leaves it so where nothing has ended.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: all zeros is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers lead to locals of the types that waitid(2) names.
        let result: c_long = unsafe {
            libc::syscall(libc::SYS_waitid, kind, id, &raw mut info, flags, &raw mut usage)
        };
        if result == 0 {
            return Ok(Some((info, usage)));
        }
        match raw::last_errno() {
            libc::EINTR => {}
            libc::ECHILD => return Ok(None),
            errno => return Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

fn resource_usage(usage: &libc::rusage, parent_peak_kib: i64) -> ResourceUsage {
    // The peak of a process begins with that of the memory it had before its exec: the parent's.
    let peak = (usage.ru_maxrss > parent_peak_kib)
        .then(|| u64::try_from(usage.ru_maxrss).ok()?.checked_mul(1024))
        .flatten();
    ResourceUsage::new(duration(usage.ru_utime), duration(usage.ru_stime), peak)
}

fn duration(time: libc::timeval) -> Duration {
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0)) + Duration::from_micros(micros)
}

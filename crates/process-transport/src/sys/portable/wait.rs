//! Reaps one child, with its resource usage, on systems other than Linux: by its number, which is
//! its own as long as it is not reaped.
#![expect(unsafe_code, reason = "waiting for one child")]

use std::ffi::c_int;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use procession_protocol::ResourceUsage;
use rustix::process::{Pid, Signal, kill_process};

use super::raw;
use crate::sys::lost;
use crate::sys::outcome::{ChildId, PeekOutcome, WaitOutcome};
use crate::sys::owned::Place;

/// Returns the number of a child, which is its own as long as it is not reaped.
pub(in crate::sys) fn number(child: ChildId<'_>) -> io::Result<c_int> {
    let (ChildId::Pid(pid) | ChildId::Fd(_, pid)) = child;
    c_int::try_from(pid).map_err(io::Error::other)
}

/// Reaps the child if it has ended. `parent_peak_kib` is the parent's own peak at the spawn.
///
/// Before the reap, a child that has ended releases its place, or leaves it to the group that it
/// leads.
pub(crate) fn try_reap(
    child: ChildId<'_>,
    place: &mut Option<Place>,
    parent_peak_kib: i64,
) -> io::Result<WaitOutcome> {
    if place.is_some() {
        if peek(child) == PeekOutcome::Running {
            return Ok(WaitOutcome::Running);
        }
        *place = place.take().and_then(Place::before_reap);
    }
    wait(child, libc::WNOHANG, parent_peak_kib)
}

/// Returns whether the child has ended and waits to be reaped; the child stays as it is.
pub(crate) fn peek(child: ChildId<'_>) -> PeekOutcome {
    let Some(pid) = number(child).ok().and_then(|pid| libc::id_t::try_from(pid).ok()) else {
        return PeekOutcome::Lost;
    };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: all zeros is a valid `siginfo_t`.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer leads to a local.
    let result = unsafe { libc::waitid(libc::P_PID, pid, &raw mut info, flags) };
    match result {
        0 if info.si_signo != 0 => PeekOutcome::Ended,
        0 => PeekOutcome::Running,
        _ if raw::last_errno() == libc::EINTR => PeekOutcome::Running,
        _ => PeekOutcome::Lost,
    }
}

/// Returns `None`: stopped children are not detected here.
pub(crate) fn stopped_by(_: ChildId<'_>) -> Option<i32> {
    None
}

/// Reaps a child that has failed before its exec and is about to end.
pub(in crate::sys) fn reap_failed(pid: u32, _: Option<&OwnedFd>) {
    // The child has reported and exits at once unless something stops it, so this wait is short.
    // Its status does not matter.
    let number = pid.try_into().ok().and_then(Pid::from_raw);
    number.map(|pid| kill_process(pid, Signal::KILL).ok());
    wait(ChildId::Pid(pid), 0, i64::MAX).ok();
}

/// Returns the highest resident set size of this process so far, in KiB.
pub(crate) fn own_peak_kib() -> i64 {
    // SAFETY: all zeros is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer leads to a local.
    let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    if result == 0 { peak_kib(&usage) } else { 0 }
}

fn wait(child: ChildId<'_>, flags: c_int, parent_peak_kib: i64) -> io::Result<WaitOutcome> {
    let pid = number(child)?;
    let mut status = 0;
    // SAFETY: all zeros is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers lead to locals.
        match unsafe { libc::wait4(pid, &raw mut status, flags, &raw mut usage) } {
            0 => return Ok(WaitOutcome::Running),
            reaped if reaped > 0 => {
                return Ok(WaitOutcome::Reaped(status, resource_usage(&usage, parent_peak_kib)));
            }
            _ => match raw::last_errno() {
                libc::EINTR => {}
                libc::ECHILD => return Ok(WaitOutcome::Lost(lost::why())),
                errno => return Err(io::Error::from_raw_os_error(errno)),
            },
        }
    }
}

/// Returns the peak in KiB; the system counts bytes on Apple's systems, KiB on the others.
fn peak_kib(usage: &libc::rusage) -> i64 {
    let peak = i64::from(usage.ru_maxrss);
    if cfg!(target_vendor = "apple") { peak / 1024 } else { peak }
}

fn resource_usage(usage: &libc::rusage, parent_peak_kib: i64) -> ResourceUsage {
    let peak = Some(peak_kib(usage)).filter(|peak| *peak > parent_peak_kib);
    let bytes = peak.and_then(|peak| u64::try_from(peak).ok()?.checked_mul(1024));
    ResourceUsage::new(duration(usage.ru_utime), duration(usage.ru_stime), bytes)
}

fn duration(time: libc::timeval) -> Duration {
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0)) + Duration::from_micros(micros)
}

//! Reaps one child, with its resource usage.
#![expect(unsafe_code, reason = "waitid and getrusage")]

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use procession_protocol::ResourceUsage;

use super::outcome::{ChildId, PeekOutcome, WaitOutcome};
use super::owned::Place;
use super::raw::{KernelTime, Rusage};
use super::{kept_status, lost, raw};

/// Flags that look without a reap.
const WITHOUT_REAP: c_int = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;

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
        if matches!(wait(child, WITHOUT_REAP, i64::MAX), Ok(WaitOutcome::Running)) {
            return Ok(WaitOutcome::Running);
        }
        *place = place.take().and_then(Place::before_reap);
    }
    wait(child, libc::WEXITED | libc::WNOHANG, parent_peak_kib)
}

/// Returns whether the child has ended and waits to be reaped; the child stays as it is.
pub(crate) fn peek(child: ChildId<'_>) -> PeekOutcome {
    match wait(child, WITHOUT_REAP, i64::MAX) {
        Ok(WaitOutcome::Running) => PeekOutcome::Running,
        Ok(WaitOutcome::Reaped(..)) => PeekOutcome::Ended,
        Ok(WaitOutcome::Kept(_) | WaitOutcome::Lost(_)) | Err(_) => PeekOutcome::Lost,
    }
}

/// Waits for the end of a child that was killed, and reaps it; its status does not matter.
pub(super) fn reap_killed(child: ChildId<'_>) {
    wait(child, libc::WEXITED, i64::MAX).ok();
}

/// Returns the signal that ended a child that is not reaped; the child stays as it is.
pub(super) fn ended_by(child: ChildId<'_>) -> Option<c_int> {
    match wait(child, WITHOUT_REAP, i64::MAX) {
        Ok(WaitOutcome::Reaped(status, _)) => Some(status & 0x7f).filter(|signal| *signal != 0),
        _ => None,
    }
}

/// Returns the highest resident set size of this process so far, in KiB.
pub(crate) fn own_peak_kib() -> i64 {
    // SAFETY: all zeros is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer leads to a local.
    let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    if result == 0 { wide(usage.ru_maxrss) } else { 0 }
}

/// Returns the signal that stopped the child, if it is stopped; the child stays as it is.
pub(crate) fn stopped_by(child: ChildId<'_>) -> Option<i32> {
    let mut answer = WaitAnswer::new();
    wait_on(child, libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT, &mut answer)
        .ok()
        .filter(|is| *is)?;
    // SAFETY: waitid fills this field for children, and it is zero if no child has stopped.
    let signal = unsafe { answer.info.si_status() };
    (answer.info.si_code == libc::CLD_STOPPED).then_some(signal)
}

fn wait(child: ChildId<'_>, flags: c_int, parent_peak_kib: i64) -> io::Result<WaitOutcome> {
    let mut answer = WaitAnswer::new();
    match wait_on(child, flags, &mut answer) {
        Ok(true) => {}
        Ok(false) => return Ok(lost(child)),
        Err(_) if flags & libc::WNOWAIT == 0 => {
            return wait_by_number(child, flags & libc::WNOHANG, parent_peak_kib);
        }
        Err(error) => return Err(error),
    }
    // SAFETY: waitid fills this field for children, and it is zero if no child has ended.
    let status = unsafe { answer.info.si_status() };
    let status = match answer.info.si_code {
        libc::CLD_EXITED => status << 8,
        libc::CLD_KILLED => status,
        libc::CLD_DUMPED => status | 0x80,
        _ => return Ok(WaitOutcome::Running),
    };
    Ok(WaitOutcome::Reaped(status, resource_usage(&answer.usage, parent_peak_kib)))
}

/// Returns what is known of a child that can no longer be waited for.
fn lost(child: ChildId<'_>) -> WaitOutcome {
    let kept = match child {
        ChildId::Fd(pidfd, _) => kept_status::of(pidfd),
        ChildId::Pid(_) => None,
    };
    kept.map_or_else(|| WaitOutcome::Lost(lost::why()), WaitOutcome::Kept)
}

/// Waits by `wait4(2)`, which reports less, because `waitid(2)` is refused, by a filter perhaps.
fn wait_by_number(
    child: ChildId<'_>,
    flags: c_int,
    parent_peak_kib: i64,
) -> io::Result<WaitOutcome> {
    let (ChildId::Fd(_, pid) | ChildId::Pid(pid)) = child;
    let mut status: c_int = 0;
    let mut usage = Rusage::default();
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
            0 => return Ok(WaitOutcome::Running),
            1.. => return Ok(WaitOutcome::Reaped(status, resource_usage(&usage, parent_peak_kib))),
            _ => match raw::last_errno() {
                libc::EINTR => {}
                libc::ECHILD => return Ok(lost(child)),
                errno => return Err(io::Error::from_raw_os_error(errno)),
            },
        }
    }
}

/// What `waitid(2)` tells of a child.
struct WaitAnswer {
    info: libc::siginfo_t,
    usage: Rusage,
}

impl WaitAnswer {
    fn new() -> Self {
        // SAFETY: all zeros is a valid `siginfo_t`; the kernel leaves it so if no child has ended.
        let info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        Self { info, usage: Rusage::default() }
    }
}

/// Returns whether it is a child of ours.
fn wait_on(child: ChildId<'_>, flags: c_int, answer: &mut WaitAnswer) -> io::Result<bool> {
    let (fd, pid) = match child {
        ChildId::Fd(fd, pid) => (Some(fd.as_raw_fd().cast_unsigned()), pid),
        ChildId::Pid(pid) => (None, pid),
    };
    if let Some(fd) = fd {
        let refused = |error: &io::Error| {
            matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EPERM))
        };
        match wait_for(libc::P_PIDFD, fd, flags, answer) {
            Err(error) if refused(&error) => {}
            result => return result,
        }
    }
    // We have not reaped it, so the number is the child's.
    wait_for(libc::P_PID, pid, flags, answer)
}

fn wait_for(
    kind: libc::idtype_t,
    id: u32,
    flags: c_int,
    answer: &mut WaitAnswer,
) -> io::Result<bool> {
    let info = &raw mut answer.info;
    // The kernel takes longer to add up the usage than to look.
    let is_look = flags & libc::WNOWAIT != 0;
    let usage = if is_look { ptr::null_mut() } else { &raw mut answer.usage };
    loop {
        // SAFETY: both pointers lead to parts of `answer`, of the types that waitid(2) names; the last one
        // may be null.
        let result: c_long =
            unsafe { libc::syscall(libc::SYS_waitid, kind, id, info, flags, usage) };
        if result == 0 {
            return Ok(true);
        }
        match raw::last_errno() {
            libc::EINTR => {}
            libc::ECHILD => return Ok(false),
            errno => return Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

fn resource_usage(usage: &Rusage, parent_peak_kib: i64) -> ResourceUsage {
    // The peak of a process starts with that of its memory before the exec: the parent's.
    let peak = (wide(usage.peak) > parent_peak_kib)
        .then(|| u64::try_from(usage.peak).ok()?.checked_mul(1024))
        .flatten();
    ResourceUsage::new(duration(usage.user_time), duration(usage.system_time), peak)
}

/// Converts a `long`, which has 32 or 64 bits.
fn wide(number: impl Into<i64>) -> i64 {
    number.into()
}

fn duration([seconds, micros]: KernelTime) -> Duration {
    let micros = u64::try_from(micros).unwrap_or(0);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0)) + Duration::from_micros(micros)
}

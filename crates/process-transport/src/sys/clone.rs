//! Makes a child, with its pidfd and its place among the children that end with the program.
#![expect(unsafe_code, reason = "clone and fork")]

use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::attempts::is_shortage;
use super::child::{self, Job};
use super::clone_into::{self, Entrance, KernelWrites};
use super::owned::{Cells, Place};
use super::raw;

/// Records the child in its place, and moves its pidfd above the standard streams: on 0, 1 or 2, if
/// these were closed, it would be taken for one of them.
pub(super) fn settle(place: Option<&Place>, pid: u32, pidfd: Option<OwnedFd>) -> Option<OwnedFd> {
    let copy = pidfd
        .as_ref()
        .filter(|pidfd| pidfd.as_raw_fd() <= 2)
        .and_then(|pidfd| fcntl_dupfd_cloexec(pidfd, 3).ok());
    let (kept, closed) = if copy.is_some() { (copy, pidfd) } else { (pidfd, None) };
    if let Some(place) = place {
        place.settle(pid, kept.as_ref().map(AsFd::as_fd));
    }
    drop(closed); // only after the place has the other one
    kept
}

/// The child's entry function, on its own stack.
extern "C" fn enter(job: *mut c_void) -> c_int {
    // SAFETY: `clone` below passes a pointer to a `Job` that it borrows until the child has exec'd
    // or ended; in a child with copied memory it leads to the copy.
    let job: &Job<'_> = unsafe { &*job.cast::<Job<'_>>() };
    raw::exit(child::run(job))
}

/// Clones; returns in the parent once the child has exec'd or ended.
///
/// If an emulator or a filter refuses the flag for a pidfd, in whatever way, the pidfd is opened by
/// number, which is safe because the child is not reaped. An old kernel ignores the flag.
///
/// A child with a place has its number there before its first instruction. In shared memory the
/// kernel writes it on the child's side. If memory is copied, the kernel writes it on the parent's
/// side, in the argument that is otherwise for the pidfd; the pidfd is then opened by number too.
pub(super) fn clone(
    flags: c_int,
    stack: *mut c_void,
    job: &Job<'_>,
    cells: Option<Cells>,
) -> Result<(u32, Option<OwnedFd>), i32> {
    let mut pidfd: c_int = -1;
    let (to_parent, to_child) = match cells {
        Some(cells) if flags & libc::CLONE_VM == 0 => {
            let writes = KernelWrites { parent: cells.pid, child: ptr::null_mut() };
            let pid = clone_once(flags | libc::CLONE_PARENT_SETTID, stack, job, writes)?;
            return Ok((pid, open_pidfd(pid)));
        }
        Some(cells) => (cells.pidfd, cells.pid),
        None => (&raw mut pidfd, ptr::null_mut()),
    };
    let flags = if to_child.is_null() { flags } else { flags | libc::CLONE_CHILD_SETTID };
    let writes = KernelWrites { parent: to_parent, child: to_child };
    match clone_once(flags | libc::CLONE_PIDFD, stack, job, writes) {
        Ok(pid) => Ok((pid, made_pidfd(to_parent))),
        Err(errno) if is_shortage(Some(errno)) => Err(errno),
        Err(_) => {
            let pid = clone_once(flags, stack, job, writes)?;
            Ok((pid, open_pidfd(pid)))
        }
    }
}

/// Does the same with the C library's fork, for a child with closures: closures may allocate and
/// lock, so the fork handlers of the library and of others must run. It does not wait for the exec.
///
/// A child with a place has its number there once it is settled: nothing interrupts this thread
/// until then, and an act on another thread waits for it.
pub(super) fn fork(job: &Job<'_>) -> Result<(u32, Option<OwnedFd>), i32> {
    // SAFETY: the child calls `child::run` and exits; what it calls beside system calls are
    // the closures, whose safety is their author's. All signals are blocked, so that no handler runs.
    match unsafe { libc::fork() } {
        0 => loop {
            raw::exit(child::run(job));
        },
        pid => {
            let pid = u32::try_from(pid).map_err(|_| raw::last_errno())?;
            Ok((pid, open_pidfd(pid)))
        }
    }
}

fn clone_once(
    flags: c_int,
    stack: *mut c_void,
    job: &Job<'_>,
    writes: KernelWrites,
) -> Result<u32, i32> {
    let argument: *mut c_void = ptr::from_ref(job).cast_mut().cast();
    if let Some(birthplace) = job.request.birthplace.as_ref().filter(|one| one.takes_newborns()) {
        birthplace.set_by_clone(true);
        let entrance = Entrance { stack, enter, argument };
        match clone_into::clone(flags, birthplace.folder(), entrance, writes) {
            Err(errno) if !is_shortage(Some(errno)) => {} // the child goes there, or says why not
            result => return result,
        }
        birthplace.set_by_clone(false);
    }
    let no_tls = ptr::null_mut::<c_void>();
    // SAFETY: `stack` is the top of a mapping of this thread that no other child uses: with
    // CLONE_VFORK the call returns when the child has left it. `enter` only reads the job. All
    // signals are blocked, so no handler runs in the child. The kernel writes to a local of the
    // caller, or to memory that is never freed.
    let pid = unsafe {
        libc::clone(
            enter,
            stack,
            flags | libc::SIGCHLD,
            argument,
            writes.parent,
            no_tls,
            writes.child,
        )
    };
    u32::try_from(pid).map_err(|_| raw::last_errno())
}

/// Returns the descriptor that the kernel has made, if it has.
fn made_pidfd(written: *const c_int) -> Option<OwnedFd> {
    // SAFETY: the cell of a clone that was just made: a local, or one of the table. Other threads
    // only read it.
    let pidfd = unsafe { written.read_volatile() };
    if pidfd < 0 {
        return None;
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(pidfd) })
}

fn open_pidfd(pid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(pid.cast_signed())?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

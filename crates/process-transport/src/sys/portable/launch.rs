//! The parent's half of a launch on systems other than Linux: `fork(2)`, and a pipe that the exec
//! closes.
#![expect(unsafe_code, reason = "fork and kqueue")]

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use procession_protocol::SpawnPath;

use super::raw::{self, KernelLimit};
use super::wait;
use crate::sys::attempts::LaunchMode;
use crate::sys::child::{self, Descriptors, Job};
use crate::sys::environment::Environment;
use crate::sys::fd_step::{FdMove, FdStep};
use crate::sys::limits::kernel_limit;
use crate::sys::mapping::Mapping;
use crate::sys::mask::inherited;
use crate::sys::outcome::{Cloned, LaunchError, PassedFd};
use crate::sys::owned;
use crate::sys::parent::ParentIdentity;
use crate::sys::platform;
use crate::sys::report::{Report, ReportedFailure, Reporter};
use crate::sys::request::Request;
use crate::sys::table::Table;

/// Does nothing: there is nothing to reserve here.
pub(crate) fn reserve() -> io::Result<()> {
    Ok(())
}

/// Does nothing: there is nothing to reserve here.
pub(crate) fn reserve_first() -> io::Result<()> {
    Ok(())
}

/// Returns the number of this process.
pub(crate) fn own_pid() -> u32 {
    std::process::id()
}

/// Reaps a child that has ended before its exec. No filter kills children here.
pub(crate) fn discard(child: Cloned) {
    wait::reap_failed(child.pid, None);
}

/// Starts a child.
pub(crate) fn launch(
    mode: LaunchMode,
    request: &Request,
    passed: &[PassedFd<'_>],
    plan: fn(&[FdMove]) -> Vec<FdStep>,
) -> Result<Cloned, LaunchError> {
    let path = mode.path;
    if path != SpawnPath::Fork {
        return Err(LaunchError::Path(io::ErrorKind::Unsupported.into()));
    }
    let moves: Vec<FdMove> = passed
        .iter()
        .map(|one| FdMove { source: one.source.as_raw_fd(), target: one.target })
        .collect();
    let steps = plan(&moves);
    let until_exec: Vec<c_int> =
        passed.iter().filter(|one| one.until_exec).map(|one| one.target).collect();
    let limits: Vec<(c_int, KernelLimit)> =
        request.limits.iter().map(|(which, limit)| kernel_limit(*which, *limit)).collect();
    let page = Mapping::shared_page().map_err(LaunchError::Clone)?;
    let report: &Report = page.as_ref();
    // `prepare` refuses both here, and the child would too.
    let score = request.oom_score_adj.map(|score| score.to_string());
    // In the child, only its exec or its end closes this.
    let (started, running) = platform::pipe_above_stdio().map_err(LaunchError::Clone)?;
    let running = above_all(running, &moves).map_err(LaunchError::Clone)?;
    let environment = Environment::of(request, own_pid());
    let old_mask = raw::set_mask(u64::MAX).map_err(os_error)?;
    // From here until the place is settled nothing interrupts this thread.
    let place = match request.entry.map(owned::reserve).transpose() {
        Ok(place) => place,
        Err(error) => {
            raw::set_mask(old_mask).map_err(os_error)?;
            return Err(LaunchError::Clone(error));
        }
    };
    let job = Job {
        request,
        envp: environment.as_ptr(),
        limits: &limits,
        cpus: request.cpus.as_deref(),
        oom_score_adj: score.as_deref().map(str::as_bytes),
        fds: Descriptors {
            steps: &steps,
            table: Table::Copied,
            until_exec: &until_exec,
            is_plain: false,
            may_be_stale: false,
        },
        mask: if request.inherit_signals { inherited(old_mask) } else { 0 },
        parent: ParentIdentity::new(std::process::id(), false),
        report: Reporter::new(report),
    };
    let forked = fork(&job);
    if let (Some(place), Ok(pid)) = (&place, &forked) {
        place.settle(*pid, None);
    }
    raw::set_mask(old_mask).map_err(os_error)?;
    let pid = forked.map_err(os_error)?;
    drop(running);
    // Nothing is ever written: the read returns when the child has exec'd or ended.
    let mut byte = [0_u8; 1];
    rustix::io::retry_on_intr(|| rustix::io::read(&started, &mut byte))
        .map_err(|error| LaunchError::Clone(error.into()))?;
    match report.failure() {
        None => Ok(Cloned { pid, place, pidfd: exit_queue(pid), path }),
        Some(failure) => {
            drop(place);
            wait::reap_failed(pid, None);
            Err(match failure {
                ReportedFailure::Refused(errno) => LaunchError::Refused(errno),
                ReportedFailure::At(step, errno) => LaunchError::Child(step, errno),
            })
        }
    }
}

/// Moves a descriptor above every number of the plan, whose copies would replace it.
fn above_all(fd: OwnedFd, moves: &[FdMove]) -> io::Result<OwnedFd> {
    let numbers = moves.iter().flat_map(|each| [each.source, each.target]);
    // Copies that break a cycle take other numbers, one each.
    let count = c_int::try_from(moves.len()).unwrap_or(c_int::MAX);
    let lowest = numbers.max().unwrap_or(2).saturating_add(count).saturating_add(1);
    Ok(rustix::io::fcntl_dupfd_cloexec(&fd, lowest)?)
}

fn os_error(errno: i32) -> LaunchError {
    LaunchError::Clone(io::Error::from_raw_os_error(errno))
}

/// Forks; only the parent returns.
fn fork(job: &Job<'_>) -> Result<u32, i32> {
    // SAFETY: the child calls only `child::run`, which uses only async-signal-safe calls, and exits;
    // all signals are blocked, so no handler runs in it.
    match unsafe { libc::fork() } {
        0 => loop {
            raw::exit(child::run(job));
        },
        pid => u32::try_from(pid).map_err(|_| raw::last_errno()),
    }
}

/// Makes a queue that reports the exit of one child; `None` if the child has already ended, or if
/// no queue can be made. Then SIGCHLD reports the exit.
fn exit_queue(pid: u32) -> Option<OwnedFd> {
    // SAFETY: no argument.
    let queue = unsafe { libc::kqueue() };
    if queue < 0 {
        return None;
    }
    // SAFETY: the system has just made this descriptor for us, and nobody else knows it.
    let queue = unsafe { OwnedFd::from_raw_fd(queue) };
    rustix::io::fcntl_setfd(&queue, rustix::io::FdFlags::CLOEXEC).ok()?;
    // SAFETY: all zeros is a valid `kevent`, to be filled in.
    let mut change: libc::kevent = unsafe { std::mem::zeroed() };
    change.ident = libc::uintptr_t::try_from(pid).ok()?;
    change.filter = libc::EVFILT_PROC;
    change.flags = libc::EV_ADD;
    change.fflags = libc::NOTE_EXIT;
    let (none, now) = (ptr::null_mut::<libc::kevent>(), ptr::null::<libc::timespec>());
    // SAFETY: one change is read from a local, and no event is requested.
    let added = unsafe { libc::kevent(queue.as_raw_fd(), &raw const change, 1, none, 0, now) };
    (added == 0).then_some(queue)
}

//! The parent's half of a clone: a stack for the child, the cell for its report, the signal mask
//! around it, and the call itself.
#![expect(unsafe_code, reason = "clone")]

use super::child::{self, Failure, Job, Report, Table};
use super::dumpable;
use super::environment::Environment;
use super::fd_step::{FdMove, FdStep};
use super::limits::kernel_limit;
use super::mailbox::{MAX_FDS, Mailbox};
use super::mapping::Mapping;
use super::mask::inherited;
use super::outcome::{Cloned, LaunchError, PassedFd};
use super::owned::{self, Cells, Place};
use super::parent::Parent;
use super::raw::{self, KernelLimit};
use super::request::Request;
use super::step::Step;
use super::this_process::Mark;
use super::wait;
use procession_protocol::SpawnPath;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// What one thread needs to spawn, made at its first spawn and kept.
struct Launcher {
    /// A process that is forked from the one that made it inherits socketpair and report, and would
    /// get the mail of its parent's children: it makes its own.
    made_in: Mark,
    stack: Mapping,
    report: Mapping,
    /// `None` before the first use, or after it could not be made.
    mailbox: Option<Mailbox>,
}

thread_local! {
    static LAUNCHER: RefCell<Option<Launcher>> = const { RefCell::new(None) };
}

/// Makes this thread's mailbox now, so that it gets a low number; see `reserve_spawn_fds`.
pub(crate) fn reserve() -> io::Result<()> {
    with_launcher(|launcher| launcher.mailbox().map(drop))
}

/// The same where the thread has none; one that is there is looked at by the launch.
pub(crate) fn reserve_first() -> io::Result<()> {
    let is_own = |one: &Launcher| one.mailbox.is_some() && one.made_in.is_own();
    let is_there = with_slot(|slot| Ok(slot.as_ref().is_some_and(is_own)))?;
    if is_there { Ok(()) } else { reserve() }
}

fn with_launcher<R>(call: impl FnOnce(&mut Launcher) -> io::Result<R>) -> io::Result<R> {
    with_slot(|slot| {
        if slot.as_ref().is_none_or(|launcher| !launcher.made_in.is_own()) {
            *slot = Some(Launcher::new()?);
        }
        let launcher = slot.as_mut().ok_or_else(|| io::Error::other("made above"))?;
        call(launcher)
    })
}

/// What this thread has. Nothing any more where it is at its end, in the destructor of another
/// thread-local value; and what is in use cannot be had again, in what a fork runs for others.
fn with_slot<R>(call: impl FnOnce(&mut Option<Launcher>) -> io::Result<R>) -> io::Result<R> {
    let borrowed = LAUNCHER.try_with(|slot| match slot.try_borrow_mut() {
        Ok(mut slot) => call(&mut slot),
        Err(_) => Err(io::Error::other("this thread is spawning")),
    });
    borrowed.unwrap_or_else(|_| Err(io::Error::other("this thread is ending")))
}

/// Starts a child on `path`. `plan` says how the descriptors get from where the child finds them to
/// where they are asked for; `passed` is sorted by target.
pub(crate) fn launch(
    path: SpawnPath,
    request: &Request,
    passed: &[PassedFd<'_>],
    plan: fn(&[FdMove]) -> Vec<FdStep>,
) -> Result<Cloned, LaunchError> {
    with_launcher(|launcher| Ok(launcher.launch(path, request, passed, plan)))
        .map_err(LaunchError::Clone)?
}

impl Launcher {
    fn new() -> io::Result<Self> {
        let (stack, report) = (Mapping::stack()?, Mapping::shared_page()?);
        Ok(Self { made_in: Mark::new()?, stack, report, mailbox: None })
    }

    /// One that is there and that no other program holds. A box whose receiver has lost its
    /// close-on-exec flag, which anybody in this process can take away, may be in a child of somebody
    /// else's by now.
    fn mailbox(&mut self) -> io::Result<&Mailbox> {
        if self.mailbox.as_ref().is_none_or(|mailbox| !mailbox.is_whole()) {
            self.mailbox = None;
            self.mailbox = Some(Mailbox::new()?);
        }
        self.mailbox.as_ref().ok_or_else(|| io::Error::other("made above"))
    }

    fn launch(
        &mut self,
        path: SpawnPath,
        request: &Request,
        passed: &[PassedFd<'_>],
        plan: fn(&[FdMove]) -> Vec<FdStep>,
    ) -> Result<Cloned, LaunchError> {
        if path == SpawnPath::SharedFiles {
            return self.launch_by_mail(request, passed, plan);
        }
        let moves: Vec<FdMove> = passed
            .iter()
            .map(|one| FdMove { source: one.source.as_raw_fd(), target: one.target })
            .collect();
        let steps = plan(&moves);
        let flags = match path {
            SpawnPath::SharedMemory => libc::CLONE_VM | libc::CLONE_VFORK,
            _ => libc::CLONE_VFORK,
        };
        let start = Start { request, steps: &steps };
        self.clone(path, flags, Table::Copied, &start)
    }

    fn launch_by_mail(
        &mut self,
        request: &Request,
        passed: &[PassedFd<'_>],
        plan: fn(&[FdMove]) -> Vec<FdStep>,
    ) -> Result<Cloned, LaunchError> {
        if passed.len() > MAX_FDS {
            return Err(LaunchError::TooMany { count: passed.len(), most: MAX_FDS });
        }
        let mailbox = self.mailbox().map_err(LaunchError::Path)?;
        if !mailbox.is_low() {
            let message = "the mailbox lies too high: call reserve_spawn_fds() first in main";
            return Err(LaunchError::Path(io::Error::other(message)));
        }
        let (receiver, sender) = (mailbox.receiver(), mailbox.sender());
        // The i-th descriptor lands on the i-th number that is free beside the receiver.
        let moves: Vec<FdMove> = passed
            .iter()
            .zip((0..).filter(|number| *number != receiver))
            .map(|(one, source)| FdMove { source, target: one.target })
            .collect();
        let mut steps = plan(&moves);
        // Received without close-on-exec.
        steps.retain(|step| !matches!(step, FdStep::Keep { .. }));
        // Where each landed on its target only the receiver is to be closed: by its number, for
        // whoever shares this table may have taken its close-on-exec flag away.
        if steps.iter().all(|step| matches!(step, FdStep::Close { .. })) {
            let receiver = receiver.cast_unsigned();
            steps = vec![FdStep::Close { first: receiver, last: receiver }];
        }
        if !passed.is_empty() {
            let fds: Vec<BorrowedFd<'_>> = passed.iter().map(|one| one.source).collect();
            mailbox.send(&fds).map_err(|error| match error {
                Errno::BADF => LaunchError::Child(Step::FdMap, libc::EBADF),
                error => LaunchError::Path(error.into()),
            })?;
        }
        let table = Table::Shared { receiver, sender, count: passed.len() };
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
        let start = Start { request, steps: &steps };
        let result = self.clone(SpawnPath::SharedFiles, flags, table, &start);
        let report: &Report = self.report.as_ref();
        if !passed.is_empty()
            && !report.has_received()
            && let Some(mailbox) = &self.mailbox
        {
            mailbox.drain();
        }
        result
    }

    fn clone(
        &mut self,
        path: SpawnPath,
        flags: c_int,
        table: Table,
        start: &Start<'_>,
    ) -> Result<Cloned, LaunchError> {
        let request = start.request;
        let limits: Vec<(c_int, KernelLimit)> =
            request.limits.iter().map(|(which, limit)| kernel_limit(*which, *limit)).collect();
        let cpus = request.cpus.as_deref().map(affinity_mask);
        let score = request.oom_score_adj.map(|score| score.to_string());
        let environment = Environment::of(request);
        let parent = Parent::new(self.made_in.owner(), request.parent_death_signal.is_some());
        let report: &Report = self.report.as_ref();
        report.clear();
        let old_mask = raw::set_mask(u64::MAX).map_err(os_error)?;
        // From here until it is settled nothing interrupts this thread.
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
            cpus: cpus.as_deref(),
            oom_score_adj: score.as_deref().map(str::as_bytes),
            steps: start.steps,
            table,
            mask: if request.inherit_signals { inherited(old_mask) } else { 0 },
            parent,
            report,
        };
        let cells = place.as_ref().map(Place::cells);
        let start = || clone(flags, self.stack.top(), &job, cells);
        let shares_memory = flags & libc::CLONE_VM != 0;
        let cloned = if shares_memory && request.credentials.change_ids() {
            dumpable::kept(start)
        } else {
            start()
        };
        let settled = match cloned {
            Ok((pid, pidfd)) => Ok((pid, settle(place.as_ref(), pid, pidfd))),
            Err(errno) => Err(errno),
        };
        raw::set_mask(old_mask).map_err(os_error)?;
        let (pid, pidfd) = settled.map_err(os_error)?;
        let failure = report.read();
        let Some(failure) = failure else { return Ok(Cloned { pid, place, pidfd, path }) };
        drop(place);
        wait::reap_failed(pid, pidfd.as_ref());
        Err(match failure {
            Failure::Refused(errno) => LaunchError::Path(io::Error::from_raw_os_error(errno)),
            Failure::At(step, errno) => LaunchError::Child(step, errno),
        })
    }
}

/// What differs from child to child.
struct Start<'a> {
    request: &'a Request,
    steps: &'a [FdStep],
}

fn os_error(errno: i32) -> LaunchError {
    LaunchError::Clone(io::Error::from_raw_os_error(errno))
}

/// Makes the child known to its place, and its pidfd one that is no standard stream: on 0, 1 or 2,
/// where those were closed, it would be taken for one.
fn settle(place: Option<&Place>, pid: u32, pidfd: Option<OwnedFd>) -> Option<OwnedFd> {
    let copy = pidfd
        .as_ref()
        .filter(|pidfd| pidfd.as_raw_fd() <= 2)
        .and_then(|pidfd| fcntl_dupfd_cloexec(pidfd, 3).ok());
    let (kept, closed) = if copy.is_some() { (copy, pidfd) } else { (pidfd, None) };
    if let Some(place) = place {
        place.settle(pid, kept.as_ref().map(AsFd::as_fd));
    }
    drop(closed); // not before the place has the other one
    kept
}

/// The entry of a child, on its own stack.
extern "C" fn enter(job: *mut c_void) -> c_int {
    // SAFETY: `clone` below passes a pointer to a `Job` that it borrows until the child has exec'd
    // or ended; in a child with copied memory it leads to the copy.
    let job: &Job<'_> = unsafe { &*job.cast::<Job<'_>>() };
    child::run(job)
}

/// Clones; returns in the parent once the child has exec'd or ended.
///
/// Without a pidfd where the flag that asks for one is refused, in whatever way an emulator or a filter
/// does that; an old kernel ignores it.
///
/// A child with a place has its number there before its first instruction. It writes that itself into
/// memory that it shares; where it has a copy, the parent's side of the kernel does, in place of the
/// pidfd, which is then opened: the child is not reaped.
fn clone(
    flags: c_int,
    stack: *mut c_void,
    job: &Job<'_>,
    cells: Option<Cells>,
) -> Result<(u32, Option<OwnedFd>), i32> {
    let mut pidfd: c_int = -1;
    let (to_parent, to_child) = match cells {
        Some(cells) if flags & libc::CLONE_VM == 0 => {
            let told = Told { parent: cells.pid, child: ptr::null_mut() };
            let pid = clone_once(flags | libc::CLONE_PARENT_SETTID, stack, job, told)?;
            return Ok((pid, open_pidfd(pid)));
        }
        Some(cells) => (cells.pidfd, cells.pid),
        None => (&raw mut pidfd, ptr::null_mut()),
    };
    let flags = if to_child.is_null() { flags } else { flags | libc::CLONE_CHILD_SETTID };
    let told = Told { parent: to_parent, child: to_child };
    match clone_once(flags | libc::CLONE_PIDFD, stack, job, told) {
        Ok(pid) => Ok((pid, made_pidfd(to_parent))),
        Err(errno) if is_shortage(errno) => Err(errno),
        Err(_) => Ok((clone_once(flags, stack, job, told)?, None)),
    }
}

/// Whether a clone failed for what may be there the next time, and not for what it asked.
fn is_shortage(errno: i32) -> bool {
    matches!(errno, libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE)
}

/// Where the kernel writes in the course of a clone, as its flags say.
#[derive(Clone, Copy)]
struct Told {
    /// By the parent's side.
    parent: *mut c_int,
    /// By the child's, before its first instruction.
    child: *mut c_int,
}

fn clone_once(flags: c_int, stack: *mut c_void, job: &Job<'_>, told: Told) -> Result<u32, i32> {
    let argument: *mut c_void = ptr::from_ref(job).cast_mut().cast();
    let no_tls = ptr::null_mut::<c_void>();
    // SAFETY: `stack` is the top of a mapping of this thread that no other child uses: with
    // CLONE_VFORK the call returns when the child has left it. `enter` only reads the job. All
    // signals are blocked, so that no handler runs in the child. What the kernel writes to is a local
    // of the caller's, or lives for ever.
    let pid = unsafe {
        libc::clone(enter, stack, flags | libc::SIGCHLD, argument, told.parent, no_tls, told.child)
    };
    u32::try_from(pid).map_err(|_| raw::last_errno())
}

/// The descriptor that the kernel has made, if it has.
fn made_pidfd(written: *const c_int) -> Option<OwnedFd> {
    // SAFETY: the cell of a clone that was just made: a local, or one of the table. Others only read.
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

/// One bit a processor, in words as the kernel takes them.
fn affinity_mask(cpus: &[usize]) -> Vec<usize> {
    let bits = usize::BITS as usize;
    let highest = cpus.iter().max().copied().unwrap_or(0).min(1 << 16);
    let mut mask = vec![0_usize; highest / bits + 1];
    for &cpu in cpus.iter().filter(|cpu| **cpu <= highest) {
        mask[cpu / bits] |= 1 << (cpu % bits);
    }
    mask
}

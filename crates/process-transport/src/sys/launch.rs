//! The parent's half of a launch: a stack for the child, the page for its report, the signal mask
//! around the clone, and the result.

#[cfg(feature = "reactor")]
pub(super) mod reserved;

use std::cell::RefCell;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use procession_core::Signal;
use procession_protocol::SpawnPath;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::attempts::{self, LaunchMode};
use super::child::{Descriptors, Job};
use super::clone;
use super::confirm::Confirmation;
use super::dumpable;
use super::environment::Environment;
use super::fd_step::{FdMove, FdStep};
use super::limits::kernel_limit;
use super::mailbox::{MAX_FDS, Mailbox};
use super::mapping::Mapping;
use super::mask::inherited;
use super::outcome::{ChildId, Cloned, LaunchError, PassedFd, PeekOutcome};
use super::owned::{self, Place};
use super::parent::ParentIdentity;
use super::raw::{self, KernelLimit};
use super::report::{Report, ReportedFailure, Reporter, Stage};
use super::request::{Birthplace, Request};
use super::signal;
use super::step::Step;
use super::table::{Passing, Shared, Table};
use super::this_process::ProcessMark;
use super::wait;

/// What a thread needs for spawning, made at its first spawn and kept.
struct Launcher {
    /// The process that made it. A forked copy inherits socketpair and report, and would get the
    /// mail of its parent's children. So it makes its own.
    made_in: ProcessMark,
    stack: Mapping,
    report: Mapping,
    /// `None` before the first use, or after a failure to make it.
    mailbox: Option<Mailbox>,
}

thread_local! {
    static LAUNCHER: RefCell<Option<Launcher>> = const { RefCell::new(None) };
}

/// Makes this thread's mailbox now, so that it gets a low number; see `reserve_spawn_fds`.
pub(crate) fn reserve() -> io::Result<()> {
    with_launcher(|launcher| launcher.mailbox().map(drop))
}

/// Does the same if the thread has no mailbox; the launch checks an existing one.
pub(crate) fn reserve_first() -> io::Result<()> {
    let is_own = |one: &Launcher| one.mailbox.is_some() && one.made_in.is_own();
    let is_there = with_slot(|slot| Ok(slot.as_ref().is_some_and(is_own)))?;
    if is_there { Ok(()) } else { reserve() }
}

/// Returns the number of this process, without a call if this thread has launched before.
pub(crate) fn own_pid() -> u32 {
    let known = with_slot(|slot| {
        Ok(slot.as_ref().filter(|one| one.made_in.is_own()).map(|one| one.made_in.owner()))
    });
    known.ok().flatten().unwrap_or_else(std::process::id)
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

/// Calls with this thread's launcher. Fails at the end of the thread, in the destructor of another
/// thread-local value. Also fails while the launcher is in use, in code that a fork runs for
/// others.
fn with_slot<R>(call: impl FnOnce(&mut Option<Launcher>) -> io::Result<R>) -> io::Result<R> {
    let borrowed = LAUNCHER.try_with(|slot| match slot.try_borrow_mut() {
        Ok(mut slot) => call(&mut slot),
        Err(_) => Err(io::Error::other("this thread is spawning")),
    });
    borrowed.unwrap_or_else(|_| Err(io::Error::other("this thread is ending")))
}

/// Starts a child. `plan` returns the steps that move the descriptors from where the child finds
/// them to their targets; `passed` is sorted by target.
pub(crate) fn launch(
    mode: LaunchMode,
    request: &Request,
    passed: &[PassedFd<'_>],
    plan: fn(&[FdMove]) -> Vec<FdStep>,
) -> Result<Cloned, LaunchError> {
    with_launcher(|launcher| Ok(launcher.launch(mode, request, passed, plan)))
        .map_err(LaunchError::Clone)?
}

impl Launcher {
    fn new() -> io::Result<Self> {
        let (stack, report) = (Mapping::stack()?, Mapping::shared_page()?);
        Ok(Self { made_in: ProcessMark::new()?, stack, report, mailbox: None })
    }

    /// Returns a mailbox that exists and that no other program holds. If a receiver has lost its
    /// close-on-exec flag, which any code in this process can clear, a child of other code may have
    /// it by now.
    fn mailbox(&mut self) -> io::Result<&Mailbox> {
        if self.mailbox.as_ref().is_none_or(|mailbox| !mailbox.is_whole()) {
            self.mailbox = None;
            self.mailbox = Some(Mailbox::new()?);
        }
        self.mailbox.as_ref().ok_or_else(|| io::Error::other("made above"))
    }

    /// Returns how the child gets its descriptors from a shared table, with the numbers of the mailbox.
    /// If that is by mail, the descriptors are in the mailbox.
    fn pass(&mut self, passed: &[PassedFd<'_>]) -> Result<Shared, LaunchError> {
        let mut is_new = false;
        loop {
            let mailbox = self.mailbox().map_err(LaunchError::Path)?;
            if !mailbox.is_low() {
                let message = "the mailbox lies too high: call reserve_spawn_fds() first in main";
                return Err(LaunchError::Path(io::Error::other(message)));
            }
            let (receiver, sender) = (mailbox.receiver(), mailbox.sender());
            let table = |passing| Shared { receiver, sender, passing };
            if Passing::can_be_by_numbers(passed, mailbox) {
                return Ok(table(Passing::Numbers));
            }
            if passed.len() > MAX_FDS {
                return Err(LaunchError::TooMany { count: passed.len(), most: MAX_FDS });
            }
            let fds: Vec<BorrowedFd<'_>> = passed.iter().map(|one| one.source).collect();
            match if fds.is_empty() { Ok(()) } else { mailbox.send(&fds) } {
                Ok(()) => return Ok(table(Passing::Mail { count: fds.len() })),
                Err(Errno::BADF) => return Err(LaunchError::Child(Step::FdMap, libc::EBADF)),
                // Other code has closed the receiver.
                Err(Errno::PIPE | Errno::CONNRESET | Errno::CONNREFUSED) if !is_new => {
                    is_new = true;
                    self.mailbox = None;
                }
                Err(error) => return Err(LaunchError::Path(error.into())),
            }
        }
    }

    fn launch(
        &mut self,
        mode: LaunchMode,
        request: &Request,
        passed: &[PassedFd<'_>],
        plan: fn(&[FdMove]) -> Vec<FdStep>,
    ) -> Result<Cloned, LaunchError> {
        if mode.path == SpawnPath::SharedFiles {
            return self.launch_in_shared_table(mode, request, passed, plan);
        }
        let forks = !request.pre_exec.is_empty();
        let confirmation = if forks {
            Some(Confirmation::new(passed).map_err(LaunchError::Clone)?)
        } else if attempts::clone_waits() {
            None
        } else {
            // Without the pipe, the clone is trusted to wait, as on every kernel.
            Confirmation::new(passed).ok()
        };
        let mut all: Vec<PassedFd<'_>> = passed.to_vec();
        all.extend(confirmation.as_ref().map(Confirmation::kept));
        let moves: Vec<FdMove> = all
            .iter()
            .map(|one| FdMove { source: one.source.as_raw_fd(), target: one.target })
            .collect();
        let (steps, until_exec) = (plan(&moves), until_exec(&all));
        let fds = Descriptors {
            steps: &steps,
            table: Table::Copied,
            until_exec: &until_exec,
            is_plain: mode.is_plain,
            may_be_stale: false,
        };
        self.start(mode, request, fds, confirmation)
    }

    fn launch_in_shared_table(
        &mut self,
        mode: LaunchMode,
        request: &Request,
        passed: &[PassedFd<'_>],
        plan: fn(&[FdMove]) -> Vec<FdStep>,
    ) -> Result<Cloned, LaunchError> {
        let shared = self.pass(passed)?;
        let (steps, until_exec) = (shared.steps(passed, plan), until_exec(passed));
        let fds = Descriptors {
            steps: &steps,
            table: Table::Shared(shared),
            until_exec: &until_exec,
            is_plain: mode.is_plain,
            may_be_stale: attempts::may_be_stale(),
        };
        let result = self.start(mode, request, fds, None);
        let report: &Report = self.report.as_ref();
        if matches!(shared.passing, Passing::Mail { count } if count > 0)
            && !report.has_received()
            && let Some(mailbox) = &self.mailbox
        {
            mailbox.drain();
        }
        if report.is_sound() {
            attempts::on_sound();
        }
        result
    }

    fn start(
        &mut self,
        mode: LaunchMode,
        request: &Request,
        fds: Descriptors<'_>,
        confirmation: Option<Confirmation>,
    ) -> Result<Cloned, LaunchError> {
        let path = mode.path;
        let limits: Vec<(c_int, KernelLimit)> =
            request.limits.iter().map(|(which, limit)| kernel_limit(*which, *limit)).collect();
        let cpus = request.affinity_mask();
        let score = request.oom_score_adj.map(|score| score.to_string());
        let environment = Environment::of(request, self.made_in.owner());
        let is_watched = request.parent_death_signal.is_some();
        let may_be_elsewhere = is_watched && attempts::may_be_elsewhere();
        let parent = ParentIdentity::new(self.made_in.owner(), may_be_elsewhere);
        let report: &Report = self.report.as_ref();
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
            cpus: cpus.as_deref(),
            oom_score_adj: score.as_deref().map(str::as_bytes),
            fds,
            mask: match request.callers_mask {
                Some(mask) => mask,
                None if request.inherit_signals => inherited(old_mask),
                None => 0,
            },
            parent,
            report: Reporter::new(report),
        };
        let cloned = self.clone(mode, &job, place.as_ref());
        // Holds if the clone has waited; then no wait follows.
        let has_waited = job.report.has_run_here() && is_decided(report);
        let settled = match cloned {
            Ok((pid, pidfd)) => Ok((pid, clone::settle(place.as_ref(), pid, pidfd))),
            Err(errno) => Err(errno),
        };
        raw::set_mask(old_mask).map_err(os_error)?;
        let (pid, pidfd) = settled.map_err(os_error)?;
        if let Some(confirmation) = confirmation
            && let Err(errno) = confirmation.wait(pidfd.as_ref().map(AsFd::as_fd))
        {
            drop(place);
            end_failed(pid, pidfd.as_ref());
            return Err(os_error(errno));
        }
        wait_until_decided(report, pid, pidfd.as_ref());
        let path = if path == SpawnPath::Fork {
            path
        } else if has_waited {
            attempts::on_memory(true);
            path
        } else if report.stage() > Stage::Cloned && !job.report.has_run_here() {
            attempts::on_memory(false);
            SpawnPath::Fork
        } else {
            path
        };
        let Some(failure) = report.failure() else {
            let stage = report.stage();
            if is_watched && stage == Stage::Execs {
                attempts::on_namespace(report.is_elsewhere());
            }
            let ended_by = (stage < Stage::Execs)
                .then(|| wait::ended_by(ChildId::of(pid, pidfd.as_ref())))
                .flatten();
            let child = Cloned { pid, place, pidfd, path };
            let birthplace = request.birthplace.as_ref().filter(|_| stage == Stage::Cloned);
            return match ended_by {
                Some(libc::SIGSYS) => {
                    let in_close_range = stage == Stage::Closing;
                    Err(LaunchError::Killed { child: Box::new(child), in_close_range })
                }
                Some(libc::SIGKILL) if birthplace.is_some_and(Birthplace::on_killed_at_birth) => {
                    Err(LaunchError::KilledAtBirth(Box::new(child)))
                }
                _ => Ok(child),
            };
        };
        drop(place);
        end_failed(pid, pidfd.as_ref());
        Err(match failure {
            ReportedFailure::Refused(errno) => LaunchError::Refused(errno),
            ReportedFailure::At(step, errno) => LaunchError::Child(step, errno),
        })
    }

    fn clone(
        &self,
        mode: LaunchMode,
        job: &Job<'_>,
        place: Option<&Place>,
    ) -> Result<(u32, Option<OwnedFd>), i32> {
        if !job.request.pre_exec.is_empty() {
            return clone::fork(job);
        }
        let path = mode.path;
        let flags = match path {
            SpawnPath::SharedFiles => libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES,
            SpawnPath::SharedMemory => libc::CLONE_VM | libc::CLONE_VFORK,
            _ => libc::CLONE_VFORK,
        };
        let start = || clone::clone(flags, self.stack.top(), job, place.map(Place::cells));
        let cloned = if path != SpawnPath::Fork && job.request.credentials.change_ids() {
            dumpable::kept(start)
        } else {
            start()
        };
        self.stack.forget_frames();
        cloned
    }
}

/// Takes back a child that has ended before its exec.
pub(crate) fn discard(child: Cloned) {
    drop(child.place);
    end_failed(child.pid, child.pidfd.as_ref());
}

/// Returns the numbers that the child has until its exec.
fn until_exec(passed: &[PassedFd<'_>]) -> Vec<c_int> {
    passed.iter().filter(|one| one.until_exec).map(|one| one.target).collect()
}

/// Returns whether the child is about to exec, or has failed.
fn is_decided(report: &Report) -> bool {
    report.stage() == Stage::Execs || report.failure().is_some()
}

/// Waits until the child is decided, which it normally is by now. Exceptions: a child that was
/// killed is about to end; a child is still on its way if its closure closed the confirmation pipe,
/// or if its clone did not wait.
fn wait_until_decided(report: &Report, pid: u32, pidfd: Option<&OwnedFd>) {
    let moment = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    while !is_decided(report) && wait::peek(ChildId::of(pid, pidfd)) == PeekOutcome::Running {
        let mut end: Vec<_> = pidfd.iter().map(|fd| PollFd::new(*fd, PollFlags::IN)).collect();
        poll(&mut end, Some(&moment)).ok(); // a signal may cut it short
    }
}

fn os_error(errno: i32) -> LaunchError {
    LaunchError::Clone(io::Error::from_raw_os_error(errno))
}

/// Ends a child that has failed before its exec. It has reported and exits at once unless something
/// stops it, so this is short.
fn end_failed(pid: u32, pidfd: Option<&OwnedFd>) {
    let child = ChildId::of(pid, pidfd);
    signal::send(child, Signal::KILL).ok(); // the child may have ended already
    wait::reap_killed(child);
}

//! Everything that runs between clone and exec.
//!
//! # Model
//!
//! A new process enters [`run`]: on its own stack, with every signal blocked, and on the shared
//! paths in its parent's memory, while the parent's thread stands still. It walks the ready-made
//! slices of a [`Job`] in the order of [`Step`], and ends in `execve` or by reporting {step, errno}
//! through the shared page. It allocates nothing, takes no lock, drops no owner and calls no
//! foreign code (except `pre_exec` closures, on the path that copies memory). It cannot unwind: a
//! closure that panics aborts the child.
//!
//! On the path with shared files the child also shares its parent's descriptor table until its first system
//! call has succeeded. A check after that call makes sure of it before the child touches anything
//! else.

use std::ffi::{c_char, c_int};
use std::{mem, process};

use super::close;
use super::closing::CloseOptions;
use super::fd_step::FdStep;
use super::join::join;
use super::parent::ParentIdentity;
use super::raw::{self, Call};
use super::report::{Reporter, Stage};
use super::request::{Group, Request};
#[cfg(target_os = "linux")]
use super::stale;
use super::step::Step;
use super::table::{Passing, Shared, Table};

/// The highest signal number; 0 is no signal.
const SIGNALS: c_int = 64;

/// The signals that can be neither caught nor ignored.
const FIXED: [c_int; 2] = [libc::SIGKILL, libc::SIGSTOP];

/// The signals by which a terminal stops a process.
const STOPS: [c_int; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// The work of a child, all of it prepared before the clone.
pub(super) struct Job<'a> {
    pub(super) request: &'a Request,
    /// The environment that the program starts with.
    pub(super) envp: *const *const c_char,
    /// Kernel forms of `request.limits` and `request.cpus`.
    pub(super) limits: &'a [(c_int, raw::KernelLimit)],
    pub(super) cpus: Option<&'a [usize]>,
    pub(super) oom_score_adj: Option<&'a [u8]>,
    pub(super) fds: Descriptors<'a>,
    /// The signal mask that the program starts with.
    pub(super) mask: u64,
    /// Needed for the parent death signal.
    pub(super) parent: ParentIdentity,
    pub(super) report: Reporter<'a>,
}

/// How the child gets its descriptors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descriptors<'a> {
    pub(super) steps: &'a [FdStep],
    pub(super) table: Table,
    /// Numbers of the map that the exec closes.
    pub(super) until_exec: &'a [c_int],
    /// Avoid `close_range` where it is not essential.
    pub(super) is_plain: bool,
    /// The kernel may have the fault of `stale`.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no table is shared there"))]
    pub(super) may_be_stale: bool,
}

/// Runs the child. Returns the status to end with if no program was executed.
pub(super) fn run(job: &Job<'_>) -> c_int {
    job.report.on_running();
    if let Err(errno) = own_table(job) {
        job.report.on_refused(errno);
        return 127;
    }
    let (step, errno) = prepare_and_exec(job);
    job.report.on_failed(step, errno);
    127
}

/// Makes sure that the descriptor table is the child's own, with the descriptors that it gets.
fn own_table(job: &Job<'_>) -> Call {
    let Table::Shared(shared) = job.fds.table else { return Ok(()) };
    let (Shared { receiver, sender, passing }, cut) = (shared, shared.cut());
    let full = full_word(job, cut); // this only reads the table
    job.report.on_stage(Stage::Closing);
    // The first of all system calls: a change before it would change the parent's table.
    raw::unshare_from(above(cut))?;
    // The proof, because a filter may have faked the success. The parent never closes its end.
    if raw::is_open(sender) {
        return Err(libc::EPERM);
    }
    if receiver > 0 && passing != Passing::Numbers {
        raw::close_range(0, above(receiver) - 2, 0)?;
    }
    job.report.on_stage(Stage::Running);
    check_stale_mark(job, receiver, full)?;
    match passing {
        Passing::Mail { count } if count > 0 => {
            raw::receive_fds(receiver, count)?;
            job.report.on_received();
        }
        Passing::Mail { .. } | Passing::Numbers => {}
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn full_word(job: &Job<'_>, cut: c_int) -> Option<c_int> {
    if job.fds.may_be_stale { stale::full_word_above(cut) } else { None }
}

/// Checks for a stale mark in the copy, if the table had a word that leaves one.
#[cfg(target_os = "linux")]
fn check_stale_mark(job: &Job<'_>, receiver: c_int, full: Option<c_int>) -> Call {
    let Some(first) = full else { return Ok(()) };
    if stale::is_stale(receiver, first) {
        return Err(libc::EBADF);
    }
    job.report.on_sound();
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn full_word(_: &Job<'_>, _: c_int) -> Option<c_int> {
    None
}

#[cfg(not(target_os = "linux"))]
fn check_stale_mark(_: &Job<'_>, _: c_int, _: Option<c_int>) -> Call {
    Ok(())
}

/// Returns the number after `fd`.
fn above(fd: c_int) -> u32 {
    fd.cast_unsigned().wrapping_add(1)
}

/// One action of the child.
type ChildAction = fn(&Job<'_>) -> Call;

/// Does everything from the fd map to the exec; returns only with the failure.
fn prepare_and_exec(job: &Job<'_>) -> (Step, i32) {
    let steps: [(Step, ChildAction); 19] = [
        (Step::FdMap, fd_map),
        (Step::FdMap, name_pid),
        (Step::Scope, scope),
        (Step::Session, session),
        (Step::ControllingTerminal, controlling_terminal),
        (Step::ProcessGroup, process_group),
        (Step::Priority, oom_score_adj),
        (Step::Limits, limits),
        (Step::Umask, umask),
        (Step::Priority, priority),
        (Step::Chdir, chdir),
        (Step::Groups, groups),
        (Step::Gid, gid),
        (Step::Uid, uid),
        (Step::Capabilities, ambient),
        (Step::ParentDeathSignal, parent_death_signal),
        (Step::Signals, dispositions),
        (Step::Signals, mask),
        (Step::Signals, pre_exec),
    ];
    for (step, call) in steps {
        if let Err(errno) = call(job) {
            return (step, errno);
        }
    }
    job.report.on_stage(Stage::Execs);
    (Step::Exec, exec(job))
}

/// In a copied table, the exec closes numbers from here on. The parent goes on before the exec has
/// closed anything, so the child would hold a port that the parent listened on, or an end of a
/// connection, for some microseconds longer. But closing thousands would delay the parent for long.
const MARKED_FROM: u32 = 1024;

fn fd_map(job: &Job<'_>) -> Call {
    let marked_from = match job.fds.table {
        Table::Shared(_) => None,
        // A closure may use the parent's descriptors.
        Table::Copied if !job.request.pre_exec.is_empty() => Some(0),
        Table::Copied => Some(MARKED_FROM),
    };
    let closing = CloseOptions { marked_from, is_plain: job.fds.is_plain };
    for step in job.fds.steps {
        match *step {
            FdStep::Dup { from, to } => raw::dup(from, to, false)?,
            FdStep::DupCloexec { from, to } => raw::dup(from, to, true)?,
            FdStep::Keep { fd } => raw::set_cloexec(fd, false)?,
            FdStep::Close { first, last } => {
                job.report.on_stage(Stage::Closing);
                close::close(first, last, closing)?;
                job.report.on_stage(Stage::Running);
            }
        }
    }
    for fd in job.fds.until_exec {
        raw::set_cloexec(*fd, true)?;
    }
    Ok(())
}

/// Writes the variable that says for which process its descriptors are.
fn name_pid(job: &Job<'_>) -> Call {
    let Some(envp) = &job.request.envp else { return Ok(()) };
    // A filter may refuse the call.
    let pid = || u32::try_from(raw::pid()).map_err(|_| libc::EPERM);
    envp.pid().map_or(Ok(()), |variable| pid().map(|pid| variable.set(pid)))
}

/// Goes to the cgroup of the command.
fn scope(job: &Job<'_>) -> Call {
    job.request.birthplace.as_ref().map_or(Ok(()), join)
}

fn session(job: &Job<'_>) -> Call {
    if job.request.group == Group::Session { raw::setsid() } else { Ok(()) }
}

fn controlling_terminal(job: &Job<'_>) -> Call {
    if job.request.controlling_terminal { raw::set_controlling_terminal(0) } else { Ok(()) }
}

fn process_group(job: &Job<'_>) -> Call {
    match job.request.group {
        Group::Process(group) => raw::setpgid(group),
        Group::Parent | Group::Session => Ok(()),
    }
}

fn limits(job: &Job<'_>) -> Call {
    for (resource, limit) in job.limits {
        raw::set_limit(*resource, limit)?;
    }
    Ok(())
}

fn umask(job: &Job<'_>) -> Call {
    job.request.umask.map_or(Ok(()), raw::umask)
}

fn priority(job: &Job<'_>) -> Call {
    if let Some(nice) = job.request.nice {
        raw::set_nice(nice)?;
    }
    if let Some(cpus) = job.cpus {
        raw::set_affinity(cpus)?;
    }
    Ok(())
}

/// Writes the OOM score adjustment. It opens a file, so it comes before the limits, which may leave
/// no number for one.
fn oom_score_adj(job: &Job<'_>) -> Call {
    if let Some(score) = job.oom_score_adj {
        let fd = raw::open_for_writing(c"/proc/self/oom_score_adj")?;
        raw::write(fd, score)?;
        raw::close(fd)?;
    }
    Ok(())
}

fn chdir(job: &Job<'_>) -> Call {
    job.request.cwd.as_ref().map_or(Ok(()), |dir| raw::chdir(dir.as_ptr()))
}

fn groups(job: &Job<'_>) -> Call {
    let credentials = &job.request.credentials;
    match credentials.groups.as_deref().map_or(Ok(()), raw::setgroups) {
        Err(libc::EPERM) if credentials.groups_may_stay => Ok(()),
        result => result,
    }
}

fn gid(job: &Job<'_>) -> Call {
    job.request.credentials.gid.map_or(Ok(()), raw::setgid)
}

fn uid(job: &Job<'_>) -> Call {
    job.request.credentials.uid.map_or(Ok(()), raw::setuid)
}

/// Clears the ambient set. What a change of ids leaves in it would let the program take on any
/// identity again.
fn ambient(job: &Job<'_>) -> Call {
    if job.request.credentials.clears_ambient { raw::clear_ambient() } else { Ok(()) }
}

/// Sets the parent death signal, after the change of ids, which would clear it. A parent that is
/// already gone sends no signal any more, so the child then raises it itself.
fn parent_death_signal(job: &Job<'_>) -> Call {
    let Some(signal) = job.request.parent_death_signal else { return Ok(()) };
    raw::set_parent_death_signal(signal)?;
    if job.parent.is_gone(|| job.report.on_elsewhere()) {
        raw::set_default(signal).ok(); // KILL and STOP have no disposition to set
        raw::raise(signal)?;
        if signal == libc::SIGKILL {
            // The first process of a PID namespace cannot kill itself.
            raw::exit(128 + signal);
        }
    }
    Ok(())
}

/// Resets the dispositions. No handler of the parent may run here, so the handlers are removed
/// before the mask is opened.
fn dispositions(job: &Job<'_>) -> Call {
    let inherit = job.request.inherit_signals;
    for signal in 1..=SIGNALS {
        if FIXED.contains(&signal) || STOPS.contains(&signal) {
            continue;
        }
        if !inherit || raw::is_caught(signal) {
            raw::set_default(signal)?;
        }
    }
    // A stop signal from the terminal, pending behind the mask, would stop this process before its
    // exec, and the parent with it. A handler swallows the signal; the exec restores the default.
    for signal in STOPS {
        if !inherit || !raw::is_ignored(signal) {
            raw::set_no_op(signal);
        }
    }
    Ok(())
}

fn mask(job: &Job<'_>) -> Call {
    raw::set_mask(job.mask).map(drop)
}

/// Runs the closures after the mask is set, so that the program starts with the mask that a closure
/// leaves.
fn pre_exec(job: &Job<'_>) -> Call {
    let unwinding_ends_here = AbortOnDrop;
    let result = call_closures(job);
    mem::forget(unwinding_ends_here);
    result
}

fn call_closures(job: &Job<'_>) -> Call {
    for call in &job.request.pre_exec {
        // The error is dropped here; its drop is foreign code as well.
        (call.0)().map_err(|error| error.raw_os_error().unwrap_or(libc::EINVAL))?;
    }
    Ok(())
}

/// Ends the process when foreign code panics. If the child unwound further, it would go on as a
/// second copy of the program, from the point that catches panics.
struct AbortOnDrop;

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        // This is async-signal-safe, and also ends the first process of a PID namespace.
        process::abort();
    }
}

/// Tries the candidates in order, ranking errors as `execvp(3)` does.
fn exec(job: &Job<'_>) -> i32 {
    let request = job.request;
    let (argv, envp) = (request.argv.as_ptr(), job.envp);
    let candidates: &[*const c_char] = request.candidates();
    if let [only] = candidates
        && !request.searched
    {
        return raw::execve(*only, argv, envp);
    }
    let mut denied = false;
    for &path in candidates {
        match raw::execve(path, argv, envp) {
            libc::EACCES => denied = true,
            libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {}
            other => return other,
        }
    }
    if denied { libc::EACCES } else { libc::ENOENT }
}

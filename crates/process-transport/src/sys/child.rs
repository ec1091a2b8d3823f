//! All that runs between clone and exec.
//!
//! # Model
//!
//! [`run`] is entered in a new process: on a stack of its own, with every signal blocked, and on the
//! shared paths in its parent's memory, while the parent's thread stands still. It walks the
//! ready-made slices of a [`Job`], in the order of [`Step`], and ends in `execve` or by reporting
//! {step, errno} through the shared page. It allocates nothing, takes no lock, drops no owner, calls
//! no foreign code (but `pre_exec` closures, on the path that copies memory), and cannot unwind: a
//! closure that panics aborts the child.
//!
//! On the mailbox path it also shares its parent's descriptor table until the first system call has
//! succeeded; the check after it makes sure of that before anything else is touched.

use super::close;
use super::closing::Closing;
use super::fd_step::FdStep;
use super::parent::Parent;
use super::raw::{self, Call};
use super::report::{Reporter, Stage};
use super::request::{Group, Request};
#[cfg(target_os = "linux")]
use super::stale;
use super::step::Step;
use std::ffi::{c_char, c_int};
use std::{mem, process};

/// The signals there are; 0 is none.
const SIGNALS: c_int = 64;

/// Those that are neither caught nor ignored.
const FIXED: [c_int; 2] = [libc::SIGKILL, libc::SIGSTOP];

/// Those by which a terminal stops a process.
const STOPS: [c_int; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// What a child is to do, all of it made before the clone.
pub(super) struct Job<'a> {
    pub(super) request: &'a Request,
    /// What the program starts with.
    pub(super) envp: *const *const c_char,
    /// Kernel forms of `request.limits` and `request.cpus`.
    pub(super) limits: &'a [(c_int, raw::KernelLimit)],
    pub(super) cpus: Option<&'a [usize]>,
    pub(super) oom_score_adj: Option<&'a [u8]>,
    pub(super) fds: Descriptors<'a>,
    /// The mask with which the program starts.
    pub(super) mask: u64,
    /// For the parent death signal.
    pub(super) parent: Parent,
    pub(super) report: Reporter<'a>,
}

/// How its descriptors come about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descriptors<'a> {
    pub(super) steps: &'a [FdStep],
    pub(super) table: Table,
    /// Numbers of the map that the exec closes.
    pub(super) until_exec: &'a [c_int],
    /// Without `close_range` where that can be done without.
    pub(super) is_plain: bool,
    /// The kernel may be one of those of `stale`.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no table is shared there"))]
    pub(super) may_be_stale: bool,
}

/// Whose descriptor table the child starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// A copy of the parent's.
    Copied,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux can share it"))]
    /// The parent's own, until it is unshared above `receiver`; `count` descriptors come by mail.
    /// `sender` lies above `receiver` and so is open only if the table is still shared.
    Shared { receiver: c_int, sender: c_int, count: usize },
}

/// The child's life. Never returns.
pub(super) fn run(job: &Job<'_>) -> ! {
    job.report.on_running();
    if let Err(errno) = own_table(job) {
        job.report.on_refused(errno);
        raw::exit(127);
    }
    let (step, errno) = prepare_and_exec(job);
    job.report.on_failed(step, errno);
    raw::exit(127)
}

/// Makes sure that the descriptor table is the child's own, holding what it is to get.
fn own_table(job: &Job<'_>) -> Call {
    let Table::Shared { receiver, sender, count } = job.fds.table else { return Ok(()) };
    let full = full_word(job, receiver); // it only looks
    job.report.on_stage(Stage::Closing);
    // First of all system calls: before it every change would be one of the parent's table.
    raw::unshare_from(above(receiver))?;
    // The proof: a filter may have faked the success. The parent never closes its end.
    if raw::is_open(sender) {
        return Err(libc::EPERM);
    }
    if receiver > 0 {
        raw::close_range(0, above(receiver) - 2, 0)?;
    }
    job.report.on_stage(Stage::Running);
    sound(job, receiver, full)?;
    if count > 0 {
        raw::receive_fds(receiver, count)?;
        job.report.on_received();
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn full_word(job: &Job<'_>, receiver: c_int) -> Option<c_int> {
    if job.fds.may_be_stale { stale::full_word_above(receiver) } else { None }
}

/// Finds out whether the copy has a stale mark, where the table had a word that leaves one.
#[cfg(target_os = "linux")]
fn sound(job: &Job<'_>, receiver: c_int, full: Option<c_int>) -> Call {
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
fn sound(_: &Job<'_>, _: c_int, _: Option<c_int>) -> Call {
    Ok(())
}

/// The number after `fd`.
fn above(fd: c_int) -> u32 {
    fd.cast_unsigned().wrapping_add(1)
}

/// One of the child's acts.
type Act = fn(&Job<'_>) -> Call;

/// Everything from the fd map to the exec; returns only to say what failed.
fn prepare_and_exec(job: &Job<'_>) -> (Step, i32) {
    let steps: [(Step, Act); 17] = [
        (Step::FdMap, fd_map),
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

/// In a copied table, numbers from here on are closed by the exec. The parent goes on before the exec
/// has closed anything, so that a port that it listened on, or the end of a connection, would be the
/// child's for some microseconds more; but to close thousands would hold the parent up for long.
const MARKED_FROM: u32 = 1024;

fn fd_map(job: &Job<'_>) -> Call {
    let marked_from = match job.fds.table {
        Table::Shared { .. } => None,
        // A closure may use what the parent has.
        Table::Copied if !job.request.pre_exec.is_empty() => Some(0),
        Table::Copied => Some(MARKED_FROM),
    };
    let closing = Closing { marked_from, is_plain: job.fds.is_plain };
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

/// Opens a file, so it comes before the limits, which may leave no number for one.
fn oom_score_adj(job: &Job<'_>) -> Call {
    if let Some(score) = job.oom_score_adj {
        let fd = raw::open_for_writing(c"/proc/self/oom_score_adj")?;
        raw::write(fd, score)?;
        raw::close(fd)?;
    }
    Ok(())
}

fn chdir(job: &Job<'_>) -> Call {
    for &dir in job.request.cwd.strings() {
        raw::chdir(dir)?;
    }
    Ok(())
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

/// What a change of ids leaves of the ambient set would let the program become anybody again.
fn ambient(job: &Job<'_>) -> Call {
    if job.request.credentials.clears_ambient { raw::clear_ambient() } else { Ok(()) }
}

/// After the id change, which would clear it. A parent that is gone sends no signal any more.
fn parent_death_signal(job: &Job<'_>) -> Call {
    let Some(signal) = job.request.parent_death_signal else { return Ok(()) };
    raw::set_parent_death_signal(signal)?;
    if job.parent.is_gone() {
        raw::set_default(signal).ok(); // KILL and STOP have no disposition to set
        raw::raise(signal)?;
        if signal == libc::SIGKILL {
            // The first process of a PID namespace cannot kill itself.
            raw::exit(128 + signal);
        }
    }
    Ok(())
}

/// No handler of the parent may run here: they are gone before the mask is opened.
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
    // A stop from the terminal that waits behind the mask would halt this process before its exec,
    // and the parent with it. A handler swallows it, and exec makes it the default again.
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

/// After the mask, so that the program starts with the one that a closure leaves.
fn pre_exec(job: &Job<'_>) -> Call {
    let unwinding_ends_here = AbortOnDrop;
    let result = call_closures(job);
    mem::forget(unwinding_ends_here);
    result
}

fn call_closures(job: &Job<'_>) -> Call {
    for call in &job.request.pre_exec {
        // The error is dropped here: that is foreign code as well.
        (call.0)().map_err(|error| error.raw_os_error().unwrap_or(libc::EINVAL))?;
    }
    Ok(())
}

/// Ends the process when foreign code panics. Unwound any further, the child would go on as a second
/// copy of the program, from where that catches panics.
struct AbortOnDrop;

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        // Async-signal-safe, and the first process of a PID namespace ends by it too.
        process::abort();
    }
}

/// Tries the candidates in order, ranking errors as `execvp(3)` does.
fn exec(job: &Job<'_>) -> i32 {
    let request = job.request;
    let (argv, envp) = (request.argv.as_ptr(), job.envp);
    let candidates: &[*const c_char] = request.candidates.strings();
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

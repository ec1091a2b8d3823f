//! Chooses among the three ways of spawning, and launches the child.

use std::io;

use super::ends::ParentEnd;
use super::exec_failure;
use super::misread::misread;
use super::prepare::{Policy, Prepared};
use super::terminal::Terminal;
use crate::error::{SpawnError, Step};
use crate::fd_plan;
use crate::own_children::{self, RunningLaunch};
use crate::scope::Branch;
use crate::sys::{self, Cloned, Group, LaunchError, Request};

/// A child that has begun its program, with everything that the parent has of it.
pub(crate) struct Launched {
    pub(crate) child: Cloned,
    /// The folder of an owned child in its scope.
    pub(crate) branch: Option<Branch>,
    pub(crate) ends: Vec<ParentEnd>,
    pub(crate) terminal: Option<Terminal>,
    pub(crate) policy: Policy,
    /// The highest resident set size of this process before the clone, in KiB.
    pub(crate) parent_peak_kib: i64,
}

/// Clones the child and waits until its exec is confirmed. On return the child's ends are closed
/// here.
pub(crate) fn launch(prepared: Prepared<'_>) -> Result<Launched, SpawnError> {
    let launching = own_children::launching(joined(prepared.request.group));
    let child = {
        let (passed, plan) = (prepared.ends.passed(), fd_plan::steps_for);
        let Prepared { command, request, .. } = &prepared;
        let launch = || sys::launch_on_best(request, command.spawn_path, &passed, plan);
        let frozen = || SpawnError::os(Step::Scope, &command.program, libc::EBUSY);
        let started = prepared.scope.while_thawed(launch);
        let started = started.ok_or_else(|| frozen().because("it is frozen"))?;
        started.map_err(|error| failed(&prepared, error))?
    };
    Ok(born(prepared, launching, child, sys::own_peak_kib()))
}

/// Returns the group of another process that a child joins.
fn joined(group: Group) -> Option<u32> {
    match group {
        Group::Process(group) => u32::try_from(group).ok().filter(|group| *group > 0),
        _ => None,
    }
}

/// Makes the value of a child that has begun its program.
fn born(
    prepared: Prepared<'_>,
    launching: RunningLaunch,
    mut child: Cloned,
    parent_peak_kib: i64,
) -> Launched {
    let (launch, leads_group) = (launching.number(), prepared.policy.leads_group);
    launching.born(child.pid, leads_group);
    if prepared.policy.without_pidfd {
        if let Some(place) = &child.place {
            place.forget_pidfd();
        }
        child.pidfd = None;
    }
    let Prepared { ends, scope, terminal, policy, .. } = prepared;
    let branch = scope.on_born(child.pid, child.pidfd.as_ref(), launch, leads_group);
    Launched { child, branch, ends: ends.parent, terminal, policy, parent_peak_kib }
}

/// Returns the error of a launch.
fn failed(prepared: &Prepared<'_>, error: LaunchError) -> SpawnError {
    match error {
        LaunchError::PreExec => {
            SpawnError::invalid("spawn_path", "closures of pre_exec need the path Fork")
        }
        LaunchError::Clone(error) => SpawnError::new(Step::Clone, &prepared.command.program, error),
        LaunchError::Path(error) => refused_path(error),
        LaunchError::Refused(errno) => refused_path(io::Error::from_raw_os_error(errno)),
        // Cannot happen: `launch_on_best` returns the child, or tries again.
        LaunchError::Killed { .. } | LaunchError::KilledAtBirth(_) => {
            SpawnError::os(Step::Exec, &prepared.command.program, libc::ECHILD)
        }
        LaunchError::TooMany { count, most } => {
            let why = format!("it hands on {most} descriptors at most, and not {count}");
            SpawnError::os(Step::Validate, "spawn_path", libc::ETOOMANYREFS).because(why)
        }
        LaunchError::Child(step, errno) => child_failure(prepared, step, errno),
    }
}

/// Returns the error of a forced path that does not work here.
fn refused_path(error: io::Error) -> SpawnError {
    SpawnError::new(Step::Validate, "spawn_path", error).with(": it does not work here")
}

/// Returns the error of a failure that the child reported.
fn child_failure(prepared: &Prepared<'_>, step: Step, errno: i32) -> SpawnError {
    if let (Step::Chdir, Some(dir)) = (step, &prepared.command.cwd) {
        let hint = misread(dir.as_os_str(), errno);
        return SpawnError::os(step, dir, errno).with(hint);
    }
    let error = SpawnError::os(step, &prepared.command.program, errno);
    match step {
        Step::FdMap => match prepared.ends.closed_source() {
            Some(number) => error.with(format!(": what child fd {number} is to be is not open")),
            None => error,
        },
        Step::Limits => {
            let limits = prepared.request.limits.iter();
            let named: Vec<String> = limits.map(|(which, _)| format!("{which:?}")).collect();
            error.with(format!(" ({})", named.join(" or ")))
        }
        Step::Priority => error.by(setting(&prepared.request)),
        Step::Groups => match bad_groups(&prepared.request, errno) {
            Some(why) => error.because(why),
            None => error,
        },
        Step::Signals if !prepared.request.pre_exec.is_empty() => {
            error.by("a pre_exec closure failed for")
        }
        Step::Exec => error.with(exec_failure::explain(prepared, errno)),
        _ => error,
    }
}

/// Returns the beginning of the message for the priority step, with every option that was set: the
/// child does not report which one failed.
fn setting(request: &Request) -> String {
    let asked = [
        ("the priority", request.nice.is_some()),
        ("the processors", request.cpus.is_some()),
        ("the OOM score", request.oom_score_adj.is_some()),
    ];
    let asked = asked.into_iter().filter_map(|(what, asked)| asked.then_some(what));
    let names = match asked.collect::<Vec<_>>().as_slice() {
        [first, second, third] => format!("{first}, {second} or {third}"),
        names => names.join(" or "),
    };
    format!("cannot set {names} of")
}

/// Returns what is wrong with groups that the system rejects as invalid, if it can be seen.
fn bad_groups(request: &Request, errno: i32) -> Option<String> {
    let groups = request.credentials.groups.as_ref().filter(|_| errno == libc::EINVAL)?;
    if groups.contains(&u32::MAX) {
        return Some(format!("{} is no group's", u32::MAX));
    }
    let most = sys::most_groups().filter(|most| groups.len() > *most)?;
    Some(format!("{} groups, and the most are {most}", groups.len()))
}

//! Prepares everything that the child needs, before the clone: the child has nothing to do that can
//! allocate, or that can fail because of us.

use std::ffi::{CString, OsStr, OsString};
use std::fmt::Display;
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use procession_core::Signal;
use procession_protocol::ChildFd;
use procession_protocol::driver::TerminationScope;

use super::credentials::credentials;
use super::ends::{Ends, copies, resolve_same_as};
use super::terminal::{self, Terminal};
use crate::command::{Command, Fd, FdKind, Identity, NewSession, NumberMap, OwnerEnd};
use crate::error::{SpawnError, Step};
use crate::program_end::AtProgramEnd;
use crate::scope::ScopeLaunch;
use crate::sys::{self, CStringArray, CStrings, Entry, Group, InteriorNul, RareRequest, Request};

/// A prepared command: everything for the child is made, and nothing has begun.
pub(crate) struct Prepared<'a> {
    pub(super) command: &'a Command,
    pub(super) request: Request,
    pub(super) ends: Ends,
    pub(super) scope: ScopeLaunch,
    pub(super) terminal: Option<Terminal>,
    pub(super) policy: Policy,
}

/// Options for a child that runs.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// The child leads the group that has its pid.
    pub(crate) leads_group: bool,
    /// `terminate` and `kill_on_drop` act on that group.
    pub(crate) owned: bool,
    pub(crate) kill_on_drop: bool,
    /// The process that launched the child, if it is killed on drop; else 0.
    pub(crate) launched_by: u32,
    /// What is done when its owner ends.
    #[cfg_attr(not(feature = "reactor"), expect(dead_code, reason = "reactors end children"))]
    pub(crate) owner_end: OwnerEnd,
    /// Its entry for the table of children that end with the program; `None` if it cannot be one.
    #[cfg_attr(not(feature = "reactor"), expect(dead_code, reason = "reactors adopt"))]
    pub(crate) entry: Option<Entry>,
    pub(crate) pipes_grow: bool,
    pub(crate) drain_after_exit: Option<Duration>,
    /// Watches the exit as on a system without pidfds.
    pub(crate) without_pidfd: bool,
}

impl Policy {
    /// Returns what `terminate` acts on.
    pub(crate) fn scope(&self) -> TerminationScope {
        if self.owned && self.leads_group {
            TerminationScope::Group
        } else {
            TerminationScope::Child
        }
    }
}

/// Checks the command, looks up its users and makes everything that the child needs.
///
/// A child that inherits the signals of its thread gets `mask`, or that of the thread that launches it.
pub(crate) fn prepare(
    command: &Command,
    end: AtProgramEnd,
    #[cfg_attr(
        not(target_os = "linux"),
        expect(unused_variables, reason = "its own thread launches")
    )]
    mask: Option<u64>,
) -> Result<Prepared<'_>, SpawnError> {
    let map = command.fd_entries();
    validate(command, &map)?;
    let candidates = candidates_beside_argv(command)?;
    let identity = &command.identity;
    validate_platform(identity)?;
    let controlling_terminal = command.pty.as_ref().is_some_and(|pty| pty.controlling);
    let group = match &command.pty {
        None => identity.group(),
        Some(_) if controlling_terminal => Group::Session,
        Some(_) => identity.group_with_terminal(),
    };
    let in_scope = |error| SpawnError::new(Step::Scope, &command.program, error);
    let scope = ScopeLaunch::prepare(identity.scope.as_ref(), identity.owned).map_err(in_scope)?;
    let group = scope.group(group);
    let entry = entry(command, group);
    let as_any_child = Entry { leads_group: group.is_led(), grace_ms: command.ending.grace_ms() };
    let request = Request {
        candidates,
        searched: !command.program.as_bytes().contains(&b'/'),
        argv: argv(command)?,
        envp: envp(command)?,
        cwd: cwd(command)?,
        group,
        controlling_terminal,
        rare: rare(identity)?,
        parent_death_signal: identity.at_parent_death.signal().map(Signal::as_raw),
        inherit_signals: identity.inherit_signals,
        #[cfg(target_os = "linux")]
        callers_mask: mask.filter(|_| identity.inherit_signals),
        birthplace: scope.birthplace().map_err(in_scope)?,
        entry: scope.entry(entry.filter(|_| end == AtProgramEnd::Ends), as_any_child),
    };
    // Before the pipes take the low numbers. If this fails, the launch takes another path.
    sys::reserve_first().ok();
    let mut ends = Ends::make(&map, command.pty.is_some())?;
    let opened = terminal::open(command, request.credentials.uid)?;
    let terminal = opened.map(|(terminal, master)| {
        ends.add_terminal(&terminal, master);
        terminal
    });
    let paths = [Some(command.program.as_os_str()), command.cwd.as_deref().map(Path::as_os_str)];
    for path in paths.into_iter().flatten() {
        ends.keep_for_lookup(path).map_err(|error| SpawnError::new(Step::Pipe, path, error))?;
    }
    let is_killed = command.ending.is_killed_on_drop(identity.owned);
    let policy = Policy {
        leads_group: group.is_led(),
        owned: identity.owned,
        kill_on_drop: is_killed,
        launched_by: if is_killed { sys::own_pid() } else { 0 },
        owner_end: command.ending.owner_end(),
        entry,
        pipes_grow: command.pipes_grow,
        drain_after_exit: command.drain_after_exit,
        without_pidfd: command.without_pidfd,
    };
    Ok(Prepared { command, request, ends, scope, terminal, policy })
}

/// Returns what few children do before their exec.
fn rare(identity: &Identity) -> Result<Option<Box<RareRequest>>, SpawnError> {
    if identity.has_nothing_rare() {
        return Ok(None);
    }
    Ok(Some(Box::new(RareRequest {
        limits: identity.rlimits.clone(),
        umask: identity.umask,
        nice: identity.nice,
        cpus: identity.cpus.clone(),
        oom_score_adj: identity.oom_score_adj,
        credentials: credentials(identity)?,
        pre_exec: identity.pre_exec.clone(),
    })))
}

/// Returns the child's entry for the table of children that end with the program, if it may be one.
fn entry(command: &Command, group: Group) -> Option<Entry> {
    let is_one = command.identity.owned && command.ending.is_killed_on_drop(true);
    is_one.then(|| Entry { leads_group: group.is_led(), grace_ms: command.ending.grace_ms() })
}

fn validate(command: &Command, map: &NumberMap<&Fd>) -> Result<(), SpawnError> {
    for key in command.env.changes.keys() {
        if key.is_empty() {
            return Err(SpawnError::invalid("env", "the name of a variable is empty"));
        }
        if key.as_bytes().contains(&b'=') {
            return Err(SpawnError::invalid(key, "the name of a variable has no '='"));
        }
        if key.as_bytes().contains(&0) {
            return Err(nul(format_args!("variable {}", key.display()))(InteriorNul));
        }
    }
    let identity = &command.identity;
    if identity.session == NewSession::Yes && identity.process_group.is_some() {
        return Err(SpawnError::invalid(
            "process_group",
            "the leader of a new_session leads its group",
        ));
    }
    validate_numbers(identity)?;
    if identity.user.is_some() && (identity.uid.is_some() || identity.gid.is_some()) {
        return Err(SpawnError::invalid("user", "it sets what uid or gid set"));
    }
    let session = command.pty.as_ref().is_some_and(|pty| pty.controlling);
    if session && identity.process_group.is_some() {
        return Err(SpawnError::invalid(
            "process_group",
            "the leader of a pty's session leads its group",
        ));
    }
    let fds = &command.fds;
    let variables = command.env.changes.iter().filter(|(_, value)| value.is_some());
    let named = fds.named.refusal(fds.entries.keys(), variables.map(|(name, _)| name));
    if let Some((what, why)) = named {
        return Err(SpawnError::invalid(what, why));
    }
    validate_fds(command, map)
}

fn validate_numbers(identity: &Identity) -> Result<(), SpawnError> {
    let invalid = |subject: &str, why: String| Err(SpawnError::invalid(subject, why));
    // setresuid(2) and setresgid(2) take this number for "leave it alone".
    let none = Some(u32::MAX);
    match identity.process_group {
        Some(group) if group < 0 => invalid("process_group", format!("{group} is negative")),
        _ if identity.uid == none => invalid("uid", format!("{} is nobody's", u32::MAX)),
        _ if identity.gid == none => invalid("gid", format!("{} is no group's", u32::MAX)),
        _ => Ok(()),
    }
}

/// Refuses options that only Linux has.
fn validate_platform(identity: &Identity) -> Result<(), SpawnError> {
    if cfg!(target_os = "linux") {
        return Ok(());
    }
    let asked = [
        ("cpu_affinity", identity.cpus.is_some()),
        ("oom_score_adj", identity.oom_score_adj.is_some()),
        ("parent_death_signal", identity.at_parent_death.signal().is_some()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((option, _)) => {
            let error = SpawnError::new(Step::Validate, option, std::io::ErrorKind::Unsupported);
            Err(error.because("only Linux has it"))
        }
        None => Ok(()),
    }
}

fn validate_fds(command: &Command, map: &NumberMap<&Fd>) -> Result<(), SpawnError> {
    let entries = &command.fds.entries;
    if command.pty.is_some()
        && let Some((what, why)) = command.fds.without_terminal()
    {
        return Err(SpawnError::invalid(what, why));
    }
    let last = |fds: Option<&ChildFd>| fds.map_or(0, |fd| fd.as_raw());
    let highest = last(entries.keys().next_back()).max(last(map.keys().next_back()));
    let lowest = entries.keys().next().map_or(0, |fd| fd.as_raw());
    if lowest < 0 {
        return Err(SpawnError::invalid(format!("child fd {lowest}"), "it is negative"));
    }
    if highest > 2 {
        let limit = sys::open_files_limit();
        if u64::from(highest.cast_unsigned()) >= limit {
            let why = format!("the limit of open files is {limit}");
            return Err(SpawnError::invalid(format!("child fd {highest}"), why));
        }
    }
    for number in copies(map) {
        if resolve_same_as(map, number, command.pty.is_some()).is_none() {
            return Err(SpawnError::invalid(format!("child fd {number}"), dead_end(map, number)));
        }
    }
    Ok(())
}

/// Returns why a number that is the same as another has no descriptor.
fn dead_end(map: &NumberMap<&Fd>, number: ChildFd) -> &'static str {
    let next = |number: ChildFd| match map.get(&number)?.kind() {
        FdKind::SameAs(other) => Some(*other),
        _ => None,
    };
    if next(number) == Some(number) {
        return "it is to be the same as itself";
    }
    // A chain that ends visits no number twice.
    let mut way = iter::successors(Some(number), |number| next(*number));
    if way.nth(map.len() + 1).is_some() {
        "the numbers that it is to be the same as lead in a circle"
    } else {
        "what it is to be the same as is not in the map"
    }
}

fn nul(what: impl Display) -> impl FnOnce(InteriorNul) -> SpawnError {
    move |InteriorNul| SpawnError::invalid(what.to_string(), "it has a NUL byte")
}

fn argv(command: &Command) -> Result<CStringArray, SpawnError> {
    let arg0 = command.arg0.as_ref().unwrap_or(&command.program);
    let bytes = command.args.iter().map(|arg| arg.len() + 1).sum::<usize>() + arg0.len() + 1;
    let mut argv = CStrings::with_capacity(command.args.len() + 1, bytes);
    argv.push(&[arg0.as_bytes()]).map_err(nul("argument 0"))?;
    for (arg, number) in command.args.iter().zip(1..) {
        argv.push(&[arg.as_bytes()]).map_err(nul(format_args!("argument {number}")))?;
    }
    Ok(argv.finish())
}

/// Returns the parent's current variables, without those that the command names; then the
/// command's.
fn envp(command: &Command) -> Result<Option<CStringArray>, SpawnError> {
    let changes = &command.env.changes;
    let named = &command.fds.named;
    let of_named = named.variables(command.fds.highest());
    // A pre_exec closure may change the environment that it finds.
    let is_own = !command.env.clear && changes.is_empty() && of_named.is_empty();
    if is_own && command.identity.pre_exec.is_empty() {
        return Ok(None);
    }
    let mut envp = if command.env.clear {
        CStrings::default()
    } else {
        sys::inherited_environment(|key| {
            !changes.is_empty() && changes.contains_key(key) || named.sets(key)
        })
    };
    for (key, value) in changes {
        if let Some(value) = value {
            envp.push(&[key.as_bytes(), b"=", value.as_bytes()])
                .map_err(nul(format_args!("variable {}", key.display())))?;
        }
    }
    for (key, value) in of_named {
        envp.push(&[key.as_bytes(), b"=", value.as_bytes()]).map_err(nul(key))?;
    }
    Ok(Some(if named.needs_pid() { envp.finish_with_pid() } else { envp.finish() }))
}

fn cwd(command: &Command) -> Result<Option<CString>, SpawnError> {
    let cwd = command.cwd.as_ref().map(|dir| CString::new(dir.as_os_str().as_bytes()));
    cwd.transpose().map_err(|_| nul("current_dir")(InteriorNul))
}

/// The longest path that the kernel takes, with its NUL.
const PATH_MAX: usize = libc::PATH_MAX as usize;

/// The longest file name that any common file system takes.
const NAME_MAX: usize = 255;

/// Returns the paths to try, unless the only one is argument 0.
fn candidates_beside_argv(command: &Command) -> Result<Option<CStringArray>, SpawnError> {
    let name = command.program.as_bytes();
    let is_argument = command.arg0.is_none() && name.contains(&b'/') && !name.contains(&0);
    if is_argument { Ok(None) } else { candidates(command).map(Some) }
}

/// Returns the paths to try: a name with a slash itself, any other in each directory of `PATH`.
pub(super) fn candidates(command: &Command) -> Result<CStringArray, SpawnError> {
    if command.program.is_empty() {
        return Err(SpawnError::invalid("program", "it is empty"));
    }
    let name = command.program.as_bytes();
    if name.contains(&b'/') {
        let mut strings = CStrings::with_capacity(1, name.len() + 1);
        strings.push(&[name]).map_err(nul("program"))?;
        return Ok(strings.finish());
    }
    let path = search_path(command);
    let dirs = path.as_bytes().split(|byte| *byte == b':').count();
    let mut strings = CStrings::with_capacity(dirs, path.len() + dirs * (name.len() + 2));
    // Skips a result that is too long for a path, as execvp(3) does. A name too long for any path
    // is left to the kernel.
    let fits = |dir: &&[u8]| {
        let is_path = dir.len() + name.len() + 2 <= PATH_MAX || name.len() > NAME_MAX;
        !dir.is_empty() && is_path
    };
    for dir in path.as_bytes().split(|&byte| byte == b':').filter(fits) {
        strings.push(&[dir, b"/", name]).map_err(nul("program"))?;
    }
    if name.contains(&0) {
        return Err(nul("program")(InteriorNul));
    }
    Ok(strings.finish())
}

/// Returns the child's `PATH` if the command sets one, else the parent's, else the system's.
fn search_path(command: &Command) -> OsString {
    let name = OsStr::new("PATH");
    if let Some(Some(path)) = command.env.changes.get(name) {
        return path.clone();
    }
    std::env::var_os(name).unwrap_or_else(|| OsString::from("/bin:/usr/bin"))
}

#[cfg(test)]
mod tests;

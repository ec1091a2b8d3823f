//! What of a [`Command`] counts on another machine, and what stays on this one.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use procession_protocol::ChildFd;

use crate::command::fd_map::FdMap;
use crate::command::{Command, Environment, FdKind, RareOptions};

/// The parts of a command that a launcher carries to another machine.
///
/// # Examples
///
/// ```
/// use procession::Command;
/// use procession::driver::process_transport::Elsewhere;
///
/// let there = Elsewhere::of(&Command::new("make").arg("-j4").current_dir("/src")).unwrap();
/// let local = there.launched_by("ssh", ["host", "make", "-j4"]);
/// assert_eq!(local.get_program(), "ssh");
/// assert_eq!(Elsewhere::of(&Command::new("make").uid(1)).unwrap_err(), "uid");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Elsewhere {
    /// The program, as given.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The changes to its environment; `None` removes a variable.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// Its environment starts empty.
    pub clears_env: bool,
    /// Its working directory.
    pub current_dir: Option<PathBuf>,
    /// Its umask.
    pub umask: Option<u32>,
    /// Its descriptor 2 is its descriptor 1.
    pub merges_stderr: bool,
    /// The time between TERM and KILL.
    pub kill_grace: Duration,
    /// The command without these parts.
    stays: Command,
}

impl Elsewhere {
    /// Takes a command apart. Descriptors 0 to 2, and the options for the child's session and end, stay
    /// with the local command.
    ///
    /// # Errors
    ///
    /// The name of an option that counts on this machine alone.
    pub fn of(command: &Command) -> Result<Self, &'static str> {
        if let Some(option) = local_option(command) {
            return Err(option);
        }
        let mut stays = command.clone();
        let Environment { clear, changes } = std::mem::take(&mut stays.env);
        stays.identity.umask = None;
        let entries = command.fd_entries();
        let stderr = entries.get(&ChildFd::STDERR);
        Ok(Self {
            program: command.program.clone(),
            args: std::mem::take(&mut stays.args),
            env: changes.into_iter().collect(),
            clears_env: clear,
            current_dir: stays.cwd.take(),
            umask: command.identity.umask,
            merges_stderr: stderr
                .is_some_and(|fd| matches!(fd.kind(), FdKind::SameAs(ChildFd::STDOUT))),
            kill_grace: command.ending.kill_grace,
            stays,
        })
    }

    /// Returns the local command: this program in the parent's environment and directory, with the
    /// descriptors and the options that stay.
    pub fn launched_by(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Command {
        let mut local = self.stays.clone();
        local.program = program.as_ref().to_owned();
        local.args(args)
    }
}

/// Returns an option of the command that cannot count on another machine.
fn local_option(command: &Command) -> Option<&'static str> {
    let Command { arg0, fds, pty, identity, .. } = command;
    let RareOptions { uid, gid, groups, user, keep_ambient, rlimits, nice, cpus, .. } = &**identity;
    let options = [
        (arg0.is_some(), "arg0"),
        (pty.is_some(), "pty"),
        (has_other_fds(fds), "a descriptor beyond 0 to 2"),
        (uid.is_some(), "uid"),
        (gid.is_some(), "gid"),
        (groups.is_some(), "groups"),
        (user.is_some(), "user"),
        (*keep_ambient, "keep_ambient"),
        (!rlimits.is_empty(), "rlimit"),
        (nice.is_some(), "nice"),
        (cpus.is_some(), "cpu_affinity"),
        (identity.oom_score_adj.is_some(), "oom_score_adj"),
        (identity.inherit_signals, "inherit_signals"),
        (identity.at_parent_death.lives_on(), "outlive_parent"),
        (!identity.pre_exec.is_empty(), "pre_exec"),
        (identity.scope.is_some(), "scope"),
    ];
    options.into_iter().find_map(|(is_set, option)| is_set.then_some(option))
}

fn has_other_fds(fds: &FdMap) -> bool {
    let is_other = |fd: &ChildFd| !(0..3).contains(&fd.as_raw());
    let named = fds.named.entries(fds.highest()).next().is_some();
    named
        || fds
            .entries
            .iter()
            .any(|(fd, kind)| is_other(fd) && !matches!(kind.kind(), FdKind::Closed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Fd, Pty};

    #[test]
    fn what_counts_here_alone_is_named() {
        let x = || Command::new("x");
        for (command, option) in [
            (x().arg0("y"), "arg0"),
            (x().pty(Pty::new()), "pty"),
            (x().child_fd(3, Fd::null()), "a descriptor beyond 0 to 2"),
            (x().listen_fds([("a", Fd::null())]), "a descriptor beyond 0 to 2"),
            (x().uid(1), "uid"),
            (x().gid(1), "gid"),
            (x().groups([1]), "groups"),
            (x().user("a"), "user"),
            (x().keep_ambient(), "keep_ambient"),
            (x().nice(1), "nice"),
            (x().cpu_affinity([0]), "cpu_affinity"),
            (x().oom_score_adj(1), "oom_score_adj"),
            (x().inherit_signals(), "inherit_signals"),
            (x().outlive_parent(), "outlive_parent"),
        ] {
            assert_eq!(Elsewhere::of(&command).unwrap_err(), option);
        }
        assert!(Elsewhere::of(&x().child_fd(7, Fd::closed()).stdin(Fd::null())).is_ok());
    }

    #[test]
    fn the_parts_go_and_the_rest_stays() {
        let command = Command::new("x").args(["a", "b"]).env("K", "v").env_remove("R");
        let command = command.umask(0o27).current_dir("/d").stderr(Fd::same_as(1)).owned(true);
        let there = Elsewhere::of(&command).unwrap();
        assert_eq!((there.program.to_str(), there.args.len()), (Some("x"), 2));
        assert_eq!((there.env.len(), there.clears_env, there.umask), (2, false, Some(0o27)));
        assert!(there.merges_stderr && there.current_dir.as_ref().is_some());
        let local = there.launched_by("ssh", ["h"]);
        assert!(local.is_owned() && local.get_current_dir().is_none());
        assert_eq!((local.get_args().count(), local.get_envs().count()), (1, 0));
        assert!(Elsewhere::of(&Command::new("x").env_clear()).unwrap().clears_env);
    }
}

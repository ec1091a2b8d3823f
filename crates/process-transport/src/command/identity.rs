//! Who the child is: session, ids, limits, priorities, signal state.

use super::Command;
use crate::sys::{Group, PreExec};
use procession_core::Signal;
use std::ffi::{OsStr, OsString};

/// Everything of a command that is neither program, environment nor descriptors.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    pub(crate) new_session: bool,
    pub(crate) process_group: Option<i32>,
    pub(crate) owned: bool,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) user: Option<OsString>,
    pub(crate) umask: Option<u32>,
    pub(crate) rlimits: Vec<(Resource, Rlimit)>,
    pub(crate) nice: Option<i32>,
    pub(crate) cpus: Option<Vec<usize>>,
    pub(crate) oom_score_adj: Option<i16>,
    pub(crate) parent_death_signal: Option<Signal>,
    pub(crate) inherit_signals: bool,
    pub(crate) pre_exec: Vec<PreExec>,
}

impl Identity {
    /// Which group the child is put into.
    pub(crate) fn group(&self) -> Group {
        match self.process_group {
            _ if self.new_session => Group::Session,
            Some(group) => Group::Process(group),
            None if self.owned => Group::Process(0),
            None => Group::Parent,
        }
    }
}

pub use crate::sys::{Resource, Rlimit};

impl Command {
    /// Makes the child the leader of a new session, without a controlling terminal (`setsid(2)`).
    pub fn new_session(mut self) -> Self {
        self.identity.new_session = true;
        self
    }

    /// Puts the child into a process group; 0 makes it the leader of a new one (`setpgid(2)`).
    pub fn process_group(mut self, group: i32) -> Self {
        self.identity.process_group = Some(group);
        self
    }

    /// Whether the child leads a group of its own, on which `terminate` and `kill_on_drop` act.
    ///
    /// Descendants that leave the group (`setsid`, `setpgid`) are not reached. Such a child is a
    /// background job of the parent's terminal: reading it stops the child, and Ctrl-C does not
    /// reach it. A child that [`process_group`](Self::process_group) puts into somebody else's group
    /// leads none, and is ended alone. Off by default.
    pub fn owned(mut self, owned: bool) -> Self {
        self.identity.owned = owned;
        self
    }

    /// Sets the umask, which is the parent's otherwise; the nine lowest bits count (`umask(2)`).
    pub fn umask(mut self, mask: u32) -> Self {
        self.identity.umask = Some(mask);
        self
    }

    /// Sets a resource limit; the last call for a resource wins.
    pub fn rlimit(mut self, resource: Resource, limit: Rlimit) -> Self {
        self.identity.rlimits.retain(|(which, _)| *which != resource);
        self.identity.rlimits.push((resource, limit));
        self
    }

    /// Leaves signal mask and dispositions as the parent has them.
    ///
    /// Otherwise the child starts with an empty mask and every disposition at its default.
    pub fn inherit_signals(mut self) -> Self {
        self.identity.inherit_signals = true;
        self
    }

    /// Sets the user id: real, effective and saved.
    ///
    /// Without [`Command::gid`] the user's primary group and group list from the user database are
    /// taken; an id that the database does not know then fails the spawn with `InvalidInput`.
    /// Changing ids needs privilege, and takes [`SpawnPath::Fork`](procession_protocol::SpawnPath)
    /// unless another path is forced: in a child that shares the parent's memory the target user has
    /// a hold on the child before its exec (it may stop it, and so the parent), and the parent's
    /// dumpable flag is 0 for that time. The flag is put back, under a lock of the whole process; no
    /// other code of the program may set it meanwhile: the target user could read and write the
    /// memory of both.
    pub fn uid(mut self, uid: u32) -> Self {
        self.identity.uid = Some(uid);
        self
    }

    /// Sets the group id: real, effective and saved.
    ///
    /// With privilege the supplementary groups become that one, unless [`Command::groups`] names
    /// others: no group of the parent survives a change of ids unasked. Where the id is the parent's
    /// own and the groups may not be set, in a user namespace perhaps, they stay.
    pub fn gid(mut self, gid: u32) -> Self {
        self.identity.gid = Some(gid);
        self
    }

    /// Sets the supplementary groups (`setgroups(2)`).
    pub fn groups(mut self, groups: impl IntoIterator<Item = u32>) -> Self {
        self.identity.groups = Some(groups.into_iter().collect());
        self
    }

    /// Sets user id, primary group and group list from the user database; a name or a number.
    pub fn user(mut self, user: impl AsRef<OsStr>) -> Self {
        self.identity.user = Some(user.as_ref().to_owned());
        self
    }

    /// Sets the nice value, -20 (most favoured) to 19; beyond, the nearest is taken (`setpriority(2)`).
    pub fn nice(mut self, nice: i32) -> Self {
        self.identity.nice = Some(nice);
        self
    }

    /// Confines the child to these processors, counted from 0 (`sched_setaffinity(2)`).
    ///
    /// # Platform
    ///
    /// Linux; elsewhere the spawn fails with `Unsupported`.
    pub fn cpu_affinity(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.identity.cpus = Some(cpus.into_iter().collect());
        self
    }

    /// Sets the child's badness for the out-of-memory killer, -1000 (never) to 1000.
    ///
    /// # Platform
    ///
    /// Linux; elsewhere the spawn fails with `Unsupported`.
    pub fn oom_score_adj(mut self, score: i16) -> Self {
        self.identity.oom_score_adj = Some(score);
        self
    }

    /// Sends the child this signal when the thread that spawned it ends.
    ///
    /// The thread is the reactor's, so that is when the reactor is gone. A parent that is gone
    /// before the child asked for it counts as well: the child then ends itself by that signal.
    ///
    /// # Platform
    ///
    /// Linux (`PR_SET_PDEATHSIG` in `prctl(2)`); elsewhere the spawn fails with `Unsupported`.
    pub fn parent_death_signal(mut self, signal: Signal) -> Self {
        self.identity.parent_death_signal = Some(signal);
        self
    }

    pub(crate) fn push_pre_exec(&mut self, call: PreExec) {
        self.identity.pre_exec.push(call);
    }
}

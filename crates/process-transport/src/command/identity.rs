//! The identity of a child: session, ids, limits, priorities, signal state.

use std::ffi::OsString;
use std::fmt;
use std::ops::{Deref, DerefMut};

use procession_core::Signal;

use crate::scope::Scope;
use crate::sys::{Group, PreExec, Resource, Rlimit};

/// All options of a command but its program, environment and descriptors. It derefs to those that few
/// commands set.
#[derive(Clone, Default)]
pub(crate) struct Identity {
    pub(crate) session: NewSession,
    pub(crate) process_group: Option<i32>,
    pub(crate) owned: bool,
    pub(crate) at_parent_death: AtParentDeath,
    /// `None` if none of them was set: a command is moved often, so it should be small.
    rare: Option<Box<RareOptions>>,
}

/// The options that few commands set.
#[derive(Debug, Clone, Default)]
pub(crate) struct RareOptions {
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) user: Option<OsString>,
    pub(crate) keep_ambient: bool,
    pub(crate) umask: Option<u32>,
    pub(crate) rlimits: Vec<(Resource, Rlimit)>,
    pub(crate) nice: Option<i32>,
    pub(crate) cpus: Option<Vec<usize>>,
    pub(crate) oom_score_adj: Option<i16>,
    pub(crate) inherit_signals: bool,
    pub(crate) pre_exec: Vec<PreExec>,
    pub(crate) scope: Option<Scope>,
}

/// What a command has that sets none of them.
static NOTHING_RARE: RareOptions = RareOptions {
    uid: None,
    gid: None,
    groups: None,
    user: None,
    keep_ambient: false,
    umask: None,
    rlimits: Vec::new(),
    nice: None,
    cpus: None,
    oom_score_adj: None,
    inherit_signals: false,
    pre_exec: Vec::new(),
    scope: None,
};

impl Deref for Identity {
    type Target = RareOptions;

    fn deref(&self) -> &RareOptions {
        self.rare.as_deref().unwrap_or(&NOTHING_RARE)
    }
}

impl DerefMut for Identity {
    fn deref_mut(&mut self) -> &mut RareOptions {
        self.rare.get_or_insert_default()
    }
}

/// Prints every option, also those that were not set.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, process_group, owned, at_parent_death, .. } = self;
        write!(f, "{session:?} {process_group:?} {owned} {at_parent_death:?} {:?}", **self)
    }
}

/// What happens to the child when the thread that spawned it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum AtParentDeath {
    /// The command says nothing: the child lives on, unless a helper sets a signal.
    #[default]
    Unsaid,
    LivesOn,
    IsSent(Signal),
}

impl AtParentDeath {
    pub(crate) fn lives_on(self) -> bool {
        self == Self::LivesOn
    }

    pub(crate) fn signal(self) -> Option<Signal> {
        match self {
            Self::Unsaid | Self::LivesOn => None,
            Self::IsSent(signal) => Some(signal),
        }
    }
}

/// Whether the child leads a new session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum NewSession {
    #[default]
    No,
    /// Instead of the group that an owned child leads, unless another option decides.
    IfOwned,
    /// The command asks for a session.
    Yes,
}

impl Identity {
    /// Returns whether no rare option was set.
    pub(crate) fn has_nothing_rare(&self) -> bool {
        self.rare.is_none()
    }

    /// Returns the group that a child without a terminal is put into.
    pub(crate) fn group(&self) -> Group {
        match self.group_with_terminal() {
            Group::Process(0) if self.is_session_implied() => Group::Session,
            group => group,
        }
    }

    /// Returns the group for a child with a terminal that does not control it.
    pub(crate) fn group_with_terminal(&self) -> Group {
        match self.process_group {
            _ if self.session == NewSession::Yes => Group::Session,
            Some(group) => Group::Process(group),
            None if self.owned => Group::Process(0),
            None => Group::Parent,
        }
    }

    /// Returns whether the child leads a session without being asked to. A session has a scheduling
    /// group of its own (autogroups in `sched(7)`), and a nice value counts only within that group;
    /// so a child with a nice value gets no session.
    fn is_session_implied(&self) -> bool {
        self.session == NewSession::IfOwned && self.process_group.is_none() && self.nice.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_implied_only_without_other_options() {
        let implied = || Identity { session: NewSession::IfOwned, ..Identity::default() };
        let owned = || Identity { owned: true, ..implied() };
        let of = |identity: Identity| (identity.group(), identity.group_with_terminal());
        let both = |group| (group, group);
        assert_eq!(of(owned()), (Group::Session, Group::Process(0)));
        assert_eq!(of(implied()), both(Group::Parent));
        let own = Identity { process_group: Some(0), ..owned() };
        assert_eq!(of(own), both(Group::Process(0)));
        let other = Identity { process_group: Some(7), ..owned() };
        assert_eq!(of(other), both(Group::Process(7)));
        let nice = |mut identity: Identity, nice| {
            identity.nice = Some(nice);
            identity
        };
        assert_eq!(of(nice(owned(), 0)), both(Group::Process(0)));
        let asked = nice(Identity { session: NewSession::Yes, ..owned() }, 5);
        assert_eq!(of(asked), both(Group::Session));
    }
}

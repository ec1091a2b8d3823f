//! Who the child is: session, ids, limits, priorities, signal state.

use crate::sys::{Group, PreExec, Resource, Rlimit};
use procession_core::Signal;
use std::ffi::OsString;

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
    pub(crate) at_parent_death: AtParentDeath,
    pub(crate) inherit_signals: bool,
    pub(crate) pre_exec: Vec<PreExec>,
}

/// What becomes of the child when the thread that spawned it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum AtParentDeath {
    /// Nothing was said: nothing, but where a helper knows better.
    #[default]
    Unsaid,
    LivesOn,
    IsSent(Signal),
}

impl AtParentDeath {
    pub(crate) fn signal(self) -> Option<Signal> {
        match self {
            Self::Unsaid | Self::LivesOn => None,
            Self::IsSent(signal) => Some(signal),
        }
    }
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

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

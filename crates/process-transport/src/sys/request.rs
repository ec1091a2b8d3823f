//! What a child is to do before its exec: data, all of it made before the clone.

use super::cstrings::CStringArray;
use super::limits::{Resource, Rlimit};
use super::owned::Entry;
use std::fmt;
use std::io;
use std::sync::Arc;

/// One child, described down to the bytes; the descriptors that it gets are not part of it.
#[derive(Debug)]
pub(crate) struct Request {
    /// What `execve` is tried with, in order.
    pub(crate) candidates: CStringArray,
    /// The candidates come from a search path: a missing one is passed over.
    pub(crate) searched: bool,
    pub(crate) argv: CStringArray,
    /// `None` for the parent's own, unchanged.
    pub(crate) envp: Option<CStringArray>,
    /// None or one string.
    pub(crate) cwd: CStringArray,
    pub(crate) group: Group,
    /// Descriptor 0 becomes the controlling terminal.
    pub(crate) controlling_terminal: bool,
    pub(crate) limits: Vec<(Resource, Rlimit)>,
    pub(crate) umask: Option<u32>,
    pub(crate) nice: Option<i32>,
    pub(crate) cpus: Option<Vec<usize>>,
    pub(crate) oom_score_adj: Option<i16>,
    pub(crate) credentials: Credentials,
    pub(crate) parent_death_signal: Option<i32>,
    pub(crate) inherit_signals: bool,
    pub(crate) pre_exec: Vec<PreExec>,
    /// The child ends with the program.
    pub(crate) entry: Option<Entry>,
}

/// The child's session and process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Parent,
    Session,
    /// `setpgid(0, group)`; 0 is a group of the child's own.
    Process(i32),
}

impl Group {
    /// Whether a child of that group has it for its own.
    pub(crate) fn is_led(self) -> bool {
        matches!(self, Self::Session | Self::Process(0))
    }
}

/// What the child sets, in this order; `None` leaves it alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) groups: Option<Vec<u32>>,
    /// Nobody named them, and no id changes: where they may not be set they stay as they are.
    pub(crate) groups_may_stay: bool,
    pub(crate) gid: Option<u32>,
    pub(crate) uid: Option<u32>,
    /// The ambient capability set is cleared, after the ids.
    pub(crate) clears_ambient: bool,
}

impl Credentials {
    /// Whether the child changes its user or group id.
    pub(crate) fn change_ids(&self) -> bool {
        self.gid.is_some() || self.uid.is_some()
    }
}

/// A closure that runs in the child between clone and exec.
#[derive(Clone)]
pub(crate) struct PreExec(pub(crate) Arc<dyn Fn() -> io::Result<()> + Send + Sync>);

impl fmt::Debug for PreExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PreExec")
    }
}

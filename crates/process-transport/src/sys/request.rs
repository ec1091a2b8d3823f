//! The work of a child before its exec: data, all of it made before the clone.

use std::ffi::{CStr, CString, c_char};
use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(target_os = "linux")]
use super::ask::ManagerCall;
use super::cstrings::CStringArray;
use super::limits::{Resource, Rlimit};
use super::owned::Entry;

/// One child, described down to the bytes, without its descriptors. It derefs to what few children do.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// The paths that `execve` tries, in order; `None` if that is argument 0 alone.
    pub(crate) candidates: Option<CStringArray>,
    /// The candidates come from a search path: missing ones are skipped.
    pub(crate) searched: bool,
    pub(crate) argv: CStringArray,
    /// `None` for the parent's own, unchanged.
    pub(crate) envp: Option<CStringArray>,
    pub(crate) cwd: Option<CString>,
    pub(crate) group: Group,
    /// Descriptor 0 becomes the controlling terminal.
    pub(crate) controlling_terminal: bool,
    pub(crate) parent_death_signal: Option<i32>,
    pub(crate) inherit_signals: bool,
    /// The mask for the program, if not the launching thread's own.
    #[cfg(target_os = "linux")]
    pub(crate) callers_mask: Option<u64>,
    pub(crate) birthplace: Option<Birthplace>,
    /// The child ends with the program.
    pub(crate) entry: Option<Entry>,
    /// `None` if the child does nothing of that.
    pub(crate) rare: Option<Box<RareRequest>>,
}

/// What few children do before their exec.
#[derive(Debug)]
pub(crate) struct RareRequest {
    pub(crate) limits: Vec<(Resource, Rlimit)>,
    pub(crate) umask: Option<u32>,
    pub(crate) nice: Option<i32>,
    pub(crate) cpus: Option<Vec<usize>>,
    pub(crate) oom_score_adj: Option<i16>,
    pub(crate) credentials: Credentials,
    pub(crate) pre_exec: Vec<PreExec>,
}

/// What a child does that does nothing of that.
static NOTHING_RARE: RareRequest = RareRequest {
    limits: Vec::new(),
    umask: None,
    nice: None,
    cpus: None,
    oom_score_adj: None,
    credentials: Credentials {
        groups: None,
        groups_may_stay: false,
        gid: None,
        uid: None,
        clears_ambient: false,
    },
    pre_exec: Vec::new(),
};

impl Deref for Request {
    type Target = RareRequest;

    fn deref(&self) -> &RareRequest {
        self.rare.as_deref().unwrap_or(&NOTHING_RARE)
    }
}

/// The child's session and process group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Group {
    #[default]
    Parent,
    Session,
    /// `setpgid(0, group)`; 0 makes a group of the child's own.
    Process(i32),
}

impl Group {
    /// Returns whether a child with this choice leads its group.
    pub(crate) fn is_led(self) -> bool {
        matches!(self, Self::Session | Self::Process(0))
    }
}

/// The ids that the child sets, in this order; `None` leaves one alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) groups: Option<Vec<u32>>,
    /// The command names no groups, and no id changes: if the groups may not be set, they stay.
    pub(crate) groups_may_stay: bool,
    pub(crate) gid: Option<u32>,
    pub(crate) uid: Option<u32>,
    /// Clears the ambient capability set, after the ids.
    pub(crate) clears_ambient: bool,
}

impl Credentials {
    /// Returns whether the child changes its user or group id.
    pub(crate) fn change_ids(&self) -> bool {
        self.gid.is_some() || self.uid.is_some()
    }
}

/// The cgroup in which a child is born, for one launch.
#[derive(Debug)]
pub(crate) struct Birthplace {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has them"))]
    folder: Arc<OwnedFd>,
    /// Its `cgroup.procs`.
    procs: CString,
    /// The kernel puts the child there; else the child goes there itself.
    is_by_clone: AtomicBool,
    /// A child that a clone put there was dead at once.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has them"))]
    kills_newborns: Arc<AtomicBool>,
    /// How a child asks systemd for it, if it is in a unit of systemd.
    #[cfg(target_os = "linux")]
    manager: Option<Box<ManagerCall>>,
}

impl Birthplace {
    /// Names a cgroup by its open folder, and by the path of its `cgroup.procs`. `kills_newborns` is what
    /// was learnt about it.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has them"))]
    pub(crate) fn new(
        folder: Arc<OwnedFd>,
        procs: CString,
        kills_newborns: Arc<AtomicBool>,
    ) -> Self {
        Self {
            folder,
            procs,
            is_by_clone: AtomicBool::new(false),
            kills_newborns,
            #[cfg(target_os = "linux")]
            manager: None,
        }
    }

    /// Lets a child that cannot go there ask systemd.
    #[cfg(target_os = "linux")]
    pub(crate) fn with_manager(self, manager: Option<ManagerCall>) -> Self {
        Self { manager: manager.map(Box::new), ..self }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn manager(&self) -> Option<&ManagerCall> {
        self.manager.as_deref()
    }

    /// Returns whether a clone may put a child there.
    ///
    /// Since Linux 6.14, the kernel compares how often the parent's cgroup was killed with how often
    /// this one was, and kills the new child if it is not the same.
    #[cfg(target_os = "linux")]
    pub(super) fn takes_newborns(&self) -> bool {
        !self.kills_newborns.load(Ordering::Relaxed)
    }

    /// Records a child that was killed before its first instruction. Returns whether another attempt
    /// makes sense: the child was put there by its clone, and the next one goes there itself.
    #[cfg(target_os = "linux")]
    pub(super) fn on_killed_at_birth(&self) -> bool {
        let is_by_clone = self.is_by_clone.swap(false, Ordering::Relaxed);
        if is_by_clone {
            self.kills_newborns.store(true, Ordering::Relaxed);
        }
        is_by_clone
    }

    #[cfg(target_os = "linux")]
    pub(super) fn folder(&self) -> &OwnedFd {
        &self.folder
    }

    /// Records, before a clone, whether that clone puts the child into the cgroup.
    #[cfg(target_os = "linux")]
    pub(super) fn set_by_clone(&self, is_by_clone: bool) {
        self.is_by_clone.store(is_by_clone, Ordering::Relaxed);
    }

    /// Returns the file to which the child writes its number, unless the clone has put it there.
    pub(super) fn procs_to_write(&self) -> Option<&CStr> {
        let is_there = self.is_by_clone.load(Ordering::Relaxed);
        (!is_there).then_some(self.procs.as_c_str())
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

impl Request {
    /// Returns the paths that `execve` tries, in order.
    pub(crate) fn candidates(&self) -> &[*const c_char] {
        match &self.candidates {
            Some(candidates) => candidates.strings(),
            None => self.argv.strings().get(..1).unwrap_or_default(),
        }
    }

    /// Returns one bit for each processor that the child may use, in words as the kernel takes them.
    #[cfg(target_os = "linux")]
    pub(super) fn affinity_mask(&self) -> Option<Vec<usize>> {
        let cpus = self.cpus.as_deref()?;
        let bits = usize::BITS as usize;
        let highest = cpus.iter().max().copied().unwrap_or(0).min(1 << 16);
        let mut mask = vec![0_usize; highest / bits + 1];
        for &cpu in cpus.iter().filter(|cpu| **cpu <= highest) {
            mask[cpu / bits] |= 1 << (cpu % bits);
        }
        Some(mask)
    }
}

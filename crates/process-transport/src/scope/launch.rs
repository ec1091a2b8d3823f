//! A launch into a scope: what comes before it, and what the scope learns from it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::Branch;
use super::groups::Groups;
use super::handle::{Keeper, Scope};
use crate::sys::{Birthplace, Entry, Group};

/// The part of a scope in one launch; that of a command without a scope does nothing.
#[derive(Debug, Default)]
pub(crate) struct ScopeLaunch {
    scope: Option<Scope>,
    branch: Option<Branch>,
}

impl ScopeLaunch {
    /// Prepares a launch. An owned child gets a branch of the cgroup.
    pub(crate) fn prepare(scope: Option<&Scope>, is_owned: bool) -> io::Result<Self> {
        let branch = match scope.map(Scope::keeper) {
            Some(Keeper::Cgroup(cgroup)) if is_owned => Some(cgroup.branch()?),
            _ => None,
        };
        Ok(Self { scope: scope.cloned(), branch })
    }

    fn groups(&self) -> Option<&Arc<Groups>> {
        match self.scope.as_ref()?.keeper() {
            Keeper::Cgroup(_) => None,
            Keeper::Groups(groups, _) => Some(groups),
        }
    }

    /// Returns the group for the child: without a cgroup, one of its own, if it would have its parent's.
    pub(crate) fn group(&self, group: Group) -> Group {
        match group {
            Group::Parent if self.groups().is_some() => Group::Process(0),
            group => group,
        }
    }

    /// Returns the child's entry among those that end with the program. Without a cgroup, the child has
    /// one in any case.
    pub(crate) fn entry(&self, entry: Option<Entry>, otherwise: Entry) -> Option<Entry> {
        entry.or_else(|| self.groups().is_some().then_some(otherwise))
    }

    /// Returns the cgroup in which the child is born.
    pub(crate) fn birthplace(&self) -> io::Result<Option<Birthplace>> {
        match self.scope.as_ref().map(Scope::keeper) {
            Some(Keeper::Cgroup(cgroup)) => cgroup.birthplace(self.branch.as_ref()).map(Some),
            Some(Keeper::Groups(..)) | None => Ok(None),
        }
    }

    /// Launches by `launch`; no freeze begins meanwhile. `None` if the scope is frozen: a child would
    /// stand still before its exec, and its parent with it.
    pub(crate) fn while_thawed<R>(&self, launch: impl FnOnce() -> R) -> Option<R> {
        let thawed = match self.scope.as_ref().map(Scope::keeper) {
            Some(Keeper::Cgroup(cgroup)) => Some(cgroup.hold_thawed()?),
            Some(Keeper::Groups(..)) | None => None,
        };
        let launched = launch();
        drop(thawed);
        Some(launched)
    }

    /// Records the child, which has come from the launch of this number. Returns its branch.
    pub(crate) fn on_born(
        self,
        pid: u32,
        pidfd: Option<&OwnedFd>,
        launch: u64,
        leads_group: bool,
    ) -> Option<Branch> {
        if let Some(groups) = self.groups() {
            groups.on_born(pid, pidfd, launch, leads_group);
        }
        self.branch
    }
}

//! The cgroups of a system that has none: no value of these types exists.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use procession_core::Signal;

use crate::sys::Birthplace;

/// No cgroup.
#[derive(Debug)]
pub(super) struct Cgroup(Infallible);

/// No folder.
#[derive(Debug)]
pub(super) struct Folder(Infallible);

/// Nothing to thaw.
#[derive(Debug)]
pub(super) struct Thawed;

/// No branch.
#[derive(Debug)]
pub(crate) struct Branch(Infallible);

/// Why no cgroup could be made.
#[derive(Debug)]
pub(super) struct NoCgroup {
    pub(super) why: String,
}

/// Why a limit was not set.
#[derive(Debug)]
#[expect(dead_code, reason = "nothing fails where nothing is")]
pub(super) enum NoLimit {
    Unsupported(String),
    Os(io::Error),
}

impl Cgroup {
    pub(super) fn below_own(_: &str) -> Result<Self, NoCgroup> {
        Err(NoCgroup { why: "this system has no cgroups".to_owned() })
    }

    pub(super) fn below(_: PathBuf, _: &str) -> Result<Self, NoCgroup> {
        Err(NoCgroup { why: "this system has no cgroups".to_owned() })
    }

    pub(super) fn folder(&self) -> &Folder {
        match self.0 {}
    }

    pub(super) fn is_in_unit(&self) -> bool {
        match self.0 {}
    }

    pub(super) fn kill(&self) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn signal(&self, _: Signal) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn freeze(&self, _: bool) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn hold_thawed(&self) -> Option<Thawed> {
        match self.0 {}
    }

    pub(super) fn adopt(&self, _: u32) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn branch(&self) -> io::Result<Branch> {
        match self.0 {}
    }

    pub(super) fn birthplace(&self, _: Option<&Branch>) -> io::Result<Birthplace> {
        match self.0 {}
    }

    pub(super) fn limit(&self, _: &str, _: &str, _: &str) -> Result<(), NoLimit> {
        match self.0 {}
    }

    pub(super) fn end(&mut self) {
        match self.0 {}
    }
}

impl Folder {
    pub(super) fn path(&self) -> &Path {
        match self.0 {}
    }

    pub(super) fn is_populated(&self) -> io::Result<bool> {
        match self.0 {}
    }

    pub(super) fn wait_until_empty(&self, _: Duration) -> io::Result<bool> {
        match self.0 {}
    }

    pub(super) fn members(&self) -> io::Result<std::collections::BTreeSet<u32>> {
        match self.0 {}
    }

    pub(super) fn read(&self, _: &str) -> io::Result<String> {
        match self.0 {}
    }
}

impl Branch {
    pub(crate) fn is_populated(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn signal_outside(&self, _: u32, _: Signal) -> bool {
        match self.0 {}
    }

    pub(crate) fn kill(&self) {
        match self.0 {}
    }
}

pub(super) fn cpu_time(folder: &Folder) -> io::Result<Duration> {
    match folder.0 {}
}

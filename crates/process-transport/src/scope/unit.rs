//! A unit of systemd, in whose cgroup a scope is made: data.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::bus;
use crate::sys::ManagerCall;

/// A unit that systemd has started for one scope. It ends when what keeps it is dropped.
pub(super) struct Unit {
    pub(super) name: String,
    /// systemd's own socket.
    pub(super) socket: PathBuf,
    /// The folder of its cgroup.
    pub(super) folder: PathBuf,
    /// The process without which the unit would end when the scope is empty.
    pub(super) keeper: Box<dyn fmt::Debug + Send + Sync>,
}

impl Unit {
    /// Returns the call by which a child has itself moved to a folder in the unit.
    pub(super) fn call_to_join(&self, folder: &Path) -> io::Result<ManagerCall> {
        let below = folder.strip_prefix(&self.folder).ok().and_then(Path::to_str);
        let below = below.ok_or(io::ErrorKind::InvalidInput)?;
        ManagerCall::new(&self.socket, bus::attach(&self.name, &format!("/{below}")))
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unit").field("name", &self.name).field("keeper", &self.keeper).finish()
    }
}

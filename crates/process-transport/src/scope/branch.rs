//! A branch: the folder of one owned child, and of all that it starts, in the cgroup of its scope.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use procession_core::Signal;

use super::folder::Folder;
use crate::sys;

/// The folders of branches whose child has come to its end, and in which processes lived on.
#[derive(Debug, Clone, Default)]
struct LeftFolders(Arc<Mutex<Vec<PathBuf>>>);

impl LeftFolders {
    /// Removes the folders that are empty by now.
    fn sweep(&self) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|folder| fs::remove_dir(folder).is_err() && folder.exists());
    }

    fn add(&self, folder: PathBuf) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(folder);
    }
}

/// The branches of one scope.
#[derive(Debug, Default)]
pub(super) struct Branches {
    left: LeftFolders,
    made: AtomicU64,
}

impl Branches {
    /// Makes the folder of an owned child in that of the scope.
    pub(super) fn make(&self, scope: &Folder) -> io::Result<Branch> {
        self.left.sweep();
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let folder = Folder::make(scope.file(&format!("run-{number}")))?;
        Ok(Branch { folder, left: self.left.clone(), owner: process::id() })
    }
}

/// The folder of one child. Its drop removes the folder if it is empty, and leaves it to the scope if
/// not. It ends nothing, and does not keep the scope.
pub(crate) struct Branch {
    folder: Folder,
    left: LeftFolders,
    owner: u32,
}

impl Branch {
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Returns whether a process lives in it; true if it cannot be known.
    pub(crate) fn is_populated(&self) -> bool {
        self.folder.is_populated().unwrap_or(true)
    }

    /// Sends a signal to the members that are not in the process group of this number; returns whether
    /// there was one.
    pub(crate) fn signal_outside(&self, group: u32, signal: Signal) -> bool {
        let is_outside = |pid: u32| {
            let of = sys::group_of(pid).ok().and_then(|of| u32::try_from(of).ok());
            pid != group && of != Some(group)
        };
        self.folder.signal(signal, is_outside).is_ok_and(|signalled| signalled.reached)
    }

    /// Kills all that is in it. An error means that it is gone, or that the system refuses.
    pub(crate) fn kill(&self) {
        self.folder.kill().ok();
    }
}

impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Branch").field(&self.folder.path()).finish()
    }
}

impl Drop for Branch {
    fn drop(&mut self) {
        // In a forked copy, the branch is its parent's.
        if self.owner == process::id() && self.folder.remove().is_err() {
            self.left.add(self.folder.path().to_owned());
        }
    }
}

//! Other users, for tests that root runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use procession_process_transport::Command;
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use tempfile::TempDir;

use super::{PROBE, command};

/// The user and group that every system has for nobody.
pub(crate) const NOBODY: u32 = 65534;

/// A copy of the probe that every user can execute.
pub(crate) struct PublicProbe {
    _dir: TempDir,
    path: PathBuf,
}

impl PublicProbe {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        set_mode(dir.path(), 0o755);
        let path = dir.path().join("probe");
        fs::copy(PROBE, &path).expect("the probe");
        set_mode(&path, 0o755);
        Self { _dir: dir, path }
    }

    pub(crate) fn run(&self, what: &str) -> Command {
        command(&self.path).arg(what)
    }
}

/// Sets the permissions of a file.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
}

/// Makes this thread, the only one that spawns, the user nobody with these groups. This cannot be
/// undone.
pub(crate) fn become_nobody(groups: &[u32]) {
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    set_thread_groups(&groups).expect("root may");
    set_thread_res_gid(gid, gid, gid).expect("root may");
    set_thread_res_uid(uid, uid, uid).expect("root may");
}

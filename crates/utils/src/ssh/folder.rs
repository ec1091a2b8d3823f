//! A private folder for the control sockets of a host.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::random::random;

/// The longest path of a folder, in bytes. A socket has room for 103 bytes on some systems, and `ssh`
/// itself adds 17 to its name for a time.
const MOST_BYTES: usize = 60;

/// A folder that its drop removes, with what is in it.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes a folder that only this user can enter, in the folder for temporary files, or in /tmp if that
    /// has too long a name.
    pub(crate) fn make() -> io::Result<Self> {
        let parent = std::env::temp_dir();
        let is_short =
            parent.is_absolute() && parent.as_os_str().as_bytes().len() <= MOST_BYTES - 30;
        let parent = if is_short { parent.as_path() } else { Path::new("/tmp") };
        let path = parent.join(format!("procession-{:016x}", random()));
        // It fails if the name is taken, so nobody else's folder is used.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Returns the path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok(); // what is left disturbs nobody
    }
}

//! The path of a listening Unix socket, which is removed when the socket is closed.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A path that was bound by this program, and the file that it named then.
#[derive(Debug)]
pub(crate) struct BoundPath {
    /// Absolute, because the current directory may change.
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl BoundPath {
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let found = fs::symlink_metadata(&path)?;
        Ok(Self { path, device: found.dev(), inode: found.ino() })
    }

    /// Removes the file, unless it is gone or another file has replaced it.
    pub(crate) fn remove(self) -> io::Result<()> {
        let removed = fs::symlink_metadata(&self.path).and_then(|found| {
            let same = found.dev() == self.device && found.ino() == self.inode;
            if same { fs::remove_file(&self.path) } else { Ok(()) }
        });
        match removed {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

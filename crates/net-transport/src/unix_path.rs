//! The path of a listening Unix socket, which is removed when the socket is closed.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use procession_core::driver::Reason;

/// Refuses a path that cannot be the path of a socket, both to listen and to connect.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    let path = path.as_os_str().as_bytes();
    let why = match () {
        // For an empty path, the kernel would choose a name (autobind in `unix(7)`).
        () if path.is_empty() => "the path is empty",
        () if path.contains(&0) => "the path holds a zero byte",
        () if path.len() > MAX_PATH_BYTES => "the path is longer than a socket address may be",
        () => return Ok(()),
    };
    Err(io::Error::new(ErrorKind::InvalidInput, why))
}

/// The length of the longest path that fits a socket address, without the zero byte at its end.
const MAX_PATH_BYTES: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// A path that this program has bound, and the identity of the file that it named then.
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
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let (path, why) = (Reason::bare_or_quoted(&self.path), Reason(&error));
                let text = format!("cannot remove the socket {path}: {why}");
                Err(io::Error::new(error.kind(), text))
            }
            _ => Ok(()),
        }
    }
}

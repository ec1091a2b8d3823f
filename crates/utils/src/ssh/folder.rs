//! A private folder for the control sockets of a host.
//!
//! A program that is killed leaves its folder. So a folder is locked as long as its program lives, and
//! whoever makes one removes those that nobody has locked.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::process::geteuid;

use crate::random::random;

/// The longest name of the folder above, in bytes. A socket has room for 103 bytes on some systems; the
/// folder's own name has 28, and `ssh` adds 17 to that of the socket for a time.
const MOST_BYTES: usize = 30;
/// What the names begin with. Folders on the other side have a hyphen there.
const PREFIX: &str = "procession.";

/// A folder that its drop removes, with what is in it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Unlocks the folder when it is closed. Some file systems have no locks.
    _lock: Option<File>,
}

impl Folder {
    /// Makes a folder that only this user can enter, where temporary files are.
    pub(crate) fn make() -> io::Result<Self> {
        Self::make_in(above(&std::env::temp_dir()))
    }

    fn make_in(above: &Path) -> io::Result<Self> {
        remove_left(above);
        loop {
            let path = above.join(format!("{PREFIX}{:016x}", random()));
            // It fails if the name is taken, so nobody else's folder is used.
            let made = DirBuilder::new().mode(0o700).create(&path);
            made.map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", above.display()))
            })?;
            // Another program may remove the folder until it is locked.
            match lock(&path) {
                Ok(lock) if path.exists() => return Ok(Self { path, _lock: Some(lock) }),
                Err(_) if path.exists() => return Ok(Self { path, _lock: None }),
                _ => {}
            }
        }
    }

    /// Returns the path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).ok(); // what is left disturbs nobody
    }
}

/// Returns this folder, or /tmp if `ssh` could not have a socket there: it expands `%` and `${`.
fn above(temporary: &Path) -> &Path {
    let name = temporary.as_os_str().as_bytes();
    let is_plain =
        name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+,@".contains(byte));
    let is_good = temporary.is_absolute() && name.len() <= MOST_BYTES && is_plain;
    if is_good { temporary } else { Path::new("/tmp") }
}

/// Removes the folders of programs that were killed.
fn remove_left(above: &Path) {
    let Ok(entries) = fs::read_dir(above) else { return };
    for entry in entries.flatten() {
        let is_folder = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_folder && let Ok(lock) = lock(&entry.path()) {
            fs::remove_dir_all(entry.path()).ok(); // what is left disturbs nobody
            drop(lock);
        }
    }
}

/// Locks a folder of this user, if nobody has done it.
fn lock(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let folder = File::from(open(path, flags, Mode::empty())?);
    if folder.metadata()?.uid() != geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    flock(&folder, FlockOperation::NonBlockingLockExclusive)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_in_one_whose_name_is_short_and_means_itself_to_ssh() {
        for name in ["/tmp", "/var/tmp", "/run/user/1000"] {
            assert_eq!(above(Path::new(name)), Path::new(name));
        }
        let long = format!("/{}", "x".repeat(30));
        for name in ["", "tmp", "/tmp/%h", "/tmp/${HOME}", "/tmp/a b", "/tmp/\"", &long] {
            assert_eq!(above(Path::new(name)), Path::new("/tmp"), "{name}");
        }
        assert_eq!(PREFIX.len() + 16 + 1, 28);
    }

    #[test]
    fn the_folder_of_a_killed_program_is_removed_and_that_of_a_living_one_is_not() {
        let above = tempfile::tempdir().unwrap();
        let path = |name: &str| above.path().join(name);
        let living = Folder::make_in(above.path()).unwrap();
        for name in ["procession.0123456789abcdef", "procession-0123456789abcdef"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("c0.1"), "a socket").unwrap();
        }
        let other = Folder::make_in(above.path()).unwrap();
        assert!(living.path.exists() && other.path.exists());
        let is_left = ["procession.0123456789abcdef", "procession-0123456789abcdef"]
            .map(|name| path(name).exists());
        assert_eq!(is_left, [false, true], "the second is no folder of this kind");
        let error = Folder::make_in(&path("none")).unwrap_err().to_string();
        assert!(error.contains("none: No such file"), "{error}");
        drop([living, other]);
        assert_eq!(fs::read_dir(above.path()).unwrap().count(), 1);
    }
}

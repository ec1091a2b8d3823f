//! What is at a path, so that a new file can be told from an old one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The identity of a file and of its contents; `None` if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileMark(Option<[i64; 5]>);

impl FileMark {
    pub(super) fn of(path: &Path) -> Self {
        let mark = fs::metadata(path).ok().map(|found| {
            let [device, inode] = [found.dev(), found.ino()].map(u64::cast_signed);
            [device, inode, found.mtime(), found.mtime_nsec(), found.size().cast_signed()]
        });
        Self(mark)
    }

    /// Returns whether there is a file now, and not the one that this marks.
    pub(super) fn has_appeared(self, path: &Path) -> bool {
        let now = Self::of(path);
        now.0.is_some() && now != self
    }
}

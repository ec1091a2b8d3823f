//! The descriptor table that a child starts with, and how it gets its descriptors there.
//!
//! A child that starts in its parent's table leaves it by its first system call, with a copy of some of its
//! numbers. It then gets its descriptors in one of two ways.
//!
//! By mail: the copy has the numbers up to the mailbox, the child closes them, and receives its descriptors.
//! So it never holds a file that its parent does not give it: while it held one that another thread has
//! open for writing, nobody could execute that file.
//!
//! By their numbers: the copy has the parent's first [`KEPT`] numbers, and the child moves its descriptors
//! from there to their targets and closes the others. This saves the message, which takes a sixteenth of the
//! time of a spawn. It is the way of a program with one thread: that thread stands still until the exec,
//! so nothing notices what the child holds until then. As in every copied table, a close writes out what the
//! parent has written to a network file system and its kernel has not, and the parent waits for that.

use std::ffi::c_int;

/// How many of the parent's numbers the child keeps if it gets its descriptors by their numbers: one word of
/// the kernel's bitmap. A copy of so few takes no longer than a copy of the numbers up to a mailbox.
pub(super) const KEPT: c_int = 64;

/// The descriptor table that the child starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// A copy of the parent's.
    Copied,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux can share it"))]
    /// The parent's own, until it is unshared.
    Shared(Shared),
}

/// How the child leaves its parent's table, and gets its descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shared {
    /// The numbers of the mailbox. `sender` lies above what the child keeps, so it is open only if the
    /// table is still shared.
    pub(super) receiver: c_int,
    pub(super) sender: c_int,
    pub(super) passing: Passing,
}

/// How the child gets its descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passing {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has mailboxes"))]
    /// This many are in the mailbox.
    Mail { count: usize },
    /// They are on their numbers, all of them below [`KEPT`].
    Numbers,
}

impl Shared {
    /// Returns the last number that the child keeps.
    pub(super) fn cut(self) -> c_int {
        match self.passing {
            Passing::Mail { .. } => self.receiver,
            Passing::Numbers => KEPT - 1,
        }
    }
}

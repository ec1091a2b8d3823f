//! A descriptor number in the child, which is never a descriptor of this process.

use std::fmt;

/// The number of a descriptor in the child.
///
/// Calls take `impl Into<ChildFd>`, so you can pass a plain number. Every number is a value of this
/// type; each call checks whether the child has such a descriptor.
///
/// # Examples
///
/// ```
/// use procession::ChildFd;
///
/// assert_eq!(ChildFd::from(2), ChildFd::STDERR);
/// assert_eq!(ChildFd::STDERR, 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChildFd(i32);

impl ChildFd {
    /// The child's standard input, 0.
    pub const STDIN: Self = Self(0);
    /// The child's standard output, 1.
    pub const STDOUT: Self = Self(1);
    /// The child's standard error, 2.
    pub const STDERR: Self = Self(2);

    /// Returns the number.
    pub const fn as_raw(self) -> i32 {
        self.0
    }
}

impl From<i32> for ChildFd {
    fn from(number: i32) -> Self {
        Self(number)
    }
}

impl PartialEq<i32> for ChildFd {
    fn eq(&self, other: &i32) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for ChildFd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

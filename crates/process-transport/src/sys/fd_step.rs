//! What a child does to its descriptor table: the requested moves, and single steps.

/// A descriptor, and the number on which the child shall have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FdMove {
    /// Open in the child before the first step.
    pub(crate) source: i32,
    /// The number on which the program finds it.
    pub(crate) target: i32,
}

/// One action in the child's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FdStep {
    /// `dup2`: `to` becomes a copy of `from`, without close-on-exec.
    Dup {
        /// The number that is copied.
        from: i32,
        /// The number that is replaced.
        to: i32,
    },
    /// `dup3` with `O_CLOEXEC`: a copy on a scratch number.
    DupCloexec {
        /// The number that is copied.
        from: i32,
        /// The scratch number.
        to: i32,
    },
    /// Clears close-on-exec. Source and target are the same number, for which `dup2` does nothing.
    Keep {
        /// The number that stays.
        fd: i32,
    },
    /// Closes all numbers from `first` to `last`, both included.
    Close {
        /// The first number.
        first: u32,
        /// The last number; `u32::MAX` for all above `first`.
        last: u32,
    },
}

//! What a child does to its descriptor table: the moves that are asked for, and single steps.

/// One descriptor and the number on which the child shall have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FdMove {
    /// Open in the child before the first step.
    pub(crate) source: i32,
    /// Where the program finds it.
    pub(crate) target: i32,
}

/// One thing to do in the child's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FdStep {
    /// `dup2`: `to` becomes a copy of `from`, without close-on-exec.
    Dup {
        /// Copied.
        from: i32,
        /// Replaced.
        to: i32,
    },
    /// `dup3` with `O_CLOEXEC`: a copy on a scratch number.
    DupCloexec {
        /// Copied.
        from: i32,
        /// The scratch number.
        to: i32,
    },
    /// Clears close-on-exec: source and target are the same number, for which `dup2` does nothing.
    Keep {
        /// Stays where it is.
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

//! Constructors for the reasons that a transport passes to a lifecycle.

use super::Lifecycle;
use crate::reason::{exit_reason, with_held_fds};
use crate::{ChildFd, ExitReason, ResourceUsage};

/// Constructors of reasons.
impl Lifecycle {
    /// Turns a wait status, as `waitpid(2)` returns it, into an [`ExitReason`].
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::driver::protocol::Lifecycle;
    ///
    /// assert!(Lifecycle::exit_reason(0, None).is_ok());
    /// assert_eq!(Lifecycle::exit_reason(3 << 8, None).unwrap_err().exit_code(), Some(3));
    /// ```
    ///
    /// # Errors
    ///
    /// The reason is an `Err` for every status but 0; that is its meaning, not a failure of this call.
    pub fn exit_reason(raw_status: i32, usage: Option<ResourceUsage>) -> ExitReason {
        exit_reason(raw_status, usage)
    }

    /// Adds the descriptors that descendants held open when the child's output was cut off.
    ///
    /// # Errors
    ///
    /// The returned reason is an `Err` if the given one is.
    pub fn with_held_fds(reason: ExitReason, held: Vec<ChildFd>) -> ExitReason {
        with_held_fds(reason, held)
    }
}

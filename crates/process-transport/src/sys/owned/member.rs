//! A child, as an act sees it.

use std::ffi::c_int;

/// The state of the leader of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeaderState {
    Runs,
    /// It waits to be reaped; or it is reaped, and its group has members.
    Ended,
    /// It is no child of ours any more, and no member of its group is known.
    Gone,
}

/// A child that is not reaped, or the group that it has led.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) pid: c_int,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has pidfds"))]
    pub(super) pidfd: c_int,
    pub(super) leads_group: bool,
    /// The leader is reaped, or about to be: only its group is left, and the pidfd names its
    /// members.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has pidfds"))]
    pub(super) is_left: bool,
    pub(super) grace_ms: u32,
}

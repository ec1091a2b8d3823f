//! A child as an act finds it.

use std::ffi::c_int;

/// A child that is not reaped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) pid: c_int,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has pidfds"))]
    pub(super) pidfd: c_int,
    pub(super) leads_group: bool,
    pub(super) grace_ms: u32,
}

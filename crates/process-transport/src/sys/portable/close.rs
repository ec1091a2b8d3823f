//! Closes all but a few descriptors, on systems other than Linux.

use rustix::process::{Resource, getrlimit};

use super::raw::{self, Call};
use crate::sys::closing::CloseOptions;

/// Marks `first` to `last`, both included, close-on-exec.
///
/// Goes up to the limit: descriptors that were opened before the limit was lowered stay as they
/// are.
pub(in crate::sys) fn close(first: u32, last: u32, _how: CloseOptions) -> Call {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
    let end = u32::try_from(limit).unwrap_or(u32::MAX).saturating_sub(1);
    for fd in first..=last.min(end) {
        raw::set_cloexec(fd.cast_signed(), true).ok(); // a number that is not open needs no mark
    }
    Ok(())
}

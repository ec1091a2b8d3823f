//! Enlarges a pipe while whole buffers pass through it, where no loop does it, at the moments that core's
//! `PipeGrowth` names. The reactor makes the same call for its pipes (`pipe/resize.rs`); without a loop it
//! is no dependency of this crate.

use std::os::fd::OwnedFd;

use procession_core::driver::PipeGrowth;

/// The growth of one pipe, and the bytes of full calls that count towards it.
#[derive(Debug)]
pub struct GrowingPipe {
    growth: PipeGrowth,
    /// The bytes of the calls in a row that were full, since the last whole buffer.
    full_bytes: usize,
}

impl GrowingPipe {
    /// Returns the growth of a pipe of the default size; `grows` if it may grow.
    pub fn new(grows: bool) -> Self {
        let growth = if grows { PipeGrowth::adaptive() } else { PipeGrowth::never() };
        Self { growth, full_bytes: 0 }
    }

    /// Notes that a call moved `bytes`; `is_full` if the call was for no more. A caller with a small
    /// buffer needs several calls for one buffer of the pipe.
    pub fn on_moved(&mut self, pipe: &OwnedFd, bytes: usize, is_full: bool) {
        if !is_full && bytes < PipeGrowth::BUFFER_BYTES {
            self.full_bytes = 0;
            self.growth.on_moved(0);
            return;
        }
        self.full_bytes += bytes;
        if self.full_bytes < PipeGrowth::BUFFER_BYTES {
            return;
        }
        let moved = std::mem::take(&mut self.full_bytes);
        if let Some(size) = self.growth.on_moved(moved)
            && !set_size(pipe, size)
        {
            self.growth.on_refused();
        }
    }
}

/// Asks for another size, in bytes. Returns whether the system agreed.
#[cfg(target_os = "linux")]
fn set_size(pipe: &OwnedFd, bytes: usize) -> bool {
    rustix::pipe::fcntl_setpipe_size(pipe, bytes).is_ok()
}

/// Returns false, because the size of pipes is fixed.
#[cfg(not(target_os = "linux"))]
fn set_size(_: &OwnedFd, _: usize) -> bool {
    false
}

//! Replaces descriptors 0, 1 and 2 of a test's own process, and restores them.
//!
//! Only for tests that are [`crate::isolated`].

use std::io::{Write, stderr, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;

use rustix::io::fcntl_dupfd_cloexec;

use crate::sys;

/// Copies of the original descriptors 0, 1 and 2. They stay open until the process ends.
static SAVED: OnceLock<[OwnedFd; 3]> = OnceLock::new();

/// A guard that restores descriptors 0, 1 and 2 when it is dropped.
///
/// After the first `save`, every panic message goes to the real stderr, wherever descriptor 2
/// leads.
#[derive(Debug)]
pub struct Standard(());

impl Standard {
    /// Saves 0, 1 and 2. The first call opens descriptors that stay open.
    pub fn save() -> Self {
        let copy = |fd: &dyn AsFd| fcntl_dupfd_cloexec(fd.as_fd(), 200).expect("it is open");
        SAVED.get_or_init(|| {
            std::panic::set_hook(Box::new(|panic| {
                let mut message = Vec::new();
                writeln!(message, "{panic}").ok(); // a write to memory does not fail
                let [_, _, stderr] = SAVED.get().expect("it was saved before");
                rustix::io::write(stderr, &message).ok(); // a failed write is harmless
            }));
            [copy(&stdin()), copy(&stdout()), copy(&stderr())]
        });
        Self(())
    }

    /// Makes `number` a copy of `fd`.
    pub fn replace(&self, number: i32, fd: impl AsFd) {
        sys::put_at(fd, number, false);
    }

    /// Closes `number`.
    pub fn close(&self, number: i32) {
        sys::close_standard(number);
    }
}

impl Drop for Standard {
    fn drop(&mut self) {
        for (number, saved) in (0..).zip(SAVED.get().into_iter().flatten()) {
            sys::put_at(saved, number, false);
        }
    }
}

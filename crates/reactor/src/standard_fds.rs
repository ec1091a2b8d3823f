//! Keeps the reactor's own descriptors off the numbers 0, 1 and 2.
//!
//! If one of the three is closed, the next new descriptor gets its number. Then the program's
//! output would go into the wake-up descriptor, and a child would inherit that descriptor as its
//! stderr. The reactor makes all its own descriptors in [`Reactor::new`](crate::Reactor::new), so
//! placeholders are needed only there. A descriptor that a caller passes in keeps its number.

use std::fs::{File, OpenOptions};

use rustix::io::fcntl_getfd;
use rustix::stdio::{stderr, stdin, stdout};

/// Occupies the free ones of the three numbers, until dropped.
#[must_use]
pub(crate) fn occupy() -> Vec<File> {
    let closed = [stdin(), stdout(), stderr()].into_iter().filter(|fd| fcntl_getfd(fd).is_err());
    let null = || OpenOptions::new().read(true).write(true).open("/dev/null");
    // Each placeholder gets the lowest free number. The reactor also works without them.
    closed.filter_map(|_| null().ok()).collect()
}

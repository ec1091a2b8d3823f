//! Keeps the reactor's own descriptors off the numbers 0, 1 and 2.
//!
//! Where one of the three is closed the next descriptor that is made gets its number: what the
//! program prints would go into the wake-up, and a child would inherit it as its stderr. All
//! that the reactor makes for itself it makes in [`Reactor::new`](crate::Reactor::new), so
//! stand-ins are needed there only. What it is given keeps the number that it has.

use std::fs::{File, OpenOptions};

use rustix::io::fcntl_getfd;
use rustix::stdio::{stderr, stdin, stdout};

/// Occupies those of the three numbers that are free, until dropped.
#[must_use]
pub(crate) fn occupy() -> Vec<File> {
    let closed = [stdin(), stdout(), stderr()].into_iter().filter(|fd| fcntl_getfd(fd).is_err());
    let null = || OpenOptions::new().read(true).write(true).open("/dev/null");
    // Each gets the lowest number that is free. Without them the reactor works just as well.
    closed.filter_map(|_| null().ok()).collect()
}

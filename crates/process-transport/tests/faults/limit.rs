//! A limit that refuses the k-th new descriptor.

use std::fs::File;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::util::open_fds;

/// Descriptors that fill every gap, so that the soft limit sets exactly how many more can be
/// opened.
pub(crate) struct FilledFds {
    _fill: Vec<File>,
    next: u64,
    usual: Rlimit,
}

impl FilledFds {
    /// Fills the gaps below the highest number in use.
    pub(crate) fn new() -> Self {
        let highest = open_fds().into_keys().max().unwrap_or(2);
        let mut fill = Vec::new();
        loop {
            let file = File::open("/dev/null").expect("/dev/null");
            let number = std::os::fd::AsRawFd::as_raw_fd(&file);
            if number > highest {
                break;
            }
            fill.push(file);
        }
        let next = u64::try_from(highest).expect("a number is not negative") + 1;
        Self { _fill: fill, next, usual: getrlimit(Resource::Nofile) }
    }

    /// Runs `body` with room for `more` new descriptors.
    pub(crate) fn with<R>(&self, more: u64, body: impl FnOnce() -> R) -> R {
        let tight = Rlimit { current: Some(self.next + more), ..self.usual };
        setrlimit(Resource::Nofile, tight).expect("a lower soft limit");
        let result = body();
        setrlimit(Resource::Nofile, self.usual).expect("the limit from before");
        result
    }
}

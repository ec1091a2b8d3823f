//! What the drop of a reactor waits for: an end that was begun before, and that nobody calls back on.
//!
//! Everything else of the reactor is gone by then: no callback is made, no timer fires, and this thread
//! stands still until the last one is over.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::handle::Handle;
use procession_core::driver::FirstPanic;

/// Something that comes to its end when its reactor is gone, such as a process that is being ended.
///
/// For authors of transports, and unstable: see [`Handle::outlast`].
pub trait Outlasting {
    /// Does what is due at `now`, on the reactor's clock. Returns when it is to be called again at the
    /// latest; `None` when it is over.
    ///
    /// `is_ready` if [`fd`](Self::fd) is readable.
    fn go_on(&mut self, now: Duration, is_ready: bool) -> Option<Duration>;

    /// Returns what becomes readable when it is to be called earlier.
    fn fd(&self) -> Option<BorrowedFd<'_>>;
}

/// All that a reactor's drop is to wait for.
#[derive(Default)]
pub(crate) struct AllOutlasting(Vec<Box<dyn Outlasting>>);

impl fmt::Debug for AllOutlasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AllOutlasting").field(&self.0.len()).finish()
    }
}

impl Handle {
    /// Has the drop of the reactor wait for `one`: for what is told of that drop, and hands on what it
    /// has begun. All are waited for at the same time, when everything else is gone. How long that may
    /// take is for each of them to bound.
    ///
    /// A reactor that is gone already has it waited for here.
    pub fn outlast(&self, one: impl Outlasting + 'static) {
        self.core.outlasting.with(|all| all.0.push(Box::new(one)));
        if self.core.poller.with(|poller| poller.is_none()) {
            wait_for_all(self, &mut FirstPanic::default());
        }
    }
}

/// Waits until all are over.
pub(crate) fn wait_for_all(handle: &Handle, panic: &mut FirstPanic) {
    let mut all: Vec<Waiting> = Vec::new();
    loop {
        // Also those that came meanwhile.
        let new = handle.core.outlasting.with(|new| std::mem::take(&mut new.0));
        all.extend(new.into_iter().map(Waiting::new));
        let now = handle.now();
        all.retain_mut(|one| one.go_on(now, panic));
        let Some(next) = all.iter().map(|one| one.due).min() else { return };
        wait(&mut all, next.saturating_sub(handle.now()));
    }
}

/// One of them.
struct Waiting {
    one: Box<dyn Outlasting>,
    due: Duration,
    is_ready: bool,
}

impl Waiting {
    fn new(one: Box<dyn Outlasting>) -> Self {
        Self { one, due: Duration::ZERO, is_ready: false }
    }

    /// Returns whether it goes on after what is due now.
    fn go_on(&mut self, now: Duration, panic: &mut FirstPanic) -> bool {
        let is_ready = std::mem::take(&mut self.is_ready);
        if !is_ready && now < self.due {
            return true;
        }
        let due = panic.catch(|| self.one.go_on(now, is_ready)).flatten();
        self.due = due.unwrap_or(now);
        due.is_some()
    }
}

/// Waits until one of them is ready, for `timeout` at most.
fn wait(all: &mut [Waiting], timeout: Duration) {
    let ready: Vec<bool> = {
        let fds = all.iter().filter_map(|one| one.one.fd());
        let mut fds: Vec<PollFd<'_>> =
            fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        // A signal cuts it short, and an error would be one of memory: both look again.
        poll(&mut fds, Timespec::try_from(timeout).ok().as_ref()).ok();
        fds.iter().map(|fd| !fd.revents().is_empty()).collect()
    };
    let watched = all.iter_mut().filter(|one| one.one.fd().is_some());
    for (one, is_ready) in watched.zip(ready) {
        one.is_ready = is_ready;
    }
}

//! The end of the loop, for transports: one list of those that are called, and of what is waited for.
//!
//! A transport is in the list from [`Io::watch_end`](crate::driver::Io::watch_end) until it drops its
//! [`EndWatch`](crate::driver::EndWatch). The loop ends in this order:
//!
//! 1. A `run_until` is over: [`OnEnd::end_owned`], after the program's own *before* triggers of the
//!    shutdown, which then waits for the results.
//! 2. The loop stops: [`OnEnd::stopped`], at the end of the *during* phase, when the program's own
//!    triggers of that phase have run; for what the last phase begins, at its end. What begins later
//!    still is the next run's, or goes with the reactor.
//! 3. The reactor is dropped: [`OnEnd::dropped`], while every descriptor is open.
//! 4. Everything else of the reactor is gone, no callback is made and no timer fires: this thread
//!    stands still until what [`OnEnd::dropped`] has handed over, as [`Outlasting`], has ended.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::os::fd::BorrowedFd;
use std::rc::{Rc, Weak};
use std::time::Duration;

use procession_core::Deferred;

use crate::stopped::Stopped;

/// What a transport does at the end of its loop.
///
/// Each method is called with nothing borrowed. A panic keeps nobody else from being called; the
/// first one goes on when all were.
pub trait OnEnd {
    /// The loop stops, in a shutdown of [`run`](crate::Reactor::run) or another: what the transport has
    /// open is closed. What is to be called back on that, the loop delivers. Called once.
    fn stopped(self: Rc<Self>) {}

    /// A [`run_until`](crate::Reactor::run_until) is over: what the transport owns outside of the
    /// program ends. The shutdown waits for the result, if there is one.
    ///
    /// If `why` is [`Stopped::Finished`], the future was ready, and leaves alone what it has left
    /// running: only what is being ended already is waited for.
    ///
    /// Called after the program's own *before* triggers.
    fn end_owned(self: Rc<Self>, why: Stopped) -> Option<Deferred<(), Infallible>> {
        let _ = why;
        None
    }

    /// The reactor is being dropped. Its descriptors are open still, and are closed afterwards. What is
    /// asked of the reactor from here on is dropped. Called once.
    ///
    /// The drop waits for what is added to `outlasting`: for what has begun to end outside of the
    /// program. All are waited for at the same time, when everything else is gone.
    fn dropped(self: Rc<Self>, outlasting: &mut Vec<Box<dyn Outlasting>>) {
        let _ = outlasting;
    }
}

/// Something that comes to its end when its reactor is gone, such as a process that is being ended:
/// see [`OnEnd::dropped`]. How long that may take is for each of them to bound.
pub trait Outlasting {
    /// Does what is due at `now`, on the reactor's clock. Returns when it is to be called again at the
    /// latest; `None` when it is over.
    ///
    /// `is_ready` if [`fd`](Self::fd) is readable.
    fn go_on(&mut self, now: Duration, is_ready: bool) -> Option<Duration>;

    /// Returns what becomes readable when it is to be called earlier.
    fn fd(&self) -> Option<BorrowedFd<'_>>;
}

/// The transports that are called at the end, in the order of their beginnings.
#[derive(Default)]
pub(crate) struct EndList {
    transports: BTreeMap<u64, EndEntry>,
    next: u64,
}

struct EndEntry {
    transport: Weak<dyn OnEnd>,
    /// It has nothing open any more, but may own something.
    was_stopped: bool,
}

impl EndList {
    pub(crate) fn add(&mut self, transport: Weak<dyn OnEnd>) -> u64 {
        self.next += 1;
        self.transports.insert(self.next, EndEntry { transport, was_stopped: false });
        self.next
    }

    pub(crate) fn remove(&mut self, id: u64) {
        // A weak reference: nothing of it is dropped under the borrow.
        self.transports.remove(&id);
    }

    pub(crate) fn all(&self) -> Vec<Rc<dyn OnEnd>> {
        self.transports.values().filter_map(|listed| listed.transport.upgrade()).collect()
    }

    /// Those that no stop was told yet.
    pub(crate) fn stop(&mut self) -> Vec<Rc<dyn OnEnd>> {
        let open = self.transports.values_mut().filter(|listed| !listed.was_stopped);
        let stopped = open.filter_map(|listed| {
            listed.was_stopped = true;
            listed.transport.upgrade()
        });
        stopped.collect()
    }
}

//! The end of the loop, for transports: the list of transports that the loop calls, and what it
//! waits for.
//!
//! A transport is in the list from [`Io::watch_end`](crate::driver::Io::watch_end) until it drops
//! its [`EndWatch`](crate::driver::EndWatch). The loop ends in this order:
//!
//! 1. A `run_until` is over: [`OnEnd::end_owned`], after the program's own *before* triggers of the
//!    shutdown. The shutdown then waits for the results.
//! 2. The loop stops: [`OnEnd::stopped`], at the end of the *during* phase, after the program's own
//!    triggers of that phase. Transports that start in the last phase are stopped at its end.
//!    Transports that start later are stopped by the next run, or dropped with the reactor.
//! 3. The reactor is dropped: [`OnEnd::dropped`], while every descriptor is open.
//! 4. Everything else of the reactor is gone. No callback is made and no timer fires. This thread
//!    waits until each [`Outlasting`] that [`OnEnd::dropped`] handed over has ended.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::rc::{Rc, Weak};
use std::time::Duration;

use procession_core::{Deferred, NoError};

use crate::stopped::Stopped;

/// What a transport does at the end of its loop.
///
/// Each method is called with nothing borrowed. After a panic the other transports are still
/// called. The first panic continues afterwards.
pub trait OnEnd {
    /// The loop stops, in a shutdown of [`run`](crate::Reactor::run) or another method. Closes what
    /// the transport has open. The loop delivers the callbacks about that. Called once.
    fn stopped(self: Rc<Self>) {}

    /// A [`run_until`](crate::Reactor::run_until) is over. Ends what the transport owns outside the
    /// program. The shutdown waits for the result, if there is one.
    ///
    /// If `why` is [`Stopped::Finished`], the future was ready. Then the transport leaves running
    /// what the future left running, and waits only for what is already ending.
    ///
    /// Called after the program's own *before* triggers.
    fn end_owned(self: Rc<Self>, why: Stopped) -> Option<Deferred<(), NoError>> {
        let _ = why;
        None
    }

    /// The reactor is being dropped. Its descriptors are still open, and are closed afterwards.
    /// Requests to the reactor from here on are dropped. Called once.
    ///
    /// The drop waits for the values that are added to `outlasting`, which stand for what is
    /// already ending outside the program. It waits for all of them at the same time, after
    /// everything else is gone.
    fn dropped(self: Rc<Self>, outlasting: &mut Vec<Box<dyn Outlasting>>) {
        let _ = outlasting;
    }
}

/// Something that still ends after its reactor is gone, such as a process: see [`OnEnd::dropped`].
/// Each implementation must limit how long that takes.
pub trait Outlasting {
    /// Does what is due at `now`, on the reactor's clock. Returns when it must be called again at
    /// the latest. `None` when it has ended.
    ///
    /// `is_ready` is true if [`fd`](Self::fd) is readable.
    fn go_on(&mut self, now: Duration, is_ready: bool) -> Option<Duration>;

    /// Returns a descriptor. When it becomes readable, `go_on` is called earlier.
    fn fd(&self) -> Option<BorrowedFd<'_>>;
}

/// The transports that the loop calls at its end, in the order in which they were added.
#[derive(Default)]
pub(crate) struct EndList {
    transports: BTreeMap<u64, EndEntry>,
    next: u64,
}

struct EndEntry {
    transport: Weak<dyn OnEnd>,
    /// It was stopped: it has nothing open any more, but may own something outside the program.
    was_stopped: bool,
}

impl EndList {
    pub(crate) fn add(&mut self, transport: Weak<dyn OnEnd>) -> u64 {
        self.next += 1;
        self.transports.insert(self.next, EndEntry { transport, was_stopped: false });
        self.next
    }

    pub(crate) fn remove(&mut self, id: u64) {
        // The list holds weak references, so nothing foreign is dropped while it is borrowed.
        self.transports.remove(&id);
    }

    pub(crate) fn all(&self) -> Vec<Rc<dyn OnEnd>> {
        self.transports.values().filter_map(|listed| listed.transport.upgrade()).collect()
    }

    /// Returns the transports that were not stopped yet, and marks them as stopped.
    pub(crate) fn stop(&mut self) -> Vec<Rc<dyn OnEnd>> {
        let open = self.transports.values_mut().filter(|listed| !listed.was_stopped);
        let stopped = open.filter_map(|listed| {
            listed.was_stopped = true;
            listed.transport.upgrade()
        });
        stopped.collect()
    }
}

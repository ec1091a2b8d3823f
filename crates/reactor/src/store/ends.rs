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
    slots: Vec<Option<EndEntry>>,
    /// The empty slots.
    free: Vec<EndId>,
    /// How many were added.
    added: u64,
}

/// The slot of a transport.
pub(crate) type EndId = u32;

struct EndEntry {
    transport: Weak<dyn OnEnd>,
    /// Its place in the order, times two; and one more if it was stopped: it has nothing open any more,
    /// but may own something outside the program.
    order: u64,
}

impl EndEntry {
    fn was_stopped(&self) -> bool {
        self.order & 1 == 1
    }
}

impl EndList {
    /// Adds a transport.
    ///
    /// # Panics
    ///
    /// Panics if there are 2³² transports, for which no process has the memory.
    pub(crate) fn add(&mut self, transport: Weak<dyn OnEnd>) -> EndId {
        self.added += 1;
        let entry = Some(EndEntry { transport, order: self.added << 1 });
        match self.free.pop() {
            Some(id) => {
                self.slots[id as usize] = entry;
                id
            }
            None => {
                self.slots.push(entry);
                EndId::try_from(self.slots.len() - 1).expect("memory for fewer")
            }
        }
    }

    pub(crate) fn remove(&mut self, id: EndId) {
        // The list holds weak references, so nothing foreign is dropped while it is borrowed.
        self.slots[id as usize] = None;
        self.free.push(id);
    }

    pub(crate) fn all(&self) -> Vec<Rc<dyn OnEnd>> {
        self.in_order(|_| true)
    }

    /// Returns the transports that were not stopped yet, and marks them as stopped.
    pub(crate) fn stop(&mut self) -> Vec<Rc<dyn OnEnd>> {
        let open = self.in_order(|entry| !entry.was_stopped());
        for entry in self.slots.iter_mut().flatten() {
            entry.order |= 1;
        }
        open
    }

    fn in_order(&self, is_wanted: impl Fn(&EndEntry) -> bool) -> Vec<Rc<dyn OnEnd>> {
        let wanted = self.slots.iter().flatten().filter(|entry| is_wanted(entry));
        let mut wanted: Vec<&EndEntry> = wanted.collect();
        wanted.sort_unstable_by_key(|entry| entry.order);
        wanted.into_iter().filter_map(|entry| entry.transport.upgrade()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(#[expect(dead_code, reason = "for its size")] u8);

    impl OnEnd for Named {}

    #[test]
    fn transports_keep_their_order_when_slots_are_used_again() {
        // A type with a size, so that each has an address of its own.
        let named = [0_u8; 4].map(|byte| Rc::new(Named(byte)));
        let weak = |at: usize| -> Weak<dyn OnEnd> { Rc::<Named>::downgrade(&named[at]) };
        let mut list = EndList::default();
        let first = list.add(weak(0));
        list.add(weak(1));
        list.remove(first);
        assert_eq!(list.add(weak(2)), first, "the slot is used again");
        let is = |at: usize, one: &Rc<dyn OnEnd>| {
            std::ptr::addr_eq(Rc::as_ptr(one), Rc::as_ptr(&named[at]))
        };
        let stopped = list.stop();
        assert!(stopped.len() == 2 && is(1, &stopped[0]) && is(2, &stopped[1]));
        list.add(weak(3));
        let later = list.stop();
        assert!(later.len() == 1 && is(3, &later[0]), "each is stopped once");
        assert_eq!(list.all().len(), 3);
    }
}

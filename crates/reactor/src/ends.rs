//! The end of the loop, for transports: one list of those that are called, and of what is waited for.
//!
//! A transport is in the list from [`Io::watch_end`](crate::driver::Io::watch_end) until it drops its
//! [`EndWatch`]. The loop ends in this order, and what a later moment calls was begun before it:
//!
//! 1. A `run_until` is over: [`OnEnd::end_owned`], after the program's own *before* triggers of the
//!    shutdown, which then waits for the results.
//! 2. The loop stops: [`OnEnd::stopped`], at the end of the *during* phase, when the program's own
//!    triggers of that phase have run; for what the last phase begins, at its end. What begins later
//!    still is the next run's, or goes with the reactor.
//! 3. The reactor is dropped: [`OnEnd::dropped`], while every descriptor is open.
//! 4. Everything else of the reactor is gone, no callback is made and no timer fires: this thread
//!    stands still until what [`OnEnd::dropped`] has returned, as [`Outlasting`], has ended.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::rc::{Rc, Weak};
use std::time::Duration;

use procession_core::panics::FirstPanic;
use procession_core::{Deferred, gather};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::handle::Handle;
use crate::stopped::Stopped;
use crate::triggers::{Phase, SystemEvent};

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
    /// The drop waits for what is returned: for what has begun to end outside of the program. All are
    /// waited for at the same time, when everything else is gone.
    fn dropped(self: Rc<Self>) -> Option<Box<dyn Outlasting>> {
        None
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
    transports: BTreeMap<u64, Listed>,
    next: u64,
}

struct Listed {
    transport: Weak<dyn OnEnd>,
    /// It has nothing open any more, but may own something.
    was_stopped: bool,
}

/// A place in the list of those that are called at the end of the loop, until it is dropped.
#[must_use = "dropped, it leaves the list"]
pub struct EndWatch {
    reactor: Handle,
    id: u64,
}

impl EndWatch {
    pub(crate) fn new(reactor: &Handle, transport: Weak<dyn OnEnd>) -> Self {
        let id = reactor.core.ends.with(|ends| {
            ends.next += 1;
            ends.transports.insert(ends.next, Listed { transport, was_stopped: false });
            ends.next
        });
        Self { reactor: reactor.clone(), id }
    }
}

impl Drop for EndWatch {
    fn drop(&mut self) {
        // A weak reference: nothing of it is dropped under the borrow.
        self.reactor.core.ends.with(|ends| ends.transports.remove(&self.id));
    }
}

impl fmt::Debug for EndWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndWatch").field("id", &self.id).finish_non_exhaustive()
    }
}

impl EndList {
    fn all(&self) -> Vec<Rc<dyn OnEnd>> {
        self.transports.values().filter_map(|listed| listed.transport.upgrade()).collect()
    }

    /// Those that no stop was told yet.
    fn stop(&mut self) -> Vec<Rc<dyn OnEnd>> {
        let open = self.transports.values_mut().filter(|listed| !listed.was_stopped);
        let stopped = open.filter_map(|listed| {
            listed.was_stopped = true;
            listed.transport.upgrade()
        });
        stopped.collect()
    }
}

/// The loop stops.
pub(crate) fn stop(handle: &Handle) {
    let mut panics = FirstPanic::default();
    for transport in handle.core.ends.with(EndList::stop) {
        panics.catch(|| transport.stopped());
    }
    panics.resume();
}

/// Has what is owned outside of the program end before the shutdown that begins goes on.
pub(crate) fn end_owned(handle: &Handle, why: Stopped) {
    handle.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, move |handle| {
        let mut panics = FirstPanic::default();
        let mut ended = Vec::new();
        for transport in handle.core.ends.with(|ends| ends.all()) {
            ended.extend(panics.catch(|| transport.end_owned(why)).flatten());
        }
        panics.resume();
        gather(ended)
    });
}

/// The reactor is being dropped. Returns what its drop waits for.
pub(crate) fn reactor_dropped(handle: &Handle, panic: &mut FirstPanic) -> Vec<Box<dyn Outlasting>> {
    let all = handle.core.ends.with(|ends| ends.all());
    all.into_iter().filter_map(|transport| panic.catch(|| transport.dropped()).flatten()).collect()
}

/// Waits until all are over.
pub(crate) fn wait_for_all(handle: &Handle, all: Vec<Box<dyn Outlasting>>, panic: &mut FirstPanic) {
    let mut all: Vec<Waiting> = all.into_iter().map(Waiting::new).collect();
    loop {
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

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::{Phase, Reactor, Stopped, SystemEvent};

    /// Counts how often it is told, and then does what it is to do.
    #[derive(Default)]
    struct One {
        told: Cell<u32>,
        then: RefCell<Option<Box<dyn FnOnce()>>>,
    }

    impl OnEnd for One {
        fn stopped(self: Rc<Self>) {
            self.told.set(self.told.get() + 1);
            let then = self.then.take();
            then.into_iter().for_each(|then| then());
        }
    }

    fn one(then: Option<Box<dyn FnOnce()>>) -> Rc<One> {
        Rc::new(One { told: Cell::new(0), then: RefCell::new(then) })
    }

    fn enrolled(reactor: &Handle, one: &Rc<One>) -> EndWatch {
        let one: Rc<dyn OnEnd> = one.clone();
        reactor.io().watch_end(Rc::downgrade(&one))
    }

    fn reactor() -> Reactor {
        Reactor::new().unwrap().without_signals()
    }

    fn stop(reactor: &mut Reactor) {
        reactor.call_soon(|reactor| reactor.stop());
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
    }

    #[test]
    fn what_is_dropped_leaves_the_list() {
        let mut reactor = reactor();
        let told = one(None);
        for _ in 0..100 {
            drop(enrolled(&reactor, &told));
        }
        assert_eq!(reactor.core.ends.with(|ends| ends.transports.len()), 0);
        stop(&mut reactor);
        assert_eq!(told.told.get(), 0);
    }

    #[test]
    fn a_run_tells_each_once_after_the_triggers_of_its_phase() {
        let mut reactor = reactor();
        for _ in 0..2 {
            let told = one(None);
            let _enrolled = enrolled(&reactor, &told);
            for (phase, times) in [(Phase::Before, 0), (Phase::During, 0), (Phase::After, 1)] {
                let told = told.clone();
                reactor.add_system_event_trigger(phase, SystemEvent::Shutdown, move |_| {
                    assert_eq!(told.told.get(), times, "{phase:?}");
                });
            }
            stop(&mut reactor);
            assert_eq!(told.told.get(), 1);
        }
    }

    /// One that begins another when it is told is no loop without end.
    #[test]
    fn what_begins_at_the_end_is_told_by_the_next_run() {
        let mut reactor = reactor();
        type Kept = Rc<RefCell<Vec<(Rc<One>, EndWatch)>>>;
        let kept = Kept::default();
        fn begin(reactor: &Handle, kept: &Kept) {
            let (handle, again) = (reactor.clone(), kept.clone());
            let one = one(Some(Box::new(move || begin(&handle, &again))));
            let enrolled = enrolled(reactor, &one);
            kept.borrow_mut().push((one, enrolled));
        }
        begin(&reactor, &kept);
        for run in 1..=3 {
            stop(&mut reactor);
            let told: Vec<u32> = kept.borrow().iter().map(|(one, _)| one.told.get()).collect();
            // Two a run: of the second phase and of the last.
            assert_eq!(told, [vec![1; 2 * run], vec![0]].concat());
        }
        let cycles = kept.take();
        drop(reactor);
        drop(cycles);
    }

    #[test]
    fn a_panic_keeps_nobody_from_being_told() {
        let mut reactor = reactor();
        fn fail() {
            panic!("at a stop");
        }
        let panics = || Some(Box::new(fail) as Box<dyn FnOnce()>);
        let all = [panics(), None, panics(), None].map(one);
        let _enrolled = all.each_ref().map(|one| enrolled(&reactor, one));
        reactor.call_soon(|reactor| reactor.stop());
        let panic = catch_unwind(AssertUnwindSafe(|| reactor.run())).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"at a stop"));
        assert!(all.iter().all(|one| one.told.get() == 1));
        // The next run, told already, closes in the same phase.
        let late = one(None);
        let _late = enrolled(&reactor, &late);
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        assert_eq!(late.told.get(), 1);
    }

    #[test]
    fn a_reactor_that_is_dropped_is_no_stop() {
        let reactor = reactor();
        let told = one(None);
        let enrolled = enrolled(&reactor, &told);
        drop(reactor);
        drop(enrolled);
        assert_eq!(told.told.get(), 0);
    }
}

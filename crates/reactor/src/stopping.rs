//! What ends when the reactor stops: transports close what they have open, and tell their protocols.
//!
//! They are told at the end of the *during* phase of a shutdown, when the program's own triggers of
//! that phase have run; what the last phase begins is told at its end. What begins later still is
//! the next run's, or goes with the reactor.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::rc::{Rc, Weak};

use procession_core::{Deferred, gather};

use crate::handle::Handle;
use crate::triggers::{Phase, SystemEvent};
use procession_core::driver::FirstPanic;

/// What has something open that ends when the reactor stops.
pub trait OnStop {
    /// The reactor stops. What is called back on that, the loop delivers.
    fn on_stop(self: Rc<Self>);

    /// A [`run_until`](crate::Reactor::run_until) is over: what this owns outside of the program ends
    /// as `which` says. The shutdown waits for the result, if there is one.
    ///
    /// Called after the program's own *before* triggers.
    fn end_owned(self: Rc<Self>, which: OwnedEnd) -> Option<Deferred<(), Infallible>> {
        let _ = which;
        None
    }
}

/// What a shutdown waits for of what is owned outside of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnedEnd {
    /// All of it ends: the run was stopped.
    All,
    /// What is being ended already: the future was ready, and leaves alone what it has left running.
    Begun,
}

/// Who lives, in the order of their beginnings.
#[derive(Default)]
pub(crate) struct Living {
    all: BTreeMap<u64, One>,
    next: u64,
}

struct One {
    it: Weak<dyn OnStop>,
    /// A stop was told it: it has nothing open any more, but may own something.
    is_told: bool,
}

/// A place in the list of those that are told of a stop, until it is dropped.
#[must_use = "dropped, it leaves the list"]
pub struct Enrolled {
    reactor: Handle,
    id: u64,
}

impl Handle {
    /// Has `one` told when the reactor stops: once, in the next shutdown, of a [`run`] or another.
    ///
    /// For transports, which close then what they have open. A reactor that is dropped tells
    /// [handlers](crate::EventHandler::reactor_dropped) of sources, and nobody else.
    ///
    /// [`run`]: crate::Reactor::run
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_reactor::OnStop;
    /// use procession::Reactor;
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// #[derive(Default)]
    /// struct Connection(Cell<bool>);
    ///
    /// impl OnStop for Connection {
    ///     fn on_stop(self: Rc<Self>) {
    ///         self.0.set(true);
    ///     }
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// let connection = Rc::<Connection>::default();
    /// let weak = Rc::downgrade(&connection);
    /// let enrolled = reactor.enrol(weak);
    /// reactor.call_soon(|reactor| reactor.stop());
    /// reactor.run()?;
    /// assert!(connection.0.get());
    /// drop(enrolled);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn enrol(&self, one: Weak<dyn OnStop>) -> Enrolled {
        let id = self.core.living.with(|living| {
            living.next += 1;
            living.all.insert(living.next, One { it: one, is_told: false });
            living.next
        });
        Enrolled { reactor: self.clone(), id }
    }
}

/// Tells all; the first panic goes on when all were told.
pub(crate) fn tell(handle: &Handle) {
    let all: Vec<_> = handle.core.living.with(|living| {
        let untold = living.all.values_mut().filter(|one| !one.is_told);
        untold.filter_map(One::tell).collect()
    });
    let mut panics = FirstPanic::default();
    for one in all {
        panics.catch(|| one.on_stop());
    }
    panics.resume();
}

/// Has what is owned outside of the program end before the shutdown that begins goes on.
pub(crate) fn end_owned(handle: &Handle, which: OwnedEnd) {
    handle.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, move |handle| {
        let all: Vec<_> = handle
            .core
            .living
            .with(|living| living.all.values().filter_map(|one| one.it.upgrade()).collect());
        let mut panics = FirstPanic::default();
        let mut ended = Vec::new();
        for one in all {
            ended.extend(panics.catch(|| one.end_owned(which)).flatten());
        }
        panics.resume();
        gather(ended)
    });
}

impl One {
    fn tell(&mut self) -> Option<Rc<dyn OnStop>> {
        self.is_told = true;
        self.it.upgrade()
    }
}

impl Drop for Enrolled {
    fn drop(&mut self) {
        // A weak reference: nothing of it is dropped under the borrow.
        self.reactor.core.living.with(|living| living.all.remove(&self.id));
    }
}

impl fmt::Debug for Enrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrolled").field("id", &self.id).finish_non_exhaustive()
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

    impl OnStop for One {
        fn on_stop(self: Rc<Self>) {
            self.told.set(self.told.get() + 1);
            let then = self.then.take();
            then.into_iter().for_each(|then| then());
        }
    }

    fn one(then: Option<Box<dyn FnOnce()>>) -> Rc<One> {
        Rc::new(One { told: Cell::new(0), then: RefCell::new(then) })
    }

    fn enrolled(reactor: &Handle, one: &Rc<One>) -> Enrolled {
        let one: Rc<dyn OnStop> = one.clone();
        reactor.enrol(Rc::downgrade(&one))
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
        assert_eq!(reactor.core.living.with(|living| living.all.len()), 0);
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
        type Kept = Rc<RefCell<Vec<(Rc<One>, Enrolled)>>>;
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
    fn a_reactor_that_is_dropped_tells_nobody() {
        let reactor = reactor();
        let told = one(None);
        let enrolled = enrolled(&reactor, &told);
        drop(reactor);
        drop(enrolled);
        assert_eq!(told.told.get(), 0);
    }
}

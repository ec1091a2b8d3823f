//! The end of a running reactor: connections and listeners are closed, and attempts to connect
//! given up, in the *during* phase; what a later trigger begins, in the *after* phase.
//!
//! One trigger a phase, from a reactor's first of them on. The triggers own the list; they are gone
//! once they have run, or with the reactor, and the next one begins another list. What was added
//! while a phase runs still runs in it: no trigger begins too late.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::{Rc, Weak};

use procession_core::WithCell;
use procession_reactor::{Handle, Phase, SystemEvent};

/// What ends when the reactor stops.
pub(crate) trait OnShutdown {
    /// The reactor stops. What is called back on that, the loop delivers.
    fn on_shutdown(&self);
}

/// Why it ended.
pub(crate) fn stopped() -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, "the event loop stopped")
}

/// What is open on one reactor.
#[derive(Default)]
struct Open(WithCell<State>);

#[derive(Default)]
struct State {
    living: BTreeMap<u64, Weak<dyn OnShutdown>>,
    next: u64,
}

thread_local! {
    /// A thread has at most one reactor.
    static OPEN: RefCell<Weak<Open>> = const { RefCell::new(Weak::new()) };
}

/// A place in the list, until it is dropped.
pub(crate) struct Enrolled {
    open: Weak<Open>,
    id: u64,
}

/// Has it told when the reactor stops.
pub(crate) fn enrol(reactor: &Handle, one: Weak<dyn OnShutdown>) -> Enrolled {
    let known = OPEN.with_borrow(Weak::upgrade);
    let open = known.unwrap_or_else(|| begin(reactor));
    let id = open.0.with(|state| {
        state.next += 1;
        state.living.insert(state.next, one);
        state.next
    });
    Enrolled { open: Rc::downgrade(&open), id }
}

fn begin(reactor: &Handle) -> Rc<Open> {
    let open = Rc::new(Open::default());
    for phase in [Phase::During, Phase::After] {
        let owned = Rc::clone(&open);
        reactor.add_system_event_trigger(phase, SystemEvent::Shutdown, move |_| owned.close());
    }
    OPEN.set(Rc::downgrade(&open));
    open
}

impl Open {
    /// Tells all; the first panic goes on when all were told.
    fn close(&self) {
        let living = self.0.with(|state| std::mem::take(&mut state.living));
        let mut first: Option<Box<dyn Any + Send>> = None;
        for one in living.into_values().filter_map(|one| one.upgrade()) {
            let told = catch_unwind(AssertUnwindSafe(move || one.on_shutdown()));
            match (told, &first) {
                (Err(panic), None) => first = Some(panic),
                // A payload may panic in its own drop, so it is left alone.
                (Err(panic), Some(_)) => std::mem::forget(panic),
                (Ok(()), _) => {}
            }
        }
        if let Some(panic) = first {
            resume_unwind(panic);
        }
    }
}

impl Drop for Enrolled {
    fn drop(&mut self) {
        if let Some(open) = self.open.upgrade() {
            // A weak reference: nothing of it is dropped under the borrow.
            open.0.with(|state| state.living.remove(&self.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use procession_reactor::Reactor;

    use super::*;

    /// Counts how often it is told; panics if it is to.
    #[derive(Default)]
    struct Told(Cell<u32>, bool);

    impl OnShutdown for Told {
        fn on_shutdown(&self) {
            self.0.set(self.0.get() + 1);
            assert!(!self.1, "in a shutdown");
        }
    }

    fn enrolled(reactor: &Reactor, told: &Rc<Told>) -> Enrolled {
        let told: Rc<dyn OnShutdown> = told.clone();
        enrol(reactor, Rc::downgrade(&told))
    }

    fn living() -> usize {
        OPEN.with_borrow(Weak::upgrade).map_or(0, |open| open.0.with(|state| state.living.len()))
    }

    #[test]
    fn what_is_dropped_leaves_the_list() {
        let reactor = Reactor::new().unwrap();
        let told = Rc::<Told>::default();
        let kept = enrolled(&reactor, &told);
        for _ in 0..100 {
            drop(enrolled(&reactor, &told));
        }
        assert_eq!(living(), 1);
        drop(kept);
        assert_eq!(living(), 0);
    }

    #[test]
    fn a_run_tells_each_once_and_the_next_one_begins_anew() {
        let mut reactor = Reactor::new().unwrap().without_signals();
        for _ in 0..2 {
            let told = Rc::<Told>::default();
            let _enrolled = enrolled(&reactor, &told);
            reactor.call_soon(|reactor| reactor.stop());
            reactor.run().unwrap();
            assert_eq!((told.0.get(), living()), (1, 0));
        }
    }

    #[test]
    fn a_reactor_that_is_dropped_tells_nobody() {
        let told = Rc::<Told>::default();
        let reactor = Reactor::new().unwrap();
        let _enrolled = enrolled(&reactor, &told);
        drop(reactor);
        assert_eq!((told.0.get(), living()), (0, 0));
    }

    #[test]
    fn a_panic_keeps_nobody_from_being_told() {
        let mut reactor = Reactor::new().unwrap().without_signals();
        let all = [true, false, true, false].map(|panics| Rc::new(Told(Cell::new(0), panics)));
        let _enrolled = all.each_ref().map(|told| enrolled(&reactor, told));
        reactor.call_soon(|reactor| reactor.stop());
        let panic = catch_unwind(AssertUnwindSafe(|| reactor.run())).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"in a shutdown"));
        assert!(all.iter().all(|told| told.0.get() == 1));
    }
}

//! The end of a running reactor: the parent's ends of every child are closed in the *during* phase,
//! and those of a child that a later trigger spawns in the *after* phase.
//!
//! One trigger a phase, from a reactor's first child on. The triggers own the list of children; they
//! are gone once they have run, or with the reactor, and the next child begins others. What was
//! added while a phase runs still runs in it: no trigger spawns too late.

use crate::panics::FirstPanic;
use crate::process::Transport;
use procession_core::WithCell;
use procession_reactor::{Handle, Phase, SystemEvent};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

/// The children of one reactor.
#[derive(Default)]
struct Children(WithCell<State>);

#[derive(Default)]
struct State {
    living: BTreeMap<u64, Weak<Transport>>,
    next: u64,
}

thread_local! {
    /// A thread has at most one reactor.
    static CHILDREN: RefCell<Weak<Children>> = const { RefCell::new(Weak::new()) };
}

/// A child's place in the list, until it is dropped.
pub(crate) struct Enrolled {
    children: Weak<Children>,
    id: u64,
}

/// Has the child's ends closed when the reactor stops.
pub(crate) fn enrol(reactor: &Handle, child: Weak<Transport>) -> Enrolled {
    let known = CHILDREN.with_borrow(Weak::upgrade);
    let children = known.unwrap_or_else(|| begin(reactor));
    let id = children.0.with(|state| {
        state.next += 1;
        state.living.insert(state.next, child);
        state.next
    });
    Enrolled { children: Rc::downgrade(&children), id }
}

fn begin(reactor: &Handle) -> Rc<Children> {
    let children = Rc::new(Children::default());
    for phase in [Phase::During, Phase::After] {
        let owned = Rc::clone(&children);
        reactor.add_system_event_trigger(phase, SystemEvent::Shutdown, move |_| owned.close());
    }
    CHILDREN.set(Rc::downgrade(&children));
    children
}

impl Children {
    /// Closes the ends of all. What they call back on that, the loop delivers.
    fn close(&self) {
        let living = self.0.with(|state| std::mem::take(&mut state.living));
        let mut panics = FirstPanic::default();
        for child in living.into_values().filter_map(|child| child.upgrade()) {
            panics.catch(|| child.on_shutdown());
        }
        panics.resume();
    }
}

impl Drop for Enrolled {
    fn drop(&mut self) {
        if let Some(children) = self.children.upgrade() {
            // A weak reference: nothing of the child is dropped under the borrow.
            children.0.with(|state| state.living.remove(&self.id));
        }
    }
}

//! Fakes in the place of the children of a reactor.

use std::cell::RefCell;
use std::mem;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, Ordering};

use procession_reactor::Handle;
use procession_reactor::driver::{EndWatch, OnEnd, Outlasting};

use super::state::SharedFakes;

thread_local! {
    /// Those of this thread's reactor.
    static INSTALLED: RefCell<Option<Rc<Installation>>> = const { RefCell::new(None) };
}

/// Some thread has installed some.
static ANYWHERE: AtomicBool = AtomicBool::new(false);

struct Installation {
    fakes: SharedFakes,
    _end: EndWatch,
}

/// Lets the verbs of this reactor start fakes.
pub(super) fn install(reactor: &Handle, fakes: &SharedFakes) {
    let installation = Rc::new_cyclic(|me: &Weak<Installation>| Installation {
        fakes: Rc::clone(fakes),
        _end: reactor.io().watch_end(me.clone()),
    });
    ANYWHERE.store(true, Ordering::Relaxed);
    let old = INSTALLED.replace(Some(installation));
    drop(old);
}

/// Lets the verbs start real children again.
pub(super) fn remove() {
    let old = INSTALLED.take();
    drop(old);
}

/// Returns the fakes of this thread's reactor.
#[inline]
pub(super) fn installed() -> Option<SharedFakes> {
    // Nearly every program has none.
    if ANYWHERE.load(Ordering::Relaxed) { of_this_thread() } else { None }
}

#[cold]
fn of_this_thread() -> Option<SharedFakes> {
    INSTALLED.with_borrow(|installed| Some(Rc::clone(&installed.as_ref()?.fakes)))
}

impl OnEnd for Installation {
    /// A fake outlasts a stop, as a child does.
    fn stopped(self: Rc<Self>) {}

    /// Drops the fakes that scripts play, with their protocols.
    fn dropped(self: Rc<Self>, _: &mut Vec<Box<dyn Outlasting>>) {
        let installed = INSTALLED.take();
        let players = self.fakes.with(|fakes| mem::take(&mut fakes.players));
        drop((installed, players));
    }
}

//! What is installed in a reactor: fakes in the place of its children, or a file that records them.

use std::cell::RefCell;
use std::mem;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, Ordering};

use procession_reactor::Handle;
use procession_reactor::driver::{EndWatch, OnEnd, Outlasting};

use super::state::SharedFakes;
use crate::recording::file::RecordFile;

thread_local! {
    /// That of this thread's reactor.
    static INSTALLED: RefCell<Option<Rc<Installation>>> = const { RefCell::new(None) };
}

/// Some thread has installed something.
static ANYWHERE: AtomicBool = AtomicBool::new(false);

struct Installation {
    what: Installed,
    _end: EndWatch,
}

enum Installed {
    Fakes(SharedFakes),
    Record(Rc<RecordFile>),
}

/// Lets the verbs of this reactor start fakes.
pub(super) fn install_fakes(reactor: &Handle, fakes: &SharedFakes) {
    install(reactor, Installed::Fakes(Rc::clone(fakes)));
}

/// Lets the verbs of this reactor start real children, and record them.
pub(crate) fn install_record(reactor: &Handle, file: RecordFile) {
    install(reactor, Installed::Record(Rc::new(file)));
}

fn install(reactor: &Handle, what: Installed) {
    let installation = Rc::new_cyclic(|me: &Weak<Installation>| Installation {
        what,
        _end: reactor.io().watch_end(me.clone()),
    });
    ANYWHERE.store(true, Ordering::Relaxed);
    let old = INSTALLED.replace(Some(installation));
    drop(old);
}

/// Returns the fakes of this thread's reactor.
#[inline]
pub(super) fn fakes() -> Option<SharedFakes> {
    match &installed()?.what {
        Installed::Fakes(fakes) => Some(Rc::clone(fakes)),
        Installed::Record(_) => None,
    }
}

/// Returns the file that records the children of this thread's reactor.
#[inline]
pub(crate) fn record() -> Option<Rc<RecordFile>> {
    match &installed()?.what {
        Installed::Fakes(_) => None,
        Installed::Record(file) => Some(Rc::clone(file)),
    }
}

#[inline]
fn installed() -> Option<Rc<Installation>> {
    // Nearly every program has none.
    if ANYWHERE.load(Ordering::Relaxed) { of_this_thread() } else { None }
}

#[cold]
fn of_this_thread() -> Option<Rc<Installation>> {
    INSTALLED.with_borrow(Clone::clone)
}

impl OnEnd for Installation {
    /// A fake outlasts a stop, as a child does.
    fn stopped(self: Rc<Self>) {}

    /// Drops the fakes that scripts play, with their protocols.
    fn dropped(self: Rc<Self>, _: &mut Vec<Box<dyn Outlasting>>) {
        let installed = INSTALLED.take();
        let players = match &self.what {
            Installed::Fakes(fakes) => fakes.with(|fakes| mem::take(&mut fakes.players)),
            Installed::Record(_) => Vec::new(),
        };
        drop((installed, players));
    }
}

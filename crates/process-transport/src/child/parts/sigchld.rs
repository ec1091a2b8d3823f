//! Watches exits without pidfds: by SIGCHLD, of our own children only, each polled by its number.
//!
//! A reactor has one watch, as long as it has such children. One signal may stand for many exits,
//! so every signal polls each child. The handler is signal-hook's, which calls the previous one.
//! The program may block the signal in all of its threads or replace the handler, so a slow check
//! runs as well.
//!
//! No other owner need exist for such a child: its pipes may be closed and its handles dropped long
//! before its end. So the list holds the child. The watch's callback holds the list, and the
//! reactor drops the callback at the latest when it is dropped.

use std::cell::RefCell;
use std::io;
use std::rc::{Rc, Weak};

use procession_core::Signal;
use procession_core::driver::WithCell;
use procession_reactor::{DelayedCall, Handle, SignalWatch};

use crate::pauses::ASK_ANYWAY;

/// A child without a pidfd.
pub(crate) trait PolledChild {
    /// Polls the child: a SIGCHLD may have been for it.
    fn poll_exit(&self);

    /// Returns whether it was reaped, or given up before the loop knew it.
    fn is_over(&self) -> bool;
}

/// The children of one reactor that are watched this way.
#[derive(Default)]
struct SigchldWatch {
    /// `None` once the last child has ended.
    watch: WithCell<Option<SignalWatch>>,
    /// The next slow check.
    check: WithCell<Option<DelayedCall>>,
    children: WithCell<Vec<Rc<dyn PolledChild>>>,
}

thread_local! {
    /// A thread has at most one reactor.
    static WATCH: RefCell<Weak<SigchldWatch>> = const { RefCell::new(Weak::new()) };
}

/// Polls the child at every SIGCHLD from now on, and once in the next turn.
pub(crate) fn watch(reactor: &Handle, child: Rc<dyn PolledChild>) -> io::Result<()> {
    let known = WATCH.with_borrow(Weak::upgrade);
    let shared = match known.filter(|shared| shared.watch.with(|watch| watch.is_some())) {
        Some(shared) => shared,
        None => SigchldWatch::begin(reactor)?,
    };
    shared.children.with(|children| children.push(Rc::clone(&child)));
    // The child may have ended before the handler was installed.
    ask(reactor, child);
    shared.sweep_soon(reactor);
    Ok(())
}

impl SigchldWatch {
    fn begin(reactor: &Handle) -> io::Result<Rc<Self>> {
        let shared = Rc::new(Self::default());
        let held = SharedWatch(Rc::clone(&shared));
        let watch = reactor.on_signal(Signal::CHLD, move |reactor| held.0.ask_all(reactor))?;
        let none = shared.watch.replace(Some(watch));
        drop(none);
        WATCH.set(Rc::downgrade(&shared));
        shared.check_later(reactor);
        Ok(shared)
    }

    fn check_later(self: &Rc<Self>, reactor: &Handle) {
        let shared = Rc::downgrade(self);
        let check = reactor.call_later(ASK_ANYWAY, move |reactor| {
            let Some(shared) = shared.upgrade() else { return };
            if shared.watch.with(|watch| watch.is_some()) {
                shared.check_later(reactor);
                shared.ask_all(reactor);
            }
        });
        let old = self.check.replace(Some(check));
        drop(old);
    }

    fn ask_all(self: &Rc<Self>, reactor: &Handle) {
        for child in self.children.with(|children| children.clone()) {
            ask(reactor, child);
        }
        self.sweep_soon(reactor);
    }

    fn sweep_soon(self: &Rc<Self>, reactor: &Handle) {
        let shared = Rc::downgrade(self);
        reactor.call_soon(move |_| shared.upgrade().map(|shared| shared.sweep()));
    }

    /// Removes the children that have ended; with the last one, stops the watch.
    fn sweep(&self) {
        let (over, empty) = self.children.with(|children| {
            let (over, kept): (Vec<_>, Vec<_>) =
                children.drain(..).partition(|child| child.is_over());
            *children = kept;
            (over, children.is_empty())
        });
        let watch = if empty { self.watch.take() } else { None };
        if watch.is_some()
            && let Some(check) = self.check.take()
        {
            check.cancel();
        }
        drop(watch);
        drop(over);
    }
}

/// Polls in a call of its own, so that a panic of one protocol ends neither the watch nor the
/// round.
fn ask(reactor: &Handle, child: Rc<dyn PolledChild>) {
    reactor.call_soon(move |_| child.poll_exit());
}

/// Owned by the callback of the watch, and dropped with it.
struct SharedWatch(Rc<SigchldWatch>);

/// Ends the watch: the reactor is going away, or no children are left.
impl Drop for SharedWatch {
    fn drop(&mut self) {
        let watch = self.0.watch.take();
        drop(watch);
        let children = self.0.children.take();
        drop(children);
    }
}

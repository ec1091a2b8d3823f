//! Watching exits without pidfds: by SIGCHLD, of our own children only, each asked by its number.
//!
//! One watch a reactor, as long as it has such children. One signal may stand for many exits, so
//! each of them is asked at every signal. The handler is signal-hook's, which chains to the one it
//! found.
//!
//! Nothing but this list need know such a child: its pipes may be closed and its handles dropped
//! long before its end. So the list holds it, and is itself held by the watch's callback, which the
//! reactor drops at its own end at the latest.

use super::Transport;
use procession_core::{Signal, WithCell};
use procession_reactor::{EventHandler, Handle, SignalWatch};
use std::cell::RefCell;
use std::io;
use std::rc::{Rc, Weak};

/// The children of one reactor that are watched this way.
#[derive(Default)]
struct Wards {
    /// `None` once the last child has ended.
    watch: WithCell<Option<SignalWatch>>,
    children: WithCell<Vec<Rc<Transport>>>,
}

thread_local! {
    /// A thread has at most one reactor.
    static WARDS: RefCell<Weak<Wards>> = const { RefCell::new(Weak::new()) };
}

/// Asks the child at every SIGCHLD from now on, and once at the next turn.
pub(super) fn watch(child: &Rc<Transport>) -> io::Result<()> {
    let known = WARDS.with_borrow(Weak::upgrade);
    let wards = match known.filter(|wards| wards.watch.with(|watch| watch.is_some())) {
        Some(wards) => wards,
        None => Wards::begin(child.driver.reactor())?,
    };
    wards.children.with(|children| children.push(Rc::clone(child)));
    // It may have ended before the handler was there.
    ask(child.driver.reactor(), Rc::clone(child));
    wards.sweep_soon(child.driver.reactor());
    Ok(())
}

impl Wards {
    fn begin(reactor: &Handle) -> io::Result<Rc<Self>> {
        let wards = Rc::new(Self::default());
        let keeper = Keeper(Rc::clone(&wards));
        let watch = reactor.on_signal(Signal::CHLD, move |reactor| keeper.0.ask_all(reactor))?;
        let none = wards.watch.replace(Some(watch));
        drop(none);
        WARDS.set(Rc::downgrade(&wards));
        Ok(wards)
    }

    fn ask_all(self: &Rc<Self>, reactor: &Handle) {
        for child in self.children.with(|children| children.clone()) {
            ask(reactor, child);
        }
        self.sweep_soon(reactor);
    }

    fn sweep_soon(self: &Rc<Self>, reactor: &Handle) {
        let wards = Rc::downgrade(self);
        reactor.call_soon(move |_| wards.upgrade().map(|wards| wards.sweep()));
    }

    /// Lets go of the children that have ended, and with the last one of the signal.
    fn sweep(&self) {
        let (over, empty) = self.children.with(|children| {
            let (over, kept): (Vec<_>, Vec<_>) =
                children.drain(..).partition(|child| is_over(child));
            *children = kept;
            (over, children.is_empty())
        });
        let watch = if empty { self.watch.take() } else { None };
        drop(watch);
        drop(over);
    }
}

/// In a call of its own: the panic of one protocol ends neither the watch nor the round.
fn ask(reactor: &Handle, child: Rc<Transport>) {
    reactor.call_soon(move |_| child.asked());
}

/// Reaped, or given up before it was known to the loop.
fn is_over(child: &Transport) -> bool {
    child.state.with(|state| state.exit.is_over())
}

/// Owned by the callback of the watch, and dropped with it.
struct Keeper(Rc<Wards>);

/// The reactor is going away, or there are no children left. The watch is over in either case.
impl Drop for Keeper {
    fn drop(&mut self) {
        let watch = self.0.watch.take();
        drop(watch);
        for child in self.0.children.take() {
            // One that has pipes too was told already.
            if !is_over(&child) {
                child.reactor_dropped();
            }
        }
    }
}

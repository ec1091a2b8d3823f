//! What a promise and its deferred result share, and the walk that cancels a chain.
//!
//! Model: *waiting* until the promise settles it or the consumer cancels it, then *settled* until
//! somebody takes the result, then *taken*. A callback that waits gets the result directly. Later
//! results are ignored. Nothing foreign runs or is dropped while the cell is borrowed.

use super::{Failed, trampoline};
use crate::cell::WithCell;
use std::mem;
use std::rc::{Rc, Weak};
use std::task::Waker;

pub(super) type Outcome<T, E> = Result<T, Failed<E>>;

pub(super) struct State<T: 'static, E: 'static> {
    cell: WithCell<Inner<T, E>>,
    /// Tells the hook of an error that nobody took.
    pub(super) report: fn(&E),
}

struct Inner<T: 'static, E: 'static> {
    phase: Phase<T, E>,
    /// The consumer gave up before there was a result.
    cancelled: bool,
}

enum Phase<T: 'static, E: 'static> {
    Waiting { waiter: Waiter<T, E>, on_cancel: Option<OnCancel> },
    Settled(Outcome<T, E>),
    Taken,
}

enum Waiter<T: 'static, E: 'static> {
    Nobody,
    Task(Waker),
    Callback(Box<dyn FnOnce(Outcome<T, E>)>),
}

/// What is to be done when the consumer gives up.
pub(super) enum OnCancel {
    /// Cancel the link before; its promise owns it, hence weak.
    Upstream(Weak<dyn Cancel>),
    /// Tell the producer.
    Call(Box<dyn FnOnce()>),
}

/// A state of any type, as the walk sees it.
pub(super) trait Cancel {
    /// Cancels this link alone and returns what is to be done next.
    fn cancel_link(&self) -> Option<OnCancel>;
}

/// How a promise found its state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Waiting,
    Cancelled,
    Completed,
}

/// Cancels a link and all before it, as a loop: a chain of any length uses no stack.
pub(super) fn cancel(link: &dyn Cancel) {
    if let Some(next) = link.cancel_link() {
        next.go();
    }
}

impl OnCancel {
    pub(super) fn go(self) {
        let mut next = self;
        loop {
            let upstream = match next {
                Self::Call(call) => return trampoline::run(call),
                Self::Upstream(link) => link.upgrade(),
            };
            let Some(after) = upstream.and_then(|link: Rc<dyn Cancel>| link.cancel_link()) else {
                return;
            };
            next = after;
        }
    }
}

impl<T: 'static, E: 'static> State<T, E> {
    pub(super) fn waiting(on_cancel: Option<OnCancel>, report: fn(&E)) -> Self {
        let phase = Phase::Waiting { waiter: Waiter::Nobody, on_cancel };
        Self { cell: WithCell::new(Inner { phase, cancelled: false }), report }
    }

    pub(super) fn settled(outcome: Outcome<T, E>, report: fn(&E)) -> Self {
        let phase = Phase::Settled(outcome);
        Self { cell: WithCell::new(Inner { phase, cancelled: false }), report }
    }

    /// Gives the result to whoever waits for it, or keeps it.
    pub(super) fn settle(&self, outcome: Outcome<T, E>) -> Found {
        let mut outcome = Some(outcome);
        let (found, waiter, on_cancel) =
            self.cell.with(|inner| match mem::replace(&mut inner.phase, Phase::Taken) {
                Phase::Waiting { waiter, on_cancel } => {
                    if !matches!(waiter, Waiter::Callback(_)) {
                        inner.phase = outcome.take().map_or(Phase::Taken, Phase::Settled);
                    }
                    (Found::Waiting, waiter, on_cancel)
                }
                other => {
                    inner.phase = other;
                    (inner.found(), Waiter::Nobody, None)
                }
            });
        drop(on_cancel);
        match (waiter, outcome) {
            (Waiter::Callback(call), Some(outcome)) => trampoline::run(move || call(outcome)),
            (Waiter::Task(waker), _) => waker.wake(),
            _ => {} // nobody waits, or the result came too late and is dropped
        }
        found
    }

    /// Has `call` called with the result, once.
    pub(super) fn attach(&self, call: impl FnOnce(Outcome<T, E>) + 'static) {
        enum Left<T: 'static, E: 'static, F> {
            Waiter(Waiter<T, E>),
            Call(F, Outcome<T, E>),
        }
        let left = self.cell.with(|inner| match mem::replace(&mut inner.phase, Phase::Taken) {
            Phase::Waiting { waiter, on_cancel } => {
                inner.phase =
                    Phase::Waiting { waiter: Waiter::Callback(Box::new(call)), on_cancel };
                Left::Waiter(waiter)
            }
            Phase::Settled(outcome) => Left::Call(call, outcome),
            Phase::Taken => Left::Call(call, Err(Failed::Abandoned)),
        });
        match left {
            Left::Waiter(waiter) => drop(waiter),
            Left::Call(call, outcome) => trampoline::run(move || call(outcome)),
        }
    }

    /// Takes the result if it is there and was not taken before.
    pub(super) fn take(&self) -> Option<Outcome<T, E>> {
        self.cell.with(|inner| match mem::replace(&mut inner.phase, Phase::Taken) {
            Phase::Settled(outcome) => Some(outcome),
            other => {
                inner.phase = other;
                None
            }
        })
    }

    /// Takes the result or keeps `waker` to be woken when it comes.
    pub(super) fn poll(&self, waker: &Waker) -> Option<Outcome<T, E>> {
        if let Some(outcome) = self.take() {
            return Some(outcome);
        }
        let known = self.cell.with(|inner| match &inner.phase {
            Phase::Waiting { waiter: Waiter::Task(old), .. } => old.will_wake(waker),
            _ => false,
        });
        if known {
            return None;
        }
        let mut waiter = Waiter::Task(waker.clone());
        let was_waiting = self.cell.with(|inner| match &mut inner.phase {
            Phase::Waiting { waiter: old, .. } => {
                mem::swap(old, &mut waiter);
                true
            }
            Phase::Settled(_) | Phase::Taken => false,
        });
        drop(waiter);
        // Cloning a waker is foreign code: it may have settled this meanwhile.
        if was_waiting { None } else { Some(self.take().unwrap_or(Err(Failed::Abandoned))) }
    }

    /// Sets what a cancellation does; after one, does it.
    pub(super) fn set_on_cancel(&self, hook: OnCancel) {
        let mut hook = Some(hook);
        let found = self.cell.with(|inner| {
            if let Phase::Waiting { on_cancel, .. } = &mut inner.phase {
                mem::swap(on_cancel, &mut hook);
                return Found::Waiting;
            }
            inner.found()
        });
        match hook {
            Some(hook) if found == Found::Cancelled => hook.go(),
            replaced_or_late => drop(replaced_or_late),
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cell.with(|inner| inner.cancelled)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.cell.with(|inner| inner.found() == Found::Waiting)
    }

    /// Says whether a callback waits: the result then belongs to it.
    pub(super) fn has_callback(&self) -> bool {
        self.cell.with(|inner| {
            matches!(&inner.phase, Phase::Waiting { waiter: Waiter::Callback(_), .. })
        })
    }
}

impl<T: 'static, E: 'static> Inner<T, E> {
    fn found(&self) -> Found {
        match self.phase {
            Phase::Waiting { .. } => Found::Waiting,
            _ if self.cancelled => Found::Cancelled,
            _ => Found::Completed,
        }
    }
}

impl<T: 'static, E: 'static> Cancel for State<T, E> {
    fn cancel_link(&self) -> Option<OnCancel> {
        let (waiter, on_cancel) = self.cell.with(|inner| {
            let given_up = Phase::Settled(Err(Failed::Cancelled));
            match mem::replace(&mut inner.phase, given_up) {
                Phase::Waiting { waiter, on_cancel } => {
                    inner.cancelled = true;
                    Some((waiter, on_cancel))
                }
                other => {
                    inner.phase = other;
                    None
                }
            }
        })?;
        match waiter {
            // It owns the next link and whatever its closure captured, other chains perhaps:
            // dropped by the trampoline, these never nest.
            Waiter::Callback(call) => trampoline::run(move || drop(call)),
            Waiter::Task(waker) => waker.wake(),
            Waiter::Nobody => {}
        }
        on_cancel
    }
}

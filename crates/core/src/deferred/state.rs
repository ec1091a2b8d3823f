//! The state that a promise and its deferred result share, and the walk that cancels a chain.
//!
//! Model: the state is *waiting* until the promise settles it or the consumer cancels it, then *settled*
//! until somebody takes the result, then *taken*. A waiting callback gets the result directly. Later
//! results are ignored. While the cell is borrowed, no foreign code runs and no foreign value is dropped.

use std::mem;
use std::rc::{Rc, Weak};
use std::task::Waker;

use super::{Failed, trampoline};
use crate::cell::WithCell;

pub(super) type Outcome<T, E> = Result<T, Failed<E>>;

pub(super) struct SharedState<T: 'static, E: 'static> {
    cell: WithCell<Inner<T, E>>,
    /// Reports an error that nobody took to the hook.
    pub(super) report: fn(&E),
}

struct Inner<T: 'static, E: 'static> {
    phase: Phase<T, E>,
    /// The consumer cancelled before there was a result.
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

/// The action that a cancellation takes.
pub(super) enum OnCancel {
    /// Cancels the previous link. Weak, because that link's promise owns it.
    Upstream(Weak<dyn Cancel>),
    /// Calls the closure of the producer.
    Call(Box<dyn FnOnce()>),
}

/// A shared state of any type, as the cancelling walk sees it.
pub(super) trait Cancel {
    /// Cancels only this link, and returns the next action.
    fn cancel_link(&self) -> Option<OnCancel>;
}

/// How far a shared state has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Waiting,
    Cancelled,
    Completed,
}

/// Cancels a link and all links before it. It is a loop, so the stack does not grow with the chain.
pub(super) fn cancel(link: &dyn Cancel) {
    if let Some(next) = link.cancel_link() {
        next.run();
    }
}

impl OnCancel {
    pub(super) fn run(self) {
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

impl<T: 'static, E: 'static> SharedState<T, E> {
    pub(super) fn waiting(on_cancel: Option<OnCancel>, report: fn(&E)) -> Self {
        let phase = Phase::Waiting { waiter: Waiter::Nobody, on_cancel };
        Self { cell: WithCell::new(Inner { phase, cancelled: false }), report }
    }

    pub(super) fn settled(outcome: Outcome<T, E>, report: fn(&E)) -> Self {
        let phase = Phase::Settled(outcome);
        Self { cell: WithCell::new(Inner { phase, cancelled: false }), report }
    }

    /// Passes the result to the waiter, or keeps it, and returns the progress before.
    pub(super) fn settle(&self, outcome: Outcome<T, E>) -> Progress {
        let mut outcome = Some(outcome);
        let (progress, waiter, on_cancel) =
            self.cell.with(|inner| match mem::replace(&mut inner.phase, Phase::Taken) {
                Phase::Waiting { waiter, on_cancel } => {
                    if !matches!(waiter, Waiter::Callback(_)) {
                        inner.phase = outcome.take().map_or(Phase::Taken, Phase::Settled);
                    }
                    (Progress::Waiting, waiter, on_cancel)
                }
                other => {
                    inner.phase = other;
                    (inner.progress(), Waiter::Nobody, None)
                }
            });
        drop(on_cancel);
        match (waiter, outcome) {
            (Waiter::Callback(call), Some(outcome)) => trampoline::run(move || call(outcome)),
            (Waiter::Task(waker), _) => waker.wake(),
            _ => {} // nobody waits, or the result is too late and dropped
        }
        progress
    }

    /// Calls `call` with the result, once: now, or when it arrives.
    pub(super) fn attach(&self, call: impl FnOnce(Outcome<T, E>) + 'static) {
        /// What is left to do after the borrow.
        enum AfterBorrow<T: 'static, E: 'static, F> {
            DropWaiter(Waiter<T, E>),
            Call(F, Outcome<T, E>),
        }
        let after = self.cell.with(|inner| match mem::replace(&mut inner.phase, Phase::Taken) {
            Phase::Waiting { waiter, on_cancel } => {
                inner.phase =
                    Phase::Waiting { waiter: Waiter::Callback(Box::new(call)), on_cancel };
                AfterBorrow::DropWaiter(waiter)
            }
            Phase::Settled(outcome) => AfterBorrow::Call(call, outcome),
            Phase::Taken => AfterBorrow::Call(call, Err(Failed::Abandoned)),
        });
        match after {
            AfterBorrow::DropWaiter(waiter) => drop(waiter),
            AfterBorrow::Call(call, outcome) => trampoline::run(move || call(outcome)),
        }
    }

    /// Takes the result, if it is there and was not taken before.
    pub(super) fn take(&self) -> Option<Outcome<T, E>> {
        self.cell.with(|inner| match mem::replace(&mut inner.phase, Phase::Taken) {
            Phase::Settled(outcome) => Some(outcome),
            other => {
                inner.phase = other;
                None
            }
        })
    }

    /// Takes the result, or keeps `waker` to wake it when the result arrives.
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
        // Cloning a waker runs foreign code, which may have settled this state in the meantime.
        if was_waiting { None } else { Some(self.take().unwrap_or(Err(Failed::Abandoned))) }
    }

    /// Sets the action of a cancellation; if it was cancelled before, runs the action now.
    pub(super) fn set_on_cancel(&self, hook: OnCancel) {
        let mut hook = Some(hook);
        let progress = self.cell.with(|inner| {
            if let Phase::Waiting { on_cancel, .. } = &mut inner.phase {
                mem::swap(on_cancel, &mut hook);
                return Progress::Waiting;
            }
            inner.progress()
        });
        match hook {
            Some(hook) if progress == Progress::Cancelled => hook.run(),
            replaced_or_late => drop(replaced_or_late),
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cell.with(|inner| inner.cancelled)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.cell.with(|inner| inner.progress() == Progress::Waiting)
    }

    /// Returns whether a callback waits; the result then belongs to that callback.
    pub(super) fn has_callback(&self) -> bool {
        self.cell.with(|inner| {
            matches!(&inner.phase, Phase::Waiting { waiter: Waiter::Callback(_), .. })
        })
    }
}

impl<T: 'static, E: 'static> Inner<T, E> {
    fn progress(&self) -> Progress {
        match self.phase {
            Phase::Waiting { .. } => Progress::Waiting,
            _ if self.cancelled => Progress::Cancelled,
            _ => Progress::Completed,
        }
    }
}

impl<T: 'static, E: 'static> Cancel for SharedState<T, E> {
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
            // The callback owns the next link and everything that its closure captured, perhaps other
            // chains. The trampoline drops it, so these drops never nest.
            Waiter::Callback(call) => trampoline::run(move || drop(call)),
            Waiter::Task(waker) => waker.wake(),
            Waiter::Nobody => {}
        }
        on_cancel
    }
}

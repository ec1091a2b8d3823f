//! System event triggers: what is done when the reactor starts and stops.

use std::collections::BTreeMap;
use std::fmt;

use procession_core::{Deferred, Failed};

use crate::handle::Handle;

/// When a trigger runs, relative to its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// First; a [`Deferred`] that the trigger returns delays the next phase. At startup that ends
    /// when the reactor is told to stop.
    Before,
    /// When all that the first phase returned has a result.
    During,
    /// Last.
    After,
}

/// An event in the life of a running reactor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SystemEvent {
    /// [`Reactor::run`](crate::Reactor::run) has begun.
    Startup,
    /// The reactor was told to stop, and [`Reactor::run`](crate::Reactor::run) returns after it; or
    /// [`Reactor::shut_down`](crate::Reactor::shut_down) was called.
    Shutdown,
}

/// What a trigger may return: nothing, or a [`Deferred`], which a *before* trigger is waited for.
///
/// An error of the `Deferred` does not stop anything; it is reported as unhandled.
pub trait TriggerResult {
    /// Has `next` called when the trigger is through.
    fn on_finished(self, next: Box<dyn FnOnce()>);
}

impl TriggerResult for () {
    fn on_finished(self, next: Box<dyn FnOnce()>) {
        next();
    }
}

impl<T: 'static, E: fmt::Debug + 'static> TriggerResult for Deferred<T, E> {
    fn on_finished(self, next: Box<dyn FnOnce()>) {
        self.done(move |result| {
            if let Err(Failed::Error(error)) = result {
                // Dropping it unseen reports it.
                drop(Deferred::<(), E>::ready(Err(error)));
            }
            next();
        });
    }
}

impl<R: TriggerResult> TriggerResult for Option<R> {
    fn on_finished(self, next: Box<dyn FnOnce()>) {
        match self {
            Some(result) => result.on_finished(next),
            None => next(),
        }
    }
}

/// Calls the trigger; the second is called when it is through.
pub(crate) type TriggerCall = Box<dyn FnOnce(&Handle, Box<dyn FnOnce()>)>;

/// The triggers that have not run.
#[derive(Default)]
pub(crate) struct Triggers {
    all: BTreeMap<(SystemEvent, Phase, u64), TriggerCall>,
    next: u64,
}

impl Triggers {
    fn add(&mut self, event: SystemEvent, phase: Phase, call: TriggerCall) -> u64 {
        let id = self.next;
        self.next += 1;
        let none = self.all.insert((event, phase, id), call);
        debug_assert!(none.is_none(), "numbers are not used twice");
        id
    }

    /// The oldest of that event and phase.
    pub(crate) fn pop(&mut self, event: SystemEvent, phase: Phase) -> Option<TriggerCall> {
        let key = *self.all.range((event, phase, 0)..=(event, phase, u64::MAX)).next()?.0;
        self.all.remove(&key)
    }

    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = TriggerCall> + use<> {
        std::mem::take(&mut self.all).into_values()
    }
}

impl fmt::Debug for Triggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all.keys()).finish()
    }
}

impl Handle {
    /// Has `call` called once, at the next startup or shutdown (Twisted's
    /// `addSystemEventTrigger`).
    ///
    /// Triggers of one phase run in the order in which they were added, those that they add to it
    /// included. Events happen in [`Reactor::run`](crate::Reactor::run) and its relatives, and in
    /// [`Reactor::shut_down`](crate::Reactor::shut_down); none in `turn` and `block_on`.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Phase, Reactor, SystemEvent};
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.call_when_running(|reactor| reactor.stop());
    /// reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, |_| println!("bye"));
    /// reactor.run()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "addSystemEventTrigger")]
    pub fn add_system_event_trigger<R: TriggerResult>(
        &self,
        phase: Phase,
        event: SystemEvent,
        call: impl FnOnce(&Self) -> R + 'static,
    ) -> Trigger {
        let call: TriggerCall = Box::new(move |handle, next| call(handle).on_finished(next));
        let id = if self.core.closed.get() {
            drop(call);
            u64::MAX
        } else {
            self.core.triggers.with(|triggers| triggers.add(event, phase, call))
        };
        Trigger { key: (event, phase, id), handle: self.clone() }
    }
}

/// A trigger that was added; dropping it does nothing.
#[derive(Clone)]
pub struct Trigger {
    key: (SystemEvent, Phase, u64),
    handle: Handle,
}

impl Trigger {
    /// Removes the trigger; false if it has run, or was removed.
    #[doc(alias = "removeSystemEventTrigger")]
    pub fn remove(&self) -> bool {
        let call = self.handle.core.triggers.with(|triggers| triggers.all.remove(&self.key));
        call.is_some() // and dropped here, where nothing is borrowed
    }
}

impl fmt::Debug for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trigger").field("key", &self.key).finish_non_exhaustive()
    }
}

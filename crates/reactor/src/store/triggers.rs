//! System event triggers by event and phase, in the order in which they were added.

use std::collections::BTreeMap;
use std::fmt;

/// When a trigger runs, relative to its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// First. If the trigger returns a [`Deferred`](procession_core::Deferred), the next phase
    /// waits for it. At startup that wait ends when the reactor is stopped.
    Before,
    /// When every `Deferred` of the first phase has a result.
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
    /// The reactor was stopped, and [`Reactor::run`](crate::Reactor::run) returns afterwards. Or
    /// [`Reactor::shut_down`](crate::Reactor::shut_down) was called.
    Shutdown,
}

/// Identifies a trigger.
pub(crate) type TriggerKey = (SystemEvent, Phase, u64);

/// The triggers that have not run yet.
pub(crate) struct Triggers<C> {
    all: BTreeMap<TriggerKey, C>,
    next: u64,
}

impl<C> Default for Triggers<C> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), next: 0 }
    }
}

impl<C> Triggers<C> {
    pub(crate) fn add(&mut self, event: SystemEvent, phase: Phase, call: C) -> TriggerKey {
        let key = (event, phase, self.next);
        self.next += 1;
        let none = self.all.insert(key, call);
        debug_assert!(none.is_none(), "numbers are not used twice");
        key
    }

    /// Removes a trigger. The caller drops it where nothing is borrowed.
    pub(crate) fn remove(&mut self, key: &TriggerKey) -> Option<C> {
        self.all.remove(key)
    }

    /// Takes the oldest trigger of this event and phase.
    pub(crate) fn pop(&mut self, event: SystemEvent, phase: Phase) -> Option<C> {
        let key = *self.all.range((event, phase, 0)..=(event, phase, u64::MAX)).next()?.0;
        self.all.remove(&key)
    }

    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = C> + use<C> {
        std::mem::take(&mut self.all).into_values()
    }
}

impl<C> fmt::Debug for Triggers<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all.keys()).finish()
    }
}

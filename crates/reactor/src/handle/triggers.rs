//! System event triggers: calls that the reactor makes when it starts and stops.

use std::fmt;

use procession_core::{Deferred, Failed};

use crate::handle::{Handle, TriggerCall};
use crate::store::triggers::{Phase, SystemEvent, TriggerKey};

/// The result of a trigger: nothing, or a [`Deferred`]. The reactor waits for that of a *before*
/// trigger.
///
/// An error of the `Deferred` stops nothing. It is reported as unhandled.
pub trait TriggerResult {
    /// Has `next` called when the trigger has finished.
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
                // Dropping the error unseen reports it.
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

/// A trigger that was added. Dropping it does nothing.
#[derive(Clone)]
pub struct Trigger {
    /// `None` if the reactor was gone.
    key: Option<TriggerKey>,
    handle: Handle,
}

impl Trigger {
    pub(super) fn add<R: TriggerResult>(
        handle: &Handle,
        phase: Phase,
        event: SystemEvent,
        call: impl FnOnce(&Handle) -> R + 'static,
    ) -> Self {
        let call: TriggerCall = Box::new(move |handle, next| call(handle).on_finished(next));
        let key = if handle.core.state.closed.get() {
            drop(call);
            None
        } else {
            Some(handle.core.triggers.with(|triggers| triggers.add(event, phase, call)))
        };
        Self { key, handle: handle.clone() }
    }

    /// Removes the trigger. Returns false if it already ran or was removed.
    #[doc(alias = "removeSystemEventTrigger")]
    pub fn remove(&self) -> bool {
        let Some(key) = &self.key else { return false };
        let call = self.handle.core.triggers.with(|triggers| triggers.remove(key));
        call.is_some() // and is dropped here, where nothing is borrowed
    }
}

impl fmt::Debug for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trigger").field("key", &self.key).finish_non_exhaustive()
    }
}

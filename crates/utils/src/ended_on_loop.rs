//! The forms of an [`Ended`] that need a loop.

use procession_core::{Deferred, Failed, NoError};
use procession_protocol::ExitReason;
use procession_reactor::Handle;

use crate::Ended;

impl Ended {
    /// Returns a `Deferred` of the end, on the reactor of this thread.
    ///
    /// # Panics
    ///
    /// If the thread has no reactor.
    #[track_caller]
    pub fn into_deferred(self) -> Deferred<ExitReason, NoError> {
        let (promise, deferred) = Deferred::new();
        // The promise is dropped with the task if the reactor goes away.
        let task = Handle::current().spawn_local(async move { promise.settle(self.await) });
        drop(task); // dropping the handle does not stop it
        deferred
    }

    /// Calls `call` once, with the exit reason, when the program has ended, on the reactor of this
    /// thread.
    ///
    /// # Panics
    ///
    /// If the thread has no reactor.
    #[track_caller]
    pub fn done(self, call: impl FnOnce(Result<ExitReason, Failed<NoError>>) + 'static) {
        self.into_deferred().done(call);
    }
}

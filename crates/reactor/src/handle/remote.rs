//! Calls from other threads.

use std::fmt;
use std::sync::Arc;

use crate::handle::{Handle, Job};
use crate::store::shared::Shared;

/// Sends calls to a reactor from any thread (Twisted's `callFromThread`).
///
/// [`Handle::remote`] makes it. It does not keep the reactor alive. Calls that are sent after the
/// reactor was dropped are dropped.
///
/// # Examples
///
/// ```
/// use procession::Reactor;
/// use std::thread;
///
/// let mut reactor = Reactor::new()?;
/// let remote = reactor.remote();
/// let other = thread::spawn(move || remote.call(|reactor| reactor.stop()));
/// reactor.run()?;
/// # other.join().unwrap();
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Remote(pub(super) Arc<Shared<Job>>);

impl Remote {
    /// Calls `call` in the reactor's thread, in one of its next turns.
    ///
    /// Calls from one thread run in their order. The result of `call` is dropped in the reactor's
    /// thread.
    #[doc(alias = "callFromThread")]
    #[doc(alias = "call_from_thread")]
    pub fn call<R>(&self, call: impl FnOnce(&Handle) -> R + Send + 'static) {
        self.0.push_job(Box::new(move |handle| drop(call(handle))));
    }

    /// Returns whether the reactor was dropped.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

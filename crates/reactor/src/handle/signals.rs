//! Watches of signals.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::atomic::Ordering::SeqCst;

use procession_core::Signal;

use crate::errors::gone;
use crate::handle::{Handle, SignalCall};
use crate::store::signals::{Precedence, Watcher};

/// Signals that cannot be watched, or not usefully, because their cause would recur at once.
const UNWATCHABLE: [Signal; 5] =
    [Signal::KILL, Signal::STOP, Signal::ILL, Signal::FPE, Signal::SEGV];

/// A watch of a signal. Dropping it ends the watch.
#[must_use = "the watch ends when this is dropped"]
pub struct SignalWatch {
    watcher: Rc<Watcher<SignalCall>>,
    handle: Handle,
}

impl SignalWatch {
    pub(crate) fn begin(
        handle: &Handle,
        signal: Signal,
        precedence: Precedence,
        callback: impl FnMut(&Handle) + 'static,
    ) -> io::Result<Self> {
        if UNWATCHABLE.contains(&signal) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let core = &handle.core;
        let Some(wake) = core.shared.wake_fd() else { return Err(gone()) };
        let callback: SignalCall = Box::new(callback);
        let watcher = Rc::new(Watcher::new(signal.as_raw(), precedence, callback));
        let any = core.shared.signalled();
        core.signals.with(|signals| signals.add(&watcher, any, wake))?;
        watcher.on_added();
        Ok(Self { watcher, handle: handle.clone() })
    }

    /// Returns the signal that is watched.
    pub fn signal(&self) -> Signal {
        Signal::from_raw(self.watcher.signal)
    }

    /// Ends the watch. Returns whether its signal arrived and the callback did not run.
    pub(crate) fn end(self) -> bool {
        let watcher = Rc::clone(&self.watcher);
        let yields = watcher.yields();
        let delivered = self.handle.core.signals.with(|signals| signals.delivered(watcher.signal));
        drop(self);
        // Read last: from here on the signal has its previous effect, so no signal is lost.
        let delivered = delivered.is_some_and(|delivered| delivered.load(SeqCst));
        watcher.due.get() || (delivered && !yields)
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        end(&self.handle, &self.watcher);
    }
}

impl fmt::Debug for SignalWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalWatch").field("signal", &self.watcher.signal).finish_non_exhaustive()
    }
}

/// Queues the callbacks of the signals that have arrived.
pub(crate) fn queue(handle: &Handle) {
    for watcher in handle.core.signals.with(|signals| signals.take_due()) {
        watcher.due.set(true);
        handle.call_soon(move |handle| call(handle, &watcher));
    }
}

/// Ends all watches, because the reactor is being dropped.
pub(crate) fn end_all(handle: &Handle) {
    let (watchers, last) = handle.core.signals.with(|signals| signals.remove_all());
    for last in last {
        last.end();
    }
    for watcher in watchers {
        watcher.on_ended();
        let callback = watcher.callback.take();
        drop(callback);
    }
}

/// Ends a watch. A second call does nothing.
fn end(handle: &Handle, watcher: &Rc<Watcher<SignalCall>>) {
    watcher.on_ended();
    let last = handle.core.signals.with(|signals| signals.remove(watcher));
    if let Some(last) = last {
        last.end();
    }
    let callback = watcher.callback.take();
    drop(callback);
}

fn call(handle: &Handle, watcher: &Rc<Watcher<SignalCall>>) {
    watcher.due.set(false);
    if !watcher.is_active() {
        return;
    }
    let Some(mut callback) = watcher.callback.take() else { return };
    let result = catch_unwind(AssertUnwindSafe(|| callback(handle)));
    match result {
        Ok(()) if watcher.is_active() => {
            let none = watcher.callback.replace(Some(callback));
            drop(none);
        }
        Ok(()) => drop(callback),
        Err(panic) => {
            end(handle, watcher);
            // Only the first panic is reported.
            catch_unwind(AssertUnwindSafe(move || drop(callback))).ok();
            resume_unwind(panic);
        }
    }
}

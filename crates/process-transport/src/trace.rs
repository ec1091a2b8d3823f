//! What a program with the feature `tracing` sees of its children: a span for each, from its start to its
//! reap, with the program, the process id and the way it was started. Arguments, variables and data
//! are in none, because they may hold secrets.
//!
//! Without the feature nothing here does anything.

#[cfg(feature = "tracing")]
pub use on::child_span;
#[cfg(feature = "tracing")]
pub(crate) use on::{exited, group_signalled, not_started, signalled, started};

#[cfg(not(feature = "tracing"))]
pub(crate) use self::off::{exited, group_signalled, not_started, signalled, started};

#[cfg(feature = "tracing")]
mod on {
    use std::collections::BTreeMap;
    use std::ffi::OsStr;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::thread;

    use procession_core::Signal;
    use procession_protocol::SpawnPath;
    use tracing::{Level, Span, debug, info, span, warn};

    use crate::error::SpawnError;
    use crate::sys::WaitOutcome;

    /// The spans of the children that are not reaped, by process id.
    static SPANS: Mutex<BTreeMap<u32, Arc<Span>>> = Mutex::new(BTreeMap::new());

    fn spans() -> MutexGuard<'static, BTreeMap<u32, Arc<Span>>> {
        SPANS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the span of a child of this process; a disabled one if the child is reaped, or unknown.
    ///
    /// The span's target is `procession`, its name `child`, and its level INFO.
    pub fn child_span(pid: u32) -> Span {
        // The subscriber's code, which a clone calls, runs without the lock.
        let span = spans().get(&pid).cloned();
        span.map_or_else(Span::none, |span| Span::clone(&span))
    }

    /// Opens the span of a child that has started.
    pub(crate) fn started(program: &OsStr, pid: u32, path: SpawnPath) {
        let program = program.to_string_lossy();
        let span = span!(target: "procession", Level::INFO, "child", %program, pid, %path);
        if span.is_disabled() {
            return;
        }
        info!(target: "procession", parent: &span, "started");
        let old = spans().insert(pid, Arc::new(span));
        drop(old);
    }

    pub(crate) fn not_started(program: &OsStr, error: &SpawnError) {
        let (program, step) = (program.to_string_lossy(), error.step());
        let reason = error.io_error();
        // The message names the argument or the variable that is wrong.
        warn!(target: "procession", %program, ?step, %reason, "not started");
    }

    /// A drop may send it while a panic unwinds, and must not meet another one of the subscriber.
    pub(crate) fn signalled(pid: u32, signal: Signal, is_sent: bool) {
        if !thread::panicking() {
            let span = child_span(pid);
            debug!(target: "procession", parent: &span, %signal, is_sent, "signal");
        }
    }

    pub(crate) fn group_signalled(pid: u32, signal: Signal, is_sent: bool) {
        if !thread::panicking() {
            let span = child_span(pid);
            debug!(target: "procession", parent: &span, %signal, is_sent, "signal to its group");
        }
    }

    /// Closes the span of a child that is reaped.
    pub(crate) fn exited(pid: u32, outcome: &WaitOutcome) {
        let Some(span) = spans().remove(&pid) else { return };
        match outcome {
            WaitOutcome::Running => {}
            WaitOutcome::Reaped(status, _) | WaitOutcome::Kept(status) => {
                if libc::WIFSIGNALED(*status) {
                    let signal = Signal::from_raw(libc::WTERMSIG(*status));
                    info!(target: "procession", parent: &*span, %signal, "ended by a signal");
                } else {
                    let status = libc::WEXITSTATUS(*status);
                    info!(target: "procession", parent: &*span, status, "exited");
                }
            }
            WaitOutcome::Lost(why) => {
                warn!(target: "procession", parent: &*span, %why, "ended, and its status is lost");
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::ffi::OsStr;

    use procession_core::Signal;
    use procession_protocol::SpawnPath;

    use crate::error::SpawnError;
    use crate::sys::WaitOutcome;

    #[inline]
    pub(crate) fn started(_: &OsStr, _: u32, _: SpawnPath) {}

    #[inline]
    pub(crate) fn not_started(_: &OsStr, _: &SpawnError) {}

    #[inline]
    pub(crate) fn signalled(_: u32, _: Signal, _: bool) {}

    #[inline]
    pub(crate) fn group_signalled(_: u32, _: Signal, _: bool) {}

    #[inline]
    pub(crate) fn exited(_: u32, _: &WaitOutcome) {}
}

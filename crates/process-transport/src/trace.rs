//! What a program with the feature `tracing` sees of its children: a span for each, from its start to its
//! reap, with the program, the process id and the way it was started. Arguments, variables and data
//! are in none, because they may hold secrets.
//!
//! A subscriber is foreign code, which may use the child whose event it gets. So it gets no event
//! while the state of a child is borrowed: [`after`] keeps the events until the borrow ends.
//!
//! Without the feature nothing here does anything.

/// To whom a signal was sent.
#[derive(Clone, Copy)]
pub(crate) enum SentTo {
    Child,
    Group,
}

#[cfg(all(feature = "reactor", not(feature = "tracing")))]
pub(crate) use self::off::after;
#[cfg(all(feature = "reactor", feature = "tracing"))]
pub(crate) use self::on::after;
#[cfg(feature = "tracing")]
pub use on::child_span;
#[cfg(feature = "tracing")]
pub(crate) use on::{exited, not_started, signalled, started};

#[cfg(not(feature = "tracing"))]
pub(crate) use self::off::{exited, not_started, signalled, started};

#[cfg(feature = "tracing")]
mod on {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::ffi::OsStr;
    use std::sync::Arc;
    use std::thread;

    use procession_core::Signal;
    use procession_protocol::SpawnPath;
    use tracing::{Level, Span, debug, info, span, warn};

    use super::SentTo;
    use crate::error::SpawnError;
    use crate::sys::{ProcessMutex, WaitOutcome};

    /// What is to be told.
    type Told = Vec<Box<dyn FnOnce()>>;

    thread_local! {
        /// What is to be told after the call of [`after`] that is under way, if there is one.
        static LATER: RefCell<Option<Told>> = const { RefCell::new(None) };
    }

    /// Calls, and tells only then what happens meanwhile.
    #[cfg(feature = "reactor")]
    #[inline]
    pub(crate) fn after<R>(call: impl FnOnce() -> R) -> R {
        struct Telling;

        impl Drop for Telling {
            fn drop(&mut self) {
                let told = LATER.try_with(RefCell::take).unwrap_or(None);
                if !thread::panicking() {
                    told.into_iter().flatten().for_each(|tell| tell());
                }
            }
        }

        // At the thread's end the cell may be gone. Then the subscriber gets each event at once.
        let is_outermost = LATER.try_with(|later| {
            let mut later = later.borrow_mut();
            let is_outermost = later.is_none();
            later.get_or_insert_default();
            is_outermost
        });
        let _telling = (is_outermost == Ok(true)).then(|| Telling);
        call()
    }

    /// Tells the subscriber now, or after the call that is under way.
    fn tell(what: impl FnOnce() + 'static) {
        let is_put_off = LATER.try_with(|later| later.borrow().is_some()) == Ok(true);
        if is_put_off {
            LATER.with_borrow_mut(|later| later.get_or_insert_default().push(Box::new(what)));
        } else {
            what();
        }
    }

    /// The spans of the children that are not reaped, by process id.
    static SPANS: ProcessMutex<BTreeMap<u32, Arc<Span>>> = ProcessMutex::new();

    /// Returns the span of a child of this process; a disabled one if the child is reaped, or unknown.
    ///
    /// The span's target is `procession`, its name `child`, and its level INFO.
    pub fn child_span(pid: u32) -> Span {
        // The subscriber's code, which a clone calls, runs without the lock.
        let span = SPANS.lock().get(&pid).cloned();
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
        let old = SPANS.lock().insert(pid, Arc::new(span));
        drop(old);
    }

    pub(crate) fn not_started(program: &OsStr, error: &SpawnError) {
        let (program, step) = (program.to_string_lossy(), error.step());
        let reason = error.io_error();
        // The message names the argument or the variable that is wrong.
        warn!(target: "procession", %program, ?step, %reason, "not started");
    }

    /// A drop may send it while a panic unwinds, and must not meet another one of the subscriber.
    pub(crate) fn signalled(to: SentTo, pid: u32, signal: Signal, is_sent: bool) {
        if thread::panicking() {
            return;
        }
        // The reap may remove the span before the subscriber gets the event.
        let span = SPANS.lock().get(&pid).cloned();
        tell(move || {
            let span = span.map_or_else(Span::none, |span| Span::clone(&span));
            let what = match to {
                SentTo::Child => "signal",
                SentTo::Group => "signal to its group",
            };
            debug!(target: "procession", parent: &span, %signal, is_sent, "{what}");
        });
    }

    /// Closes the span of a child that is reaped.
    pub(crate) fn exited(pid: u32, outcome: &WaitOutcome) {
        let Some(span) = SPANS.lock().remove(&pid) else { return };
        match *outcome {
            WaitOutcome::Running => tell(move || drop(span)),
            WaitOutcome::Reaped(status, _) | WaitOutcome::Kept(status) => {
                tell(move || with_status(&span, status));
            }
            WaitOutcome::Lost(why) => tell(move || {
                warn!(target: "procession", parent: &*span, %why, "ended, and its status is lost");
            }),
        }
    }

    fn with_status(span: &Span, status: i32) {
        if libc::WIFSIGNALED(status) {
            let signal = Signal::from_raw(libc::WTERMSIG(status));
            info!(target: "procession", parent: span, %signal, "ended by a signal");
        } else {
            let status = libc::WEXITSTATUS(status);
            info!(target: "procession", parent: span, status, "exited");
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::ffi::OsStr;

    use procession_core::Signal;
    use procession_protocol::SpawnPath;

    use super::SentTo;
    use crate::error::SpawnError;
    use crate::sys::WaitOutcome;

    #[inline]
    pub(crate) fn started(_: &OsStr, _: u32, _: SpawnPath) {}

    #[inline]
    pub(crate) fn not_started(_: &OsStr, _: &SpawnError) {}

    #[cfg(feature = "reactor")]
    #[inline]
    pub(crate) fn after<R>(call: impl FnOnce() -> R) -> R {
        call()
    }

    #[inline]
    pub(crate) fn signalled(_: SentTo, _: u32, _: Signal, _: bool) {}

    #[inline]
    pub(crate) fn exited(_: u32, _: &WaitOutcome) {}
}

//! Doing all of several things of which each may panic: the first panic goes on when all are done.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The first panic of several calls, kept until all were made.
#[derive(Default)]
#[must_use = "the panic is to go on"]
pub(crate) struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    /// Calls `call`; a panic of it is kept, unless there is one: the first is the cause, most likely.
    pub(crate) fn catch<R>(&mut self, call: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(value) => Some(value),
            Err(panic) => {
                match &self.0 {
                    None => self.0 = Some(panic),
                    // A payload may panic in its own drop, so it is left alone.
                    Some(_) => std::mem::forget(panic),
                }
                None
            }
        }
    }

    /// Lets the panic go on, if there was one and none is under way.
    pub(crate) fn resume(self) {
        if let Some(panic) = self.0
            && !std::thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

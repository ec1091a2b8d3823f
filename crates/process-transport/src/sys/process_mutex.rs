//! A mutex that each process has for itself. A forked copy does not wait for its parent's, which a
//! thread may have held at the fork and which would then be locked for ever.
#![expect(unsafe_code, reason = "values that live as long as the process")]

use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::this_process::ProcessMark;

/// A mutex for a static. In each process its value begins as the default.
pub(crate) struct ProcessMutex<T: 'static>(AtomicPtr<Made<T>>);

/// The mutex of one process, which is never freed.
struct Made<T: 'static> {
    /// Without memory for a page, a forked copy cannot notice that it is one. That is no reason to fail
    /// in this process.
    made_in: Option<ProcessMark>,
    mutex: Mutex<T>,
    /// What a forked copy has inherited. Nothing may use it; so a leak check finds it.
    _inherited: Option<&'static Self>,
}

impl<T: Default + Send> ProcessMutex<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Locks it. A panic under the lock does not poison it.
    pub(crate) fn lock(&self) -> MutexGuard<'static, T> {
        let seen = self.0.load(Acquire);
        // SAFETY: null, or a value that `make` has leaked: it is never freed, and all of it may be shared.
        let made: Option<&'static Made<T>> = unsafe { seen.as_ref() };
        let is_own = |made: &&Made<T>| made.made_in.as_ref().is_none_or(ProcessMark::is_own);
        let own = made.filter(is_own).unwrap_or_else(|| self.make(made));
        own.mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn make(&self, inherited: Option<&'static Made<T>>) -> &'static Made<T> {
        let made_in = ProcessMark::new().ok();
        let new = Made { made_in, mutex: Mutex::default(), _inherited: inherited };
        let new = ptr::from_mut(Box::leak(Box::new(new)));
        let seen = inherited.map_or(ptr::null_mut(), |made| ptr::from_ref(made).cast_mut());
        match self.0.compare_exchange(seen, new, AcqRel, Acquire) {
            // SAFETY: it was leaked above.
            Ok(_) => unsafe { &*new },
            Err(others) => {
                // SAFETY: it was leaked above, and nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
                // SAFETY: another thread of this process has leaked it in the same way.
                unsafe { &*others }
            }
        }
    }
}

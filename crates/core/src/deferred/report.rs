//! Reports errors that nobody took.

use std::fmt::Debug;
use std::io::{self, Write};
use std::mem;
use std::sync::{PoisonError, RwLock};

type Hook = fn(&dyn Debug);

static HOOK: RwLock<Hook> = RwLock::new(print);

/// Sets the hook of the process for errors in a `Deferred` that nobody took, and returns the previous
/// one.
///
/// The hook is called once for each such error, on the thread of its `Deferred`: when the `Deferred` is
/// dropped or, after [`detach`](super::Deferred::detach), when the error arrives. The default hook
/// prints one line on standard error. Failures other than `Failed::Error` are not reported.
///
/// # Examples
///
/// ```
/// use procession::{Deferred, set_unhandled_error_hook};
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static COUNT: AtomicU32 = AtomicU32::new(0);
/// set_unhandled_error_hook(|_| {
///     COUNT.fetch_add(1, Ordering::Relaxed);
/// });
/// drop(Deferred::<(), _>::ready(Err("nobody looked")));
/// assert_eq!(COUNT.load(Ordering::Relaxed), 1);
/// ```
pub fn set_unhandled_error_hook(hook: fn(&dyn Debug)) -> fn(&dyn Debug) {
    mem::replace(&mut HOOK.write().unwrap_or_else(PoisonError::into_inner), hook)
}

pub(super) fn report<E: Debug>(error: &E) {
    let hook = *HOOK.read().unwrap_or_else(PoisonError::into_inner);
    hook(error);
}

fn print(error: &dyn Debug) {
    // Not `eprintln!`, which panics if standard error is closed. The error cannot be reported then.
    writeln!(io::stderr(), "unhandled error in a Deferred: {error:?}").ok();
}

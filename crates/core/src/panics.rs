//! For authors of transports: makes several calls even if some of them panic, and resumes the first panic
//! at the end.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The first panic of several calls, kept until all calls were made.
///
/// # Examples
///
/// ```
/// use procession::driver::core::FirstPanic;
/// use std::panic::catch_unwind;
///
/// let panic = catch_unwind(|| {
///     let mut panics = FirstPanic::default();
///     panics.catch(|| panic!("first"));
///     panics.catch(|| panic!("second"));
///     panics.resume();
/// });
/// assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"first"));
/// ```
#[derive(Debug, Default)]
#[must_use = "call `resume`, so that the panic goes on"]
pub struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    /// Calls `call`, and keeps its panic if it is the first one, which is most likely the cause.
    pub fn catch<R>(&mut self, call: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(value) => Some(value),
            Err(panic) => {
                match &self.0 {
                    None => self.0 = Some(panic),
                    Some(_) => Self::discard(panic),
                }
                None
            }
        }
    }

    /// Resumes the panic, if there was one and the thread is not already panicking.
    pub fn resume(self) {
        if let Some(panic) = self.0
            && !std::thread::panicking()
        {
            resume_unwind(panic);
        }
    }

    /// Returns the message of a panic, if its payload is one.
    pub fn text(panic: &(dyn Any + Send)) -> Option<&str> {
        let text = panic.downcast_ref::<&str>().copied();
        text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
    }

    /// Drops the payload of a panic that is not resumed. If that drop panics, the payload of the second
    /// panic is leaked, because dropping it could panic again without end.
    pub fn discard(panic: Box<dyn Any + Send>) {
        if let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            std::mem::forget(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::FirstPanic;

    #[test]
    fn every_call_is_made_and_the_first_panic_goes_on() {
        let mut panics = FirstPanic::default();
        assert_eq!(panics.catch(|| 1), Some(1));
        assert_eq!(panics.catch(|| panic!("first")), None::<()>);
        assert_eq!(panics.catch(|| panic!("second")), None::<()>);
        assert_eq!(panics.catch(|| 2), Some(2));
        let panic = catch_unwind(AssertUnwindSafe(|| panics.resume())).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"first"));
    }

    #[test]
    fn the_text_of_a_panic_is_its_message() {
        let text = |panic: Box<dyn Any + Send>| FirstPanic::text(&*panic).map(str::to_owned);
        assert_eq!(text(Box::new("fixed")).as_deref(), Some("fixed"));
        assert_eq!(text(Box::new(String::from("made"))).as_deref(), Some("made"));
        assert_eq!(text(Box::new(5)), None);
    }

    #[test]
    fn a_discarded_payload_is_dropped_and_may_panic() {
        thread_local!(static DROPPED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
        struct Given;
        impl Drop for Given {
            fn drop(&mut self) {
                DROPPED.set(true);
                panic!("in the drop of what a panic was given");
            }
        }
        FirstPanic::discard(Box::new(Given));
        assert!(DROPPED.get());
    }
}

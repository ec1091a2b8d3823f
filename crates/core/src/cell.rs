//! Interior mutability through a closure only, so no borrow outlives the closure.
//!
//! A `RefCell` guard lives to the end of its scope (`while let`, `if let`, `match`), so foreign code
//! easily runs while the guard holds the borrow. The end of a closure is visible. This module does not
//! offer sharing between threads, nor shared borrows.

use std::cell::RefCell;
use std::fmt;

/// A cell whose only access is a closure: `cell.with(|state| ..)`.
///
/// Inside the closure, only change the state. Return the values that are left over as the closure's
/// result, and call or drop foreign code (callbacks, wakers, owners of bytes, results) afterwards.
///
/// # Examples
///
/// ```
/// use procession::driver::core::WithCell;
///
/// let jobs: WithCell<Vec<Box<dyn FnOnce()>>> = WithCell::new(vec![Box::new(|| ())]);
/// let job = jobs.with(Vec::pop); // the borrow ends here
/// if let Some(job) = job {
///     job(); // may use `jobs`
/// }
/// assert!(jobs.take().is_empty());
/// ```
#[derive(Default)]
pub struct WithCell<T>(RefCell<T>);

impl<T> WithCell<T> {
    /// Creates a cell that holds `value`.
    pub const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Calls `change` with the state and returns its result.
    ///
    /// # Panics
    ///
    /// Panics if it is called from within another `with` of the same cell: then foreign code ran
    /// during the borrow.
    #[inline]
    #[track_caller]
    pub fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let Ok(mut state) = self.0.try_borrow_mut() else { entered_again() };
        change(&mut state)
    }

    /// Replaces the state by `value` and returns the previous state.
    ///
    /// # Panics
    ///
    /// Panics as [`with`](Self::with) does.
    #[track_caller]
    pub fn replace(&self, value: T) -> T {
        self.with(|state| std::mem::replace(state, value))
    }

    /// Returns the state and leaves the default in its place.
    ///
    /// # Panics
    ///
    /// Panics as [`with`](Self::with) does.
    #[track_caller]
    pub fn take(&self) -> T
    where
        T: Default,
    {
        self.with(std::mem::take)
    }

    /// Consumes the cell and returns the state.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn entered_again() -> ! {
    panic!("a WithCell was entered again from within its own `with`");
}

/// Prints only the type's name: printing the state would run foreign code during the borrow.
impl<T> fmt::Debug for WithCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithCell").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_changes_replace_and_take_return_what_was_there() {
        let cell = WithCell::new(1);
        cell.with(|n| *n += 1);
        assert_eq!(cell.replace(5), 2);
        assert_eq!(cell.take(), 5);
        assert_eq!(cell.into_inner(), 0);
    }

    #[test]
    #[should_panic(expected = "entered again")]
    fn a_nested_with_panics() {
        let cell = WithCell::new(1);
        cell.with(|_| cell.with(|_| ()));
    }

    #[test]
    fn a_panic_inside_leaves_the_cell_usable() {
        let cell = WithCell::new(1);
        let inside = std::panic::AssertUnwindSafe(|| cell.with(|_| panic!("inside")));
        assert!(std::panic::catch_unwind(inside).is_err());
        assert_eq!(cell.take(), 1);
    }
}

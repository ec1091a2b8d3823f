//! Combines several deferred results into one.

use std::fmt::Debug;
use std::rc::Rc;

use super::state::OnCancel;
use super::{Deferred, Failed, Promise};
use crate::NoError;
use crate::cell::WithCell;

/// Waits for all and returns their values in the order of the deferreds, or the first failure.
///
/// On a failure, or if the result is dropped or cancelled, the deferreds that have no result yet are
/// cancelled.
/// Further errors are dropped without a report. If `all` is empty, the result is an empty vector, at
/// once.
///
/// # Examples
///
/// ```
/// use procession::{Deferred, gather};
///
/// let all = gather([1, 2, 3].map(|n| Deferred::<_, String>::ready(Ok(n * 10))));
/// assert_eq!(all.try_take(), Some(Ok(vec![10, 20, 30])));
/// ```
#[doc(alias = "gatherResults")]
#[doc(alias = "try_join_all")]
#[must_use = "dropping the result cancels what it waits for: `done` or `detach` ends a chain"]
pub fn gather<T: 'static, E: Debug + 'static>(
    all: impl IntoIterator<Item = Deferred<T, E>>,
) -> Deferred<Vec<T>, E> {
    struct Values<T> {
        values: Vec<Option<T>>,
        missing: usize,
    }
    let all: Vec<_> = all.into_iter().collect();
    let (race, gathered) = Race::new(&all);
    if all.is_empty() {
        race.promise.complete(Ok(Vec::new()));
        return gathered;
    }
    let values = all.iter().map(|_| None).collect();
    let values = Rc::new(WithCell::new(Values { values, missing: all.len() }));
    for (index, one) in all.into_iter().enumerate() {
        let race = Rc::clone(&race);
        let values = Rc::clone(&values);
        one.done(move |result| match result {
            Ok(value) => {
                // Each index comes once, so no value is replaced, and dropped, inside the cell.
                let complete = values.with(|state| {
                    state.values[index] = Some(value);
                    state.missing -= 1;
                    (state.missing == 0).then(|| std::mem::take(&mut state.values))
                });
                if let Some(values) = complete {
                    race.promise.complete(Ok(values.into_iter().flatten().collect()));
                }
            }
            Err(failed) => race.end(Err(failed)),
        });
    }
    gathered
}

/// Waits for all and returns every result, value or failure, in the order of the deferreds.
///
/// A failure does not end the wait; an error counts as taken, and is not reported. If the result is
/// dropped or cancelled, the deferreds that have no result yet are cancelled. If `all` is empty, the
/// result is an empty vector, at once.
///
/// # Examples
///
/// ```
/// use procession::{Deferred, Failed, gather_all};
///
/// let all = gather_all([Deferred::ready(Ok(1)), Deferred::ready(Err("bad"))]);
/// assert_eq!(all.try_take(), Some(Ok(vec![Ok(1), Err(Failed::Error("bad"))])));
/// ```
#[doc(alias = "DeferredList")]
#[doc(alias = "join_all")]
#[must_use = "dropping the result cancels what it waits for: `done` or `detach` ends a chain"]
pub fn gather_all<T: 'static, E: Debug + 'static>(
    all: impl IntoIterator<Item = Deferred<T, E>>,
) -> Deferred<Vec<Result<T, Failed<E>>>, NoError> {
    gather(all.into_iter().map(|one| one.then(Ok)))
}

/// Waits for the first result, a value or a failure; a value comes with its index.
///
/// Then the others are cancelled, and also if the result is dropped or cancelled. Their errors are dropped
/// without a report. If `all` is empty, the result is [`Failed::Abandoned`].
///
/// # Examples
///
/// ```
/// use procession::{Deferred, first_of};
///
/// let (slow, first) = Deferred::<_, String>::new();
/// let (fast, second) = Deferred::new();
/// let winner = first_of([first, second]);
/// fast.complete(Ok("fast"));
/// assert_eq!(winner.try_take(), Some(Ok((1, "fast"))));
/// assert!(slow.is_cancelled());
/// ```
#[doc(alias = "fireOnOneCallback")]
#[doc(alias = "select")]
#[must_use = "dropping the result cancels what it waits for: `done` or `detach` ends a chain"]
pub fn first_of<T: 'static, E: Debug + 'static>(
    all: impl IntoIterator<Item = Deferred<T, E>>,
) -> Deferred<(usize, T), E> {
    let all: Vec<_> = all.into_iter().collect();
    let (race, first) = Race::new(&all);
    for (index, one) in all.into_iter().enumerate() {
        let race = Rc::clone(&race);
        one.done(move |result| race.end(result.map(|value| (index, value))));
    }
    first
}

/// The first result of several producers, whose others are then cancelled.
struct Race<U: 'static, E: 'static> {
    promise: Promise<U, E>,
    /// Holds weak references only, because the producers' callbacks own the race.
    others: Rc<WithCell<Vec<OnCancel>>>,
}

impl<U: 'static, E: Debug + 'static> Race<U, E> {
    fn new<T: 'static>(all: &[Deferred<T, E>]) -> (Rc<Self>, Deferred<U, E>) {
        let (promise, result) = Deferred::new();
        let others = Rc::new(WithCell::new(all.iter().map(Deferred::upstream).collect()));
        let cancelled = Rc::clone(&others);
        promise.on_cancel(move || cancel_all(&cancelled));
        (Rc::new(Self { promise, others }), result)
    }

    /// Settles the result and cancels the other producers. A second call has no effect.
    fn end(&self, result: Result<U, Failed<E>>) {
        cancel_all(&self.others);
        self.promise.settle(result);
    }
}

fn cancel_all(others: &WithCell<Vec<OnCancel>>) {
    for other in others.take() {
        other.run();
    }
}

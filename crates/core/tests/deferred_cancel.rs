//! Cancellation: `cancel`, drops, timeouts, and the results that `gather` and `first_of` cancel.

use std::cell::Cell;
use std::fmt::Debug;
use std::rc::Rc;
use std::time::Duration;

use procession_core::{
    Clock, Deferred, Failed, FakeClock, Promise, first_of, gather, gather_all,
    set_unhandled_error_hook,
};

type D<T> = Deferred<T, String>;

const SECOND: Duration = Duration::from_secs(1);

/// Counts the calls of the `on_cancel` closure of `promise`.
fn count_cancels<T>(promise: &Promise<T, String>) -> Rc<Cell<u32>> {
    let count = Rc::new(Cell::new(0));
    let counter = Rc::clone(&count);
    promise.on_cancel(move || counter.set(counter.get() + 1));
    count
}

fn pairs<const N: usize>() -> ([Promise<usize, String>; N], [D<usize>; N]) {
    let mut promises = Vec::new();
    let deferreds = std::array::from_fn(|_| {
        let (promise, deferred) = D::new();
        promises.push(promise);
        deferred
    });
    (promises.try_into().expect("one for each"), deferreds)
}

fn unreachable_link(outcome: Result<i32, Failed<String>>) -> Result<i32, String> {
    unreachable!("called with {outcome:?}")
}

#[test]
fn dropping_the_end_of_a_chain_tells_the_producer_once_and_calls_nothing() {
    let (promise, deferred) = D::<i32>::new();
    let told = count_cancels(&promise);
    let chain = deferred.map(|_| unreachable!("dropped")).then(unreachable_link);
    drop(chain);
    assert_eq!(told.get(), 1);
    assert!(promise.is_cancelled());
    assert!(promise.try_complete(Ok(1)).is_ok(), "too late is no mistake of the producer");
    assert_eq!(told.get(), 1);
}

#[test]
fn a_cancelled_deferred_ends_with_cancelled() {
    let (promise, deferred) = D::<i32>::new();
    let told = count_cancels(&promise);
    deferred.cancel();
    deferred.cancel();
    promise.complete(Ok(1));
    assert_eq!(deferred.try_take(), Some(Err(Failed::Cancelled)));
    drop(deferred);
    assert_eq!(told.get(), 1);
}

#[test]
fn cancelling_after_the_result_has_no_effect() {
    let (promise, deferred) = D::<i32>::new();
    let told = count_cancels(&promise);
    promise.complete(Ok(1));
    deferred.cancel();
    assert_eq!(deferred.try_take(), Some(Ok(1)));
    assert_eq!(told.get(), 0);
    assert!(!promise.is_cancelled());
}

#[test]
fn a_hook_set_after_the_cancellation_is_called_at_once_and_a_second_replaces_the_first() {
    let (promise, deferred) = D::<i32>::new();
    let first = count_cancels(&promise);
    let second = count_cancels(&promise);
    drop(deferred);
    assert_eq!((first.get(), second.get()), (0, 1));
    assert_eq!(count_cancels(&promise).get(), 1);
}

#[test]
fn a_chain_that_was_ended_is_not_cancelled() {
    let (promise, deferred) = D::<i32>::new();
    let told = count_cancels(&promise);
    deferred.map(|n| n + 1).detach();
    assert_eq!(told.get(), 0);
}

#[test]
fn cancelling_reaches_the_deferred_that_a_callback_returned() {
    let (outer, deferred) = D::<i32>::new();
    let (inner, waited) = D::<i32>::new();
    let told = (count_cancels(&outer), count_cancels(&inner));
    let chain = deferred.and_then(move |_| waited).map(|n| n + 1);
    outer.complete(Ok(1));
    drop(chain);
    assert_eq!((told.0.get(), told.1.get()), (0, 1));
}

#[test]
fn a_callback_that_drops_its_own_chain_cancels_what_it_returns() {
    let (outer, deferred) = D::<i32>::new();
    let (inner, waited) = D::<i32>::new();
    let end = Rc::new(Cell::new(None::<D<i32>>));
    let own = Rc::clone(&end);
    end.set(Some(deferred.and_then(move |_| {
        drop(own.take());
        waited
    })));
    outer.complete(Ok(1));
    assert!(inner.is_cancelled());
    assert!(!outer.is_cancelled());
}

#[test]
fn a_hook_may_complete_the_promise_or_drop_it() {
    let (promise, deferred) = D::<i32>::new();
    let promise = Rc::new(promise);
    let own = Rc::clone(&promise);
    promise.on_cancel(move || own.complete(Ok(1)));
    drop(deferred);
    assert!(promise.is_cancelled());
}

#[test]
fn a_timeout_cancels_and_fails_with_timed_out() {
    let clock = FakeClock::new();
    let (promise, deferred) = D::<i32>::new();
    let told = count_cancels(&promise);
    let deferred = deferred.map(|n| n + 1).timeout_on(5 * SECOND, &clock);
    clock.advance(5 * SECOND - Duration::from_nanos(1));
    assert_eq!(deferred.try_take(), None);
    clock.advance(Duration::from_nanos(1));
    assert_eq!(told.get(), 1);
    assert_eq!(deferred.try_take(), Some(Err(Failed::TimedOut)));
    promise.complete(Ok(1));
    assert_eq!(deferred.try_take(), None);
}

#[test]
fn a_result_in_time_passes_and_takes_the_timer_with_it() {
    let clock = FakeClock::new();
    let (promise, deferred) = D::<i32>::new();
    let deferred = deferred.timeout_on(SECOND, &clock);
    assert_eq!(clock.scheduled(), 1);
    promise.complete(Ok(1));
    assert_eq!(clock.scheduled(), 0);
    clock.advance(2 * SECOND);
    assert_eq!(deferred.try_take(), Some(Ok(1)));
    assert!(!promise.is_cancelled());
}

#[test]
fn dropping_a_timeout_cancels_upstream_and_the_timer() {
    let clock = FakeClock::new();
    let (promise, deferred) = D::<i32>::new();
    let told = count_cancels(&promise);
    drop(deferred.timeout_on(SECOND, &clock));
    assert_eq!((told.get(), clock.scheduled()), (1, 0));
}

#[test]
fn timeouts_take_the_clock_of_their_thread() {
    let clock = FakeClock::new();
    assert!(<dyn Clock>::set_current(Some(Rc::new(clock.clone()))).is_none());
    let (_promise, deferred) = D::<i32>::new();
    let deferred = deferred.timeout(SECOND);
    clock.advance(SECOND);
    assert_eq!(deferred.try_take(), Some(Err(Failed::TimedOut)));
    assert!(<dyn Clock>::set_current(None).is_some());
}

#[test]
#[should_panic(expected = "this thread has no reactor")]
fn a_timeout_on_a_thread_without_a_clock_panics() {
    drop(D::<i32>::new().1.timeout(SECOND));
}

#[test]
fn gather_keeps_the_order_of_the_deferreds() {
    let (promises, deferreds) = pairs::<10>();
    let all = gather(deferreds);
    for (n, promise) in promises.iter().enumerate().rev() {
        assert_eq!(all.try_take(), None);
        promise.complete(Ok(n));
    }
    assert_eq!(all.try_take(), Some(Ok((0..10).collect())));
    assert_eq!(gather(Vec::<D<i32>>::new()).try_take(), Some(Ok(Vec::new())));
}

thread_local!(static REPORTS: Cell<u32> = const { Cell::new(0) });

/// Case CH-24.
#[test]
fn gather_fails_with_the_first_error_and_reports_no_other() {
    fn count(_: &dyn Debug) {
        REPORTS.set(REPORTS.get() + 1);
    }
    set_unhandled_error_hook(count);
    let (promises, deferreds) = pairs::<10>();
    let told: Vec<_> = promises.iter().map(count_cancels).collect();
    let all = gather(deferreds);
    promises[3].complete(Ok(3));
    promises[5].complete(Err("first".to_owned()));
    promises[6].complete(Err("second".to_owned()));
    assert_eq!(all.try_take(), Some(Err(Failed::Error("first".to_owned()))));
    drop(all);
    drop(promises);
    let told: Vec<_> = told.iter().map(|told| told.get()).collect();
    assert_eq!(told, [1, 1, 1, 0, 1, 0, 1, 1, 1, 1]);

    let failed = ["a", "b", "c"].map(|error| D::<i32>::ready(Err(error.to_owned())));
    let all = gather(failed);
    assert_eq!(REPORTS.get(), 0);
    drop(all);
    assert_eq!(REPORTS.get(), 1, "the gathered error itself, once");
}

#[test]
fn dropping_the_result_of_gather_cancels_all() {
    let (promises, deferreds) = pairs::<3>();
    drop(gather(deferreds));
    assert!(promises.iter().all(Promise::is_cancelled));
}

#[test]
fn gather_drops_the_values_that_came_before_a_failure() {
    let value = Rc::new(());
    let (promise, pending) = D::<Rc<()>>::new();
    let all = gather([D::ready(Ok(Rc::clone(&value))), pending]);
    promise.complete(Err("bad".to_owned()));
    assert_eq!(Rc::strong_count(&value), 1);
    assert!(all.try_take().is_some());
}

#[test]
fn first_of_takes_the_first_result_of_either_kind_and_cancels_the_rest() {
    let (promises, deferreds) = pairs::<3>();
    let first = first_of(deferreds);
    promises[1].complete(Ok(7));
    assert!(promises[0].is_cancelled() && promises[2].is_cancelled());
    assert_eq!(first.try_take(), Some(Ok((1, 7))));

    let (promises, deferreds) = pairs::<2>();
    let first = first_of(deferreds);
    promises[0].complete(Err("bad".to_owned()));
    assert!(promises[1].is_cancelled());
    assert_eq!(first.try_take(), Some(Err(Failed::Error("bad".to_owned()))));

    let (promises, deferreds) = pairs::<2>();
    drop(first_of(deferreds));
    assert!(promises.iter().all(Promise::is_cancelled));
    assert_eq!(first_of(Vec::<D<i32>>::new()).try_take(), Some(Err(Failed::Abandoned)));
}

/// Case CH-25.
#[test]
fn inside_a_callback_the_producer_is_told_after_it() {
    let (promise, deferred) = Deferred::<i32, String>::new();
    let promise = Rc::new(promise);
    let told = Rc::new(Cell::new(false));
    let tell = Rc::clone(&told);
    promise.on_cancel(move || tell.set(true));
    let (first, callback) = Deferred::<i32, String>::new();
    let (seen, producer) = (Rc::clone(&told), Rc::clone(&promise));
    callback.done(move |_| {
        drop(deferred);
        assert!(producer.is_cancelled() && !seen.get(), "late, and known at once");
    });
    first.complete(Ok(1));
    assert!(told.get(), "as soon as the callback has returned");
}

#[test]
fn gather_all_gives_every_result_in_order() {
    let ([first, second, third], deferreds) = pairs();
    let all = gather_all(deferreds);
    third.complete(Ok(3));
    first.complete(Err("no first".to_owned()));
    assert_eq!(all.try_take(), None);
    drop(second);
    let expected = vec![Err(Failed::Error("no first".to_owned())), Err(Failed::Abandoned), Ok(3)];
    assert_eq!(all.try_take(), Some(Ok(expected)));
    assert_eq!(gather_all(Vec::<D<i32>>::new()).try_take(), Some(Ok(Vec::new())));
}

#[test]
fn giving_up_what_gather_all_waits_for_cancels_those_without_a_result() {
    let ([first, second], deferreds) = pairs();
    let all = gather_all(deferreds);
    first.complete(Ok(1));
    drop(all);
    assert!(second.is_cancelled());
}

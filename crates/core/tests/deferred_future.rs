//! Awaits a `Deferred` on a small executor.

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use procession_core::{Deferred, Failed};

type D<T> = Deferred<T, String>;

#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls `future` to its end. Before each further poll it calls `next`, which must cause a wake-up.
fn block_on<F: Future>(future: F, mut next: impl FnMut()) -> F::Output {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        next();
        assert_ne!(wakes.0.swap(0, Ordering::Relaxed), 0, "it would never be polled again");
    }
}

#[test]
fn awaiting_gives_the_results_one_after_the_other() {
    let (first, deferred_first) = D::<i32>::new();
    let (second, deferred_second) = D::<i32>::new();
    let promises = RefCell::new(vec![second, first]);
    let sum = async {
        let first = deferred_first.await?;
        Ok::<_, Failed<String>>(first + deferred_second.map(|n| n * 10).await?)
    };
    let result = block_on(sum, || {
        let promise = promises.borrow_mut().pop().unwrap();
        promise.complete(Ok(2));
    });
    assert_eq!(result, Ok(22));
}

#[test]
fn a_dropped_promise_wakes_the_task_instead_of_hanging_it() {
    let (promise, deferred) = D::<i32>::new();
    let promise = RefCell::new(Some(promise));
    assert_eq!(block_on(deferred, || drop(promise.take())), Err(Failed::Abandoned));
}

#[test]
fn dropping_the_task_cancels() {
    let (promise, deferred) = D::<i32>::new();
    let mut task = Box::pin(async move { deferred.await.map(|n| n + 1) });
    let poll = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending());
    drop(task);
    assert!(promise.is_cancelled());
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let (promise, mut deferred) = D::<i32>::new();
    let wakes = [Arc::new(Wakes::default()), Arc::new(Wakes::default())];
    for wakes in &wakes {
        let waker = Waker::from(Arc::clone(wakes));
        for _ in 0..2 {
            let poll = Pin::new(&mut deferred).poll(&mut Context::from_waker(&waker));
            assert!(poll.is_pending());
        }
    }
    promise.complete(Ok(1));
    assert_eq!(wakes.each_ref().map(|wakes| wakes.0.load(Ordering::Relaxed)), [0, 1]);
    assert_eq!(deferred.try_take(), Some(Ok(1)));
}

#[test]
fn polled_after_its_result_it_is_abandoned() {
    let mut deferred = D::ready(Ok(1));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(Pin::new(&mut deferred).poll(&mut context), Poll::Ready(Ok(1)));
    let again = Pin::new(&mut deferred).poll(&mut context);
    assert_eq!(again, Poll::Ready(Err(Failed::Abandoned)));
}

#[test]
fn a_polled_deferred_can_still_be_chained() {
    let (promise, mut deferred) = D::<i32>::new();
    let poll = Pin::new(&mut deferred).poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending());
    let seen = Rc::new(RefCell::new(None));
    let see = Rc::clone(&seen);
    deferred.done(move |result| *see.borrow_mut() = Some(result));
    promise.complete(Ok(1));
    assert_eq!(seen.take(), Some(Ok(1)));
}

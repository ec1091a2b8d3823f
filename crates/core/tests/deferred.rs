//! Results, callbacks and chains: the calls, their order and number, and the stack that they use.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

use procession_core::{AlreadyCompleted, Deferred, Failed, Promise, set_unhandled_error_hook};

type D<T> = Deferred<T, String>;

/// A log of events, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn add(&self, what: impl ToString) {
        self.0.borrow_mut().push(what.to_string());
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

thread_local!(static REPORTED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) });

/// Sets a hook that collects the unhandled errors of each thread; all tests set the same hook.
fn collect_reports() {
    fn collect(error: &dyn Debug) {
        REPORTED.with_borrow_mut(|reported| reported.push(format!("{error:?}")));
    }
    set_unhandled_error_hook(collect);
    reported();
}

fn reported() -> Vec<String> {
    REPORTED.take()
}

/// Case CH-19.
#[test]
fn callbacks_keep_their_order_and_late_ones_run_at_once() {
    let log = Log::default();
    let (promise, deferred) = D::<i32>::new();
    let step = |name: &'static str| {
        let log = log.clone();
        move |n| {
            log.add(format!("{name} {n}"));
            n + 1
        }
    };
    let deferred = deferred.map(step("first")).map(step("second"));
    assert!(log.take().is_empty());
    promise.complete(Ok(1));
    assert_eq!(log.take(), ["first 1", "second 2"]);
    let deferred = deferred.map(step("late"));
    assert_eq!(log.take(), ["late 3"]);
    let last = log.clone();
    deferred.done(move |result| last.add(result.unwrap()));
    assert_eq!(log.take(), ["4"]);
}

/// Case CH-20.
#[test]
fn a_second_result_has_no_effect() {
    collect_reports();
    let second: [Result<i32, String>; 2] = [Ok(2), Err("late".to_owned())];
    for second in second {
        let (promise, deferred) = D::new();
        promise.complete(Ok(1));
        promise.complete(second.clone());
        let refused = promise.try_complete(second.clone());
        assert!(matches!(refused, Err(AlreadyCompleted { .. })));
        assert_eq!(deferred.try_take(), Some(Ok(1)));

        let (promise, deferred) = D::new();
        assert!(promise.try_complete(Err("bad".to_owned())).is_ok());
        assert!(promise.try_complete(second).is_err());
        assert_eq!(deferred.try_take(), Some(Err(Failed::Error("bad".to_owned()))));
        assert!(promise.try_complete(Ok(3)).is_err(), "taken is completed, too");
    }
    assert!(reported().is_empty());
}

/// Case CH-21.
#[test]
fn an_error_skips_callbacks_until_it_is_handled() {
    let log = Log::default();
    let (skipped, handler, resumed) = (log.clone(), log.clone(), log.clone());
    let (promise, deferred) = D::<i32>::new();
    let deferred = deferred
        .and_then(|n| if n > 0 { Err(format!("{n} is positive")) } else { Ok(n) })
        .map(move |n| skipped.add(n))
        .or_else(move |error| {
            handler.add(error);
            Ok::<_, usize>(())
        })
        .map(move |()| resumed.add("resumed"));
    promise.complete(Ok(5));
    assert_eq!(deferred.try_take(), Some(Ok(())));
    assert_eq!(log.take(), ["5 is positive", "resumed"]);
}

/// Case CH-21.
#[test]
fn a_handler_may_return_a_deferred_that_recovers_later() {
    let (recovery, recovered) = D::<i32>::new();
    let (promise, deferred) = Deferred::<i32, usize>::new();
    let deferred = deferred.or_else(move |_| recovered).map(|n| n * 2);
    promise.complete(Err(7));
    assert_eq!(deferred.try_take(), None);
    recovery.complete(Ok(4));
    assert_eq!(deferred.try_take(), Some(Ok(8)));
}

/// Case CH-23.
#[test]
fn callbacks_never_run_inside_one_another() {
    let log = Log::default();
    let (outer, deferred) = D::<()>::new();
    let (third, waiting) = D::<()>::new();
    let end = log.clone();
    waiting.done(move |_| end.add("completed from within"));
    let inside = log.clone();
    deferred.done(move |_| {
        let attached = inside.clone();
        D::ready(Ok(())).done(move |_| attached.add("attached from within"));
        third.complete(Ok(()));
        inside.add("returns");
    });
    outer.complete(Ok(()));
    assert_eq!(log.take(), ["returns", "attached from within", "completed from within"]);
}

#[test]
fn then_sees_every_outcome_and_or_else_only_errors() {
    let ends: [fn(Promise<i32, String>); 3] = [
        |promise| promise.complete(Err("bad".to_owned())),
        |promise| promise.settle(Err(Failed::TimedOut)),
        drop,
    ];
    let seen = ends.map(|end| {
        let (promise, deferred) = D::<i32>::new();
        let deferred = deferred.or_else(|error| Err(error.len())).then(|outcome| match outcome {
            Ok(_) => Ok(String::new()),
            Err(Failed::Error(length)) => Err(length),
            Err(other) => Ok(other.to_string()),
        });
        end(promise);
        deferred.try_take().unwrap()
    });
    let [error, timed_out, abandoned] = seen;
    assert_eq!(error, Err(Failed::Error(3)));
    assert_eq!(timed_out, Ok("timed out".to_owned()));
    assert_eq!(abandoned, Ok("abandoned: the promise was dropped without a result".to_owned()));
}

#[test]
fn a_result_that_was_taken_is_abandoned_for_later_consumers() {
    let deferred = D::ready(Ok(1));
    assert_eq!(deferred.try_take(), Some(Ok(1)));
    assert_eq!(deferred.try_take(), None);
    let heard = Log::default();
    let hear = heard.clone();
    deferred.done(move |result| hear.add(format!("{result:?}")));
    assert_eq!(heard.take(), ["Err(abandoned: the promise was dropped without a result)"]);
}

#[test]
fn a_panic_in_a_callback_leaves_everything_usable() {
    let log = Log::default();
    let (promise, deferred) = D::<()>::new();
    let (other, waiting) = D::<()>::new();
    let ended = log.clone();
    waiting.done(move |_| ended.add("the other one still ran"));
    let below = log.clone();
    deferred
        .map(move |()| {
            other.complete(Ok(()));
            panic!("in a callback");
        })
        .done(move |result: Result<(), _>| below.add(format!("{result:?}")));
    let payload = catch_unwind(AssertUnwindSafe(|| promise.complete(Ok(())))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"in a callback"));
    assert_eq!(
        log.take(),
        ["the other one still ran", "Err(abandoned: the promise was dropped without a result)"]
    );

    let after = log.clone();
    D::ready(Ok(())).done(move |_| after.add("at once"));
    assert_eq!(log.take(), ["at once"]);
}

#[test]
fn the_first_of_several_panics_goes_on_and_all_callbacks_are_called() {
    let log = Log::default();
    let last = log.clone();
    let payload = catch_unwind(AssertUnwindSafe(|| {
        D::ready(Ok(())).done(move |_| {
            D::ready(Ok(())).done(|_| panic!("first"));
            D::ready(Ok(())).done(|_| panic!("second"));
            D::ready(Ok(())).done(move |_| last.add("still called"));
        });
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"first"));
    assert_eq!(log.take(), ["still called"]);
}

#[test]
fn a_panic_in_a_callback_of_a_promise_dropped_while_unwinding_does_not_abort() {
    let (promise, deferred) = D::<()>::new();
    deferred.done(|_| panic!("second"));
    let payload = catch_unwind(AssertUnwindSafe(move || {
        let _promise = promise;
        panic!("first");
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"first"));
}

/// Runs `test` on a thread whose stack is too small for recursion.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(64 * 1024).spawn(test);
    thread.expect("a thread starts").join().expect("the stack was enough");
}

const LINKS: u32 = 500_000;

fn long_chain(first: D<u32>) -> D<u32> {
    (0..LINKS).fold(first, |chain, _| chain.map(|n| n + 1))
}

#[test]
fn a_chain_of_500_000_links_runs_in_constant_stack() {
    on_a_small_stack(|| {
        let (promise, first) = D::new();
        let end = long_chain(first);
        promise.complete(Ok(0));
        assert_eq!(end.try_take(), Some(Ok(LINKS)));
    });
}

#[test]
fn a_chain_of_500_000_links_is_abandoned_in_constant_stack() {
    on_a_small_stack(|| {
        let (promise, first) = D::new();
        let end = long_chain(first);
        drop(promise);
        assert_eq!(end.try_take(), Some(Err(Failed::Abandoned)));
    });
}

#[test]
fn a_chain_of_500_000_links_is_dropped_in_constant_stack() {
    on_a_small_stack(|| {
        let (promise, first) = D::new();
        let told = Rc::new(Cell::new(0));
        let tell = Rc::clone(&told);
        promise.on_cancel(move || tell.set(tell.get() + 1));
        drop(long_chain(first));
        assert_eq!(told.get(), 1);
        assert!(promise.is_cancelled());
    });
}

/// The closure of each link owns the next `Deferred`. Once all are completed, once all are dropped.
#[test]
fn nesting_of_500_000_deferreds_uses_constant_stack() {
    fn nest(innermost: D<u32>, gates: &mut Vec<Promise<(), String>>) -> D<u32> {
        (0..LINKS).fold(innermost, |inner, _| {
            let (gate, opened) = D::<()>::new();
            gates.push(gate);
            opened.and_then(move |()| inner)
        })
    }
    on_a_small_stack(|| {
        let mut gates = Vec::new();
        let nested = nest(D::ready(Ok(1)), &mut gates);
        for gate in gates.drain(..).rev() {
            gate.complete(Ok(()));
        }
        assert_eq!(nested.try_take(), Some(Ok(1)));

        let (promise, innermost) = D::new();
        let nested = nest(innermost, &mut gates);
        drop(nested);
        assert!(promise.is_cancelled());
        assert!(gates.iter().all(Promise::is_cancelled));
    });
}

/// The loop is a callback that returns the rest of the loop.
#[test]
fn a_loop_of_500_000_callbacks_uses_constant_stack() {
    fn count_down(n: u32) -> D<u32> {
        let step = D::ready(Ok(n));
        step.and_then(|n| if n == 0 { D::ready(Ok(0)) } else { count_down(n - 1) })
    }
    on_a_small_stack(|| {
        // Inside a callback, because only there callbacks are deferred until it returns.
        let ended = Rc::new(Cell::new(false));
        let end = Rc::clone(&ended);
        D::ready(Ok(())).done(move |_| {
            count_down(LINKS).done(move |result| end.set(result == Ok(0)));
        });
        assert!(ended.get());
    });
}

#[test]
fn a_chain_in_a_thread_local_is_cancelled_when_its_thread_ends() {
    thread_local!(static KEPT: RefCell<Option<D<u32>>> = const { RefCell::new(None) });
    let (tell, told) = std::sync::mpsc::channel();
    on_a_small_stack(move || {
        let (promise, first) = D::new();
        let promise = Rc::new(promise);
        let own = Rc::clone(&promise);
        promise.on_cancel(move || {
            tell.send(own.is_cancelled()).expect("the test waits");
        });
        KEPT.set(Some(long_chain(first)));
        // The hook itself breaks the cycle of promise and hook, when it is called.
        drop(promise);
    });
    assert_eq!(told.recv(), Ok(true));
}

#[test]
fn an_error_that_nobody_took_is_reported_once() {
    collect_reports();
    let (promise, deferred) = D::<i32>::new();
    let end = deferred.map(|n| n + 1).map(|n| n * 2);
    promise.complete(Err("bad".to_owned()));
    assert!(reported().is_empty(), "it could still be taken");
    drop(end);
    assert_eq!(reported(), ["\"bad\""]);

    let (promise, deferred) = D::<i32>::new();
    deferred.detach();
    promise.complete(Err("worse".to_owned()));
    assert_eq!(reported(), ["\"worse\""]);
}

#[test]
fn only_errors_that_nobody_took_are_reported() {
    collect_reports();
    let (promise, deferred) = D::<i32>::new();
    deferred.detach();
    drop(promise);

    let (promise, deferred) = D::<i32>::new();
    drop(deferred);
    promise.complete(Err("after the cancellation".to_owned()));

    let taken = D::<i32>::ready(Err("taken".to_owned()));
    assert!(taken.try_take().is_some());
    drop(taken);
    D::<i32>::ready(Err("handled".to_owned())).done(drop);
    assert!(reported().is_empty());
}

#[test]
fn the_two_sides_print_their_state_and_not_the_result() {
    struct Opaque;
    let (promise, deferred) = Deferred::<Opaque, String>::new();
    assert_eq!(format!("{deferred:?}"), "Deferred { is_pending: true }");
    promise.complete(Ok(Opaque));
    assert_eq!(format!("{promise:?}"), "Promise { is_pending: false, is_cancelled: false }");
}

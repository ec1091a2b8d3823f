//! The fake clock, and the current clock of a thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use procession_core::{Clock, FakeClock, Timer};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<(&'static str, Duration)>>>);

impl Log {
    /// Schedules a call that logs its name and the time that it sees.
    fn schedule(&self, clock: &FakeClock, delay: Duration, name: &'static str) -> Timer {
        let (log, seen) = (self.clone(), clock.clone());
        let call = move || log.0.borrow_mut().push((name, seen.elapsed()));
        clock.schedule(delay, Box::new(call))
    }

    fn take(&self) -> Vec<(&'static str, Duration)> {
        self.0.take()
    }
}

#[test]
fn calls_come_in_order_of_time_and_ties_in_order_of_creation() {
    let (clock, log) = (FakeClock::new(), Log::default());
    let _timers = [
        log.schedule(&clock, 2 * SECOND, "c"),
        log.schedule(&clock, SECOND, "a"),
        log.schedule(&clock, SECOND, "b"),
        log.schedule(&clock, 4 * SECOND, "later"),
    ];
    clock.advance(3 * SECOND);
    assert_eq!(log.take(), [("a", SECOND), ("b", SECOND), ("c", 2 * SECOND)]);
    assert_eq!((clock.elapsed(), clock.scheduled()), (3 * SECOND, 1));
}

#[test]
fn a_dropped_timer_is_not_called_even_if_another_call_drops_it() {
    let (clock, log) = (FakeClock::new(), Log::default());
    drop(log.schedule(&clock, SECOND, "dropped before"));
    let victim = Rc::new(Cell::new(None));
    let own = Rc::clone(&victim);
    let _killer = clock.schedule(SECOND, Box::new(move || drop(own.take())));
    victim.set(Some(log.schedule(&clock, SECOND, "dropped by the one before it")));
    clock.advance(SECOND);
    assert!(log.take().is_empty());
}

#[test]
fn dropping_the_timer_after_its_call_cancels_nothing_else() {
    let (clock, log) = (FakeClock::new(), Log::default());
    let done = log.schedule(&clock, SECOND, "done");
    let _next = log.schedule(&clock, 2 * SECOND, "next");
    clock.advance(SECOND);
    drop(done);
    clock.advance(SECOND);
    assert_eq!(log.take(), [("done", SECOND), ("next", 2 * SECOND)]);
}

#[test]
fn a_call_that_is_scheduled_within_the_span_is_made_in_it() {
    let (clock, log) = (FakeClock::new(), Log::default());
    let kept = Rc::new(RefCell::new(Vec::new()));
    let (inner_clock, inner_log, keep) = (clock.clone(), log.clone(), Rc::clone(&kept));
    let _outer = clock.schedule(
        SECOND,
        Box::new(move || {
            let timer = inner_log.schedule(&inner_clock, SECOND, "inner");
            keep.borrow_mut().push(timer);
        }),
    );
    clock.advance(2 * SECOND);
    assert_eq!(log.take(), [("inner", 2 * SECOND)]);
}

#[test]
fn a_delay_of_zero_waits_for_the_next_advance() {
    let (clock, log) = (FakeClock::new(), Log::default());
    let _timer = log.schedule(&clock, Duration::ZERO, "now");
    assert!(log.take().is_empty());
    clock.advance(Duration::ZERO);
    assert_eq!(log.take(), [("now", Duration::ZERO)]);
}

#[test]
fn time_never_goes_back_when_a_call_advances_it() {
    let clock = FakeClock::new();
    let inner = clock.clone();
    let _timer = clock.schedule(SECOND, Box::new(move || inner.advance(10 * SECOND)));
    clock.advance(2 * SECOND);
    assert_eq!(clock.elapsed(), 11 * SECOND);
    clock.advance(Duration::MAX);
    assert_eq!(clock.elapsed(), Duration::MAX);
}

#[test]
fn a_timer_that_outlives_its_clock_is_harmless() {
    let clock = FakeClock::new();
    let timer = clock.schedule(SECOND, Box::new(|| ()));
    drop(clock);
    drop(timer);
}

#[test]
fn setting_the_clock_of_a_thread_returns_the_one_before() {
    assert!(<dyn Clock>::current().is_none());
    let clock = FakeClock::new();
    assert!(<dyn Clock>::set_current(Some(Rc::new(clock.clone()))).is_none());
    clock.advance(SECOND);
    assert_eq!(<dyn Clock>::current().unwrap().elapsed(), SECOND);
    let before = <dyn Clock>::set_current(None).unwrap();
    assert_eq!(before.elapsed(), SECOND);
    assert!(<dyn Clock>::current().is_none());
}

//! Tests of timers, one call at a time.

use super::*;

fn call() -> Box<dyn FnOnce()> {
    Box::new(|| {})
}

#[test]
fn a_call_created_during_the_step_waits_for_the_next() {
    let mut timers = Timers::default();
    let now = Duration::from_secs(1);
    let _first = timers.add(now, call());
    let limit = timers.limit();
    let _second = timers.add(now, call());
    assert!(timers.pop_due(now, limit, || true).is_some());
    assert!(timers.pop_due(now, limit, || true).is_none());
    assert_eq!(timers.len(), 1);
}

#[test]
fn a_cancelled_call_leaves_nothing_behind() {
    let mut timers = Timers::default();
    let ids: Vec<_> = (0..5000).map(|_| timers.add(Duration::MAX, call())).collect();
    for id in &ids {
        assert!(timers.cancel(*id).is_ok_and(|call| call.is_some()));
        assert!(timers.queue.is_tidy(timers.len()));
    }
    assert_eq!((timers.len(), timers.first()), (0, None));
    assert_eq!(timers.check(ids[0]), Err(TimerError::AlreadyCancelled));
    ids.into_iter().for_each(|id| timers.slab.release(id));
    assert_eq!(timers.slab.slots(), 0);
}

#[test]
fn a_changed_call_is_due_once_and_at_its_new_time() {
    let mut timers = Timers::default();
    let second = Duration::from_secs;
    let early = timers.add(second(1), call());
    let late = timers.add(second(9), call());
    assert_eq!(timers.reset(early, second(5)), Ok(()));
    assert_eq!(timers.delay(late, second(1)), Ok(()));
    assert_eq!(timers.reset(late, second(3)), Ok(()));
    assert_eq!((timers.len(), timers.first()), (2, Some(second(3))));
    let limit = timers.limit();
    assert!(timers.pop_due(second(4), limit, || true).is_some());
    assert_eq!(timers.check(late), Err(TimerError::AlreadyCalled));
    assert!(timers.pop_due(second(4), limit, || true).is_none());
    assert!(timers.pop_due(second(20), limit, || true).is_some());
    assert_eq!(timers.check(early), Err(TimerError::AlreadyCalled));
    assert!(timers.pop_due(second(20), limit, || true).is_none());
    assert_eq!(timers.len(), 0);
}

#[test]
fn a_slot_is_reused_only_when_no_reference_is_left() {
    let mut timers = Timers::default();
    let first = timers.add(Duration::ZERO, call());
    timers.slab.retain(first);
    assert!(timers.pop_due(Duration::ZERO, timers.limit(), || true).is_some());
    timers.slab.release(first);
    assert_ne!(timers.add(Duration::ZERO, call()), first);
    assert_eq!(timers.cancel(first).err(), Some(TimerError::AlreadyCalled));
    timers.slab.release(first);
    assert_eq!(timers.add(Duration::ZERO, call()), first);
    assert_eq!(timers.check(first), Ok(()));
}

#[test]
fn the_patience_of_a_call_is_short_where_turns_are_long() {
    let millis = Duration::from_millis;
    for (turn, turns) in [(millis(1), 32), (millis(5), 17), (millis(200), 2)] {
        let mut timers = Timers::default();
        let _patient = timers.add_patient(Duration::ZERO, call(), Patience::OF_A_LIMIT);
        // However late the first turn is, it is one turn.
        let mut now = Duration::from_secs(9);
        let mut passed = 0;
        while timers.pop_due(now, timers.limit(), || false).is_none() {
            passed += 1;
            now += turn;
        }
        assert_eq!(passed, turns, "turns of {turn:?}");
    }
}

#[test]
fn a_patient_call_is_put_off_while_turns_are_busy_and_hides_no_other() {
    let mut timers = Timers::default();
    let second = Duration::from_secs;
    let _patient = timers.add_patient(second(1), call(), Patience::OF_A_LIMIT);
    let other = timers.add(second(2), call());
    for turn in 3..5 {
        let limit = timers.limit();
        let popped = timers.pop_due(second(turn), limit, || false);
        assert_eq!(popped.is_some(), turn == 3, "the other one");
        assert_eq!(timers.check(other), Err(TimerError::AlreadyCalled));
        assert!(timers.pop_due(second(turn), limit, || false).is_none());
        assert_eq!(timers.first(), Some(second(turn)));
    }
    let limit = timers.limit();
    assert!(timers.pop_due(second(5), limit, || false).is_some(), "its patience is over");
    let _patient = timers.add_patient(second(5), call(), Patience::OF_A_LIMIT);
    let limit = timers.limit();
    assert!(timers.pop_due(second(5), limit, || true).is_none(), "the turn may have looked before");
    let limit = timers.limit();
    assert!(timers.pop_due(second(5), limit, || true).is_some(), "nothing else is to be done");
}

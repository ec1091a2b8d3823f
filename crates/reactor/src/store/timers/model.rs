//! Compares timers with a search tree, by random operations.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;

type Call = Box<dyn FnOnce()>;

/// How the deadlines of several new timers follow each other.
#[derive(Debug, Clone, Copy)]
enum DeadlineOrder {
    Same,
    Up,
    Down,
    Mixed,
    Never,
}

#[derive(Debug, Clone)]
enum TimerStep {
    Add {
        count: u32,
        after: u64,
        order: DeadlineOrder,
    },
    /// Cancels every `each`th timer, from `from` on.
    Cancel {
        from: usize,
        each: usize,
    },
    Reset {
        which: usize,
        after: u64,
    },
    ResetMany {
        each: usize,
        after: u64,
    },
    Delay {
        which: usize,
        by: u64,
    },
    /// Releases the references to some timers.
    Forget {
        from: usize,
        each: usize,
    },
    /// Time passes. Due calls are made, and one of them cancels another.
    Turn {
        passes: u64,
        cancels: usize,
    },
}

fn step() -> impl Strategy<Value = TimerStep> {
    use DeadlineOrder::{Down, Mixed, Never, Same, Up};
    let order = prop_oneof![Just(Same), Just(Up), Just(Down), Just(Mixed), Just(Never)];
    let count = prop_oneof![4 => 1..20_u32, 1 => 500..3000_u32];
    let time = 0..5000_u64;
    let any = any::<usize>();
    prop_oneof![
        4 => (count, time.clone(), order).prop_map(|(count, after, order)| TimerStep::Add {
            count,
            after,
            order
        }),
        2 => (any, 1..50_usize).prop_map(|(from, each)| TimerStep::Cancel { from, each }),
        2 => (any, time.clone()).prop_map(|(which, after)| TimerStep::Reset { which, after }),
        1 => (1..9_usize, time.clone()).prop_map(|(each, after)| TimerStep::ResetMany { each, after }),
        2 => (any, time.clone()).prop_map(|(which, by)| TimerStep::Delay { which, by }),
        1 => (any, 1..9_usize).prop_map(|(from, each)| TimerStep::Forget { from, each }),
        4 => (time, any).prop_map(|(passes, cancels)| TimerStep::Turn { passes, cancels }),
    ]
}

/// Records its index when dropped.
struct OnDrop(usize, Rc<RefCell<Vec<usize>>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

#[derive(Default)]
struct TimersAndModel {
    now: u64,
    timers: Timers<Call>,
    dropped: Rc<RefCell<Vec<usize>>>,
    /// The index of each waiting timer, by deadline and number.
    waiting: BTreeMap<(u64, u64), usize>,
    number: u64,
    /// All timers that were ever added: the id while it is referenced, the status and the key.
    all: Vec<(Option<TimerId>, TimerStatus, (u64, u64))>,
}

impl TimersAndModel {
    fn next_key(&mut self, at: u64) -> (u64, u64) {
        self.number += 1;
        (at, self.number - 1)
    }

    fn add(&mut self, at: u64) {
        let key = self.next_key(at);
        let on_drop = OnDrop(self.all.len(), Rc::clone(&self.dropped));
        let id = self.timers.add(Duration::from_nanos(at), Box::new(move || drop(on_drop)));
        self.waiting.insert(key, self.all.len());
        self.all.push((Some(id), TimerStatus::Waiting, key));
    }

    /// Returns a timer that is still referenced, at or after `which`.
    fn pick(&self, which: usize) -> Option<(usize, TimerId)> {
        let len = self.all.len();
        let around = (0..len.min(50)).map(|next| (which % len + next) % len);
        around.into_iter().find_map(|index| Some((index, self.all[index].0?)))
    }

    fn cancel(&mut self, index: usize) {
        let (Some(id), status, key) = self.all[index] else { return };
        let before = self.dropped.take();
        let cancelled = self.timers.cancel(id).map(drop);
        assert_eq!(cancelled, outcome(status));
        let now_dropped = self.dropped.replace(before);
        if status == TimerStatus::Waiting {
            assert_eq!(now_dropped, [index]);
            self.waiting.remove(&key);
            self.all[index].1 = TimerStatus::Cancelled;
        }
    }

    fn reset(&mut self, index: usize, after: u64) {
        let (Some(id), status, key) = self.all[index] else { return };
        let at = self.now + after;
        assert_eq!(self.timers.reset(id, Duration::from_nanos(at)), outcome(status));
        if status == TimerStatus::Waiting {
            let later = self.next_key(at);
            self.moved(index, key, later);
        }
    }

    fn moved(&mut self, index: usize, from: (u64, u64), to: (u64, u64)) {
        self.waiting.remove(&from);
        self.waiting.insert(to, index);
        self.all[index].2 = to;
    }

    fn turn(&mut self, cancels: usize) {
        let now = Duration::from_nanos(self.now);
        let limit = self.timers.limit();
        let mut calls = 0_usize;
        let due = |both: &Self| {
            let first = both.waiting.first_key_value();
            first.filter(|(key, _)| key.0 <= both.now && key.1 < limit).map(|(_, index)| *index)
        };
        while let Some(index) = due(self) {
            let call = self.timers.pop_due(now, limit, || true);
            assert!(call.is_some());
            drop(call);
            assert_eq!(self.dropped.take(), [index]);
            self.waiting.pop_first();
            self.all[index].1 = TimerStatus::Called;
            calls += 1;
            if calls.is_multiple_of(7) {
                self.add(self.now);
                self.cancel(cancels.wrapping_mul(calls) % self.all.len());
            }
        }
        assert!(self.timers.pop_due(now, limit, || true).is_none());
    }

    fn step(&mut self, step: &TimerStep) {
        match *step {
            TimerStep::Add { count, after, order } => {
                for nth in (0..u64::from(count)).rev() {
                    let at = self.now + after;
                    self.add(match order {
                        DeadlineOrder::Same => at,
                        DeadlineOrder::Up => at + 3000 - nth,
                        DeadlineOrder::Down => at + nth,
                        DeadlineOrder::Mixed => at + nth * 7919 % 5003,
                        DeadlineOrder::Never => u64::MAX,
                    });
                }
            }
            TimerStep::Cancel { from, each } => {
                for index in (0..self.all.len()).skip(from % 9).step_by(each) {
                    self.cancel(index);
                }
            }
            TimerStep::Reset { which, after } => {
                if let Some((index, _)) = self.pick(which) {
                    self.reset(index, after);
                }
            }
            TimerStep::ResetMany { each, after } => {
                for index in (0..self.all.len()).step_by(each) {
                    self.reset(index, after);
                }
            }
            TimerStep::Delay { which, by } => {
                let Some((index, id)) = self.pick(which) else { return };
                let (_, status, key) = self.all[index];
                assert_eq!(self.timers.delay(id, Duration::from_nanos(by)), outcome(status));
                if status == TimerStatus::Waiting {
                    self.moved(index, key, (key.0.saturating_add(by), key.1));
                }
            }
            TimerStep::Forget { from, each } => {
                for index in (0..self.all.len()).skip(from % 9).step_by(each) {
                    if let Some(id) = self.all[index].0.take() {
                        self.timers.slab.release(id);
                    }
                }
            }
            TimerStep::Turn { passes, cancels } => {
                self.now += passes;
                self.turn(cancels);
            }
        }
    }

    fn check(&mut self) {
        let first = self.waiting.first_key_value().map(|(key, _)| Duration::from_nanos(key.0));
        assert_eq!(self.timers.first(), first);
        assert_eq!(self.timers.len(), self.waiting.len());
        assert!(self.timers.queue.is_tidy(self.waiting.len()));
        for (id, status, _) in &self.all {
            assert!(id.is_none_or(|id| self.timers.check(id) == outcome(*status)));
        }
    }
}

fn outcome(status: TimerStatus) -> Result<(), TimerError> {
    match status {
        TimerStatus::Waiting => Ok(()),
        TimerStatus::Called => Err(TimerError::AlreadyCalled),
        TimerStatus::Cancelled => Err(TimerError::AlreadyCancelled),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn timers_do_what_a_search_tree_does(steps in prop::collection::vec(step(), 1..40)) {
        let mut both = TimersAndModel::default();
        for step in &steps {
            both.step(step);
            both.check();
        }
        // In the end, cancel the remaining timers one by one, in order. No slot must stay in use.
        both.dropped.take();
        let rest: Vec<_> = both.waiting.values().copied().collect();
        while let Some(call) = both.timers.cancel_one() {
            drop(call);
        }
        prop_assert_eq!(both.dropped.take(), rest);
        for (id, ..) in &mut both.all {
            id.take().into_iter().for_each(|id| both.timers.slab.release(id));
        }
        prop_assert_eq!(both.timers.slab.in_use(), 0);
    }
}

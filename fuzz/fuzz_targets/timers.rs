//! All operations on timers, in any order, compared with a search tree.
//!
//! The module is compiled into this target, with as much of a reactor as it needs. The target moves
//! the time.
#![no_main]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

use crate::handle::Handle;
use crate::handle::timers::DelayedCall;
use crate::store::timers::TimerError;

/// The guard of a call, and what it finds around it.
#[path = "../../crates/reactor/src/handle"]
mod handle {
    //! A reactor that has only timers and a time.

    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use procession_core::driver::WithCell;

    use crate::store::timers::Timers;

    #[expect(dead_code, reason = "it is written for its crate")]
    pub(crate) mod timers;

    pub(crate) type Call = Box<dyn FnOnce(&Handle)>;

    #[derive(Default)]
    pub(crate) struct Calls {
        pub(crate) timers: WithCell<Timers<Call>>,
    }

    #[derive(Default)]
    pub(crate) struct Core {
        pub(crate) calls: Calls,
        pub(crate) now: Cell<u64>,
    }

    #[derive(Clone, Default)]
    pub(crate) struct Handle {
        pub(crate) core: Rc<Core>,
    }

    impl Handle {
        pub(crate) fn now(&self) -> Duration {
            Duration::from_nanos(self.core.now.get())
        }

        pub(crate) fn touch(&self) {}
    }
}

/// The module finds its own files in this folder.
#[path = "../../crates/reactor/src/store"]
mod store {
    pub(crate) mod timers;
}

#[derive(Debug, Arbitrary)]
enum TimerAct {
    Add { after: u8, patience: u8 },
    AddMany { count: u8, after: u16, spread: u16 },
    AddNever,
    Cancel(u16),
    CancelEach(u8),
    Reset { which: u16, after: u8 },
    Delay { which: u16, by: Option<u32> },
    Forget(u16),
    Share(u16),
    Turn { passes: u8, is_quiet: bool },
    LongTurn(u16),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Status {
    Waiting,
    Called,
    Cancelled,
}

impl Status {
    fn outcome(self) -> Result<(), TimerError> {
        match self {
            Self::Waiting => Ok(()),
            Self::Called => Err(TimerError::AlreadyCalled),
            Self::Cancelled => Err(TimerError::AlreadyCancelled),
        }
    }
}

/// A timer that was added, and the handles to it.
struct KnownTimer {
    calls: Vec<DelayedCall>,
    status: Status,
    key: (u64, u64),
    patience: u8,
}

/// Records its index when it is dropped.
struct DropRecorder(usize, Rc<RefCell<Vec<usize>>>);

impl Drop for DropRecorder {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

#[derive(Default)]
struct TimersAndModel {
    handle: Handle,
    dropped: Rc<RefCell<Vec<usize>>>,
    /// Maps deadline and number to an index.
    waiting: BTreeMap<(u64, u64), usize>,
    number: u64,
    all: Vec<KnownTimer>,
}

impl TimersAndModel {
    fn now(&self) -> u64 {
        self.handle.core.now.get()
    }

    fn next_key(&mut self, at: u64) -> (u64, u64) {
        self.number += 1;
        (at, self.number - 1)
    }

    fn add(&mut self, at: u64, patience: u8) {
        let key = self.next_key(at);
        let recorder = DropRecorder(self.all.len(), self.dropped.clone());
        let call = Box::new(move |_: &Handle| drop(recorder));
        let at = Duration::from_nanos(at);
        let call = DelayedCall::new(self.handle.clone(), at, call, patience);
        self.waiting.insert(key, self.all.len());
        self.all.push(KnownTimer { calls: vec![call], status: Status::Waiting, key, patience });
    }

    /// Returns the index of a timer near `which` that still has a handle.
    fn pick(&self, which: u16) -> Option<usize> {
        let len = self.all.len();
        let around = (0..len.min(50)).map(|next| (usize::from(which) + next) % len);
        around.into_iter().find(|index| !self.all[*index].calls.is_empty())
    }

    fn cancel(&mut self, index: usize) {
        let known = &mut self.all[index];
        let Some(call) = known.calls.first() else { return };
        assert_eq!(call.is_active(), known.status == Status::Waiting);
        assert_eq!(call.try_cancel(), known.status.outcome());
        if known.status == Status::Waiting {
            known.status = Status::Cancelled;
            self.waiting.remove(&known.key);
            assert_eq!(self.dropped.take(), [index], "what it would do is dropped at once");
        }
    }

    fn moved(&mut self, index: usize, to: (u64, u64)) {
        self.waiting.remove(&self.all[index].key);
        self.waiting.insert(to, index);
        self.all[index].key = to;
    }

    fn turn(&mut self, is_quiet: bool) {
        let now = self.handle.now();
        let core = Rc::clone(&self.handle.core);
        let limit = core.calls.timers.with(|timers| timers.limit());
        loop {
            let due = self.due(limit, is_quiet);
            let call = core.calls.timers.with(|timers| timers.pop_due(now, limit, || is_quiet));
            assert_eq!(call.is_some(), due.is_some());
            let (Some(call), Some(index)) = (call, due) else { return };
            self.waiting.remove(&self.all[index].key);
            self.all[index].status = Status::Called;
            call(&self.handle.clone());
            assert_eq!(self.dropped.take(), [index], "the one that is due, and no other");
        }
    }

    /// Returns the timer to call next. In a turn with other work, timers with patience are
    /// postponed first.
    fn due(&mut self, limit: u64, is_quiet: bool) -> Option<usize> {
        loop {
            let (key, index) = self.waiting.first_key_value()?;
            let (key, index) = (*key, *index);
            if key.0 > self.now() || key.1 >= limit {
                return None;
            }
            if is_quiet || self.all[index].patience == 0 {
                return Some(index);
            }
            self.all[index].patience -= 1;
            let later = self.next_key(self.now());
            self.moved(index, later);
        }
    }

    fn step(&mut self, step: &TimerAct) {
        match *step {
            TimerAct::Add { after, patience } => {
                self.add(self.now() + u64::from(after % 16), patience % 4)
            }
            TimerAct::AddMany { count, after, spread } => {
                // Few timers, or so many that they are kept in parts.
                let count = if count > 250 { 1500 } else { u64::from(count) / 4 };
                for nth in 0..count {
                    let at = u64::from(after) + nth * 7919 % (u64::from(spread) + 1);
                    self.add(self.now() + at, 0);
                }
            }
            TimerAct::AddNever => self.add(u64::MAX, 0),
            TimerAct::Cancel(which) => {
                if let Some(index) = self.pick(which) {
                    self.cancel(index);
                }
            }
            TimerAct::CancelEach(each) => {
                for index in (0..self.all.len()).step_by(usize::from(each) + 1) {
                    self.cancel(index);
                }
            }
            TimerAct::Reset { which, after } => {
                let Some(index) = self.pick(which) else { return };
                let after = Duration::from_nanos(u64::from(after % 16));
                let status = self.all[index].status;
                assert_eq!(self.all[index].calls[0].try_reset(after), status.outcome());
                if status == Status::Waiting {
                    let key = self.next_key((self.handle.now() + after).as_nanos() as u64);
                    self.moved(index, key);
                }
            }
            TimerAct::Delay { which, by } => {
                let Some(index) = self.pick(which) else { return };
                let by = by.map_or(Duration::MAX, |by| Duration::from_nanos(u64::from(by)));
                let status = self.all[index].status;
                assert_eq!(self.all[index].calls[0].try_delay(by), status.outcome());
                if status == Status::Waiting {
                    let (at, number) = self.all[index].key;
                    let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
                    self.moved(index, (at.saturating_add(by), number));
                }
            }
            TimerAct::Forget(which) => {
                if let Some(index) = self.pick(which) {
                    self.all[index].calls.pop();
                }
            }
            TimerAct::Share(which) => {
                if let Some(index) = self.pick(which) {
                    let again = self.all[index].calls[0].clone();
                    self.all[index].calls.push(again);
                }
            }
            TimerAct::Turn { passes, is_quiet } => {
                self.handle.core.now.set(self.now() + u64::from(passes % 16));
                self.turn(is_quiet);
            }
            TimerAct::LongTurn(passes) => {
                self.handle.core.now.set(self.now() + u64::from(passes));
                self.turn(true);
            }
        }
    }

    fn check(&self) {
        let first = self.waiting.first_key_value().map(|(key, _)| Duration::from_nanos(key.0));
        self.handle.core.calls.timers.with(|timers| {
            assert_eq!(timers.first(), first);
            assert_eq!(timers.len(), self.waiting.len());
        });
        for known in self.all.iter().rev().take(100) {
            let is_active = known.status == Status::Waiting;
            assert!(known.calls.iter().all(|call| call.is_active() == is_active));
        }
        assert!(self.dropped.borrow().is_empty(), "nothing is dropped before its time");
    }
}

fuzz_target!(|steps: Vec<TimerAct>| {
    let mut both = TimersAndModel::default();
    for step in steps.iter().take(30) {
        both.step(step);
        both.check();
    }
    let rest: Vec<usize> = both.waiting.values().copied().collect();
    while let Some(call) = both.handle.core.calls.timers.with(|timers| timers.cancel_one()) {
        drop(call);
    }
    assert_eq!(both.dropped.take(), rest, "what is left goes in order");
});

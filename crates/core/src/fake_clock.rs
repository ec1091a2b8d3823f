//! A clock that a test moves by hand.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::cell::WithCell;
use crate::{Clock, Timer};

/// A clock that stands still until [`advance`](Self::advance) moves it; clones share one time.
///
/// # Examples
///
/// ```
/// use procession::{Clock, FakeClock};
/// use std::{cell::Cell, rc::Rc, time::Duration};
///
/// let clock = FakeClock::new();
/// let rung = Rc::new(Cell::new(false));
/// let ring = Rc::clone(&rung);
/// let _timer = clock.schedule(Duration::from_secs(5), Box::new(move || ring.set(true)));
/// clock.advance(Duration::from_secs(4));
/// assert!(!rung.get());
/// clock.advance(Duration::from_secs(1));
/// assert!(rung.get());
/// ```
#[doc(alias = "Clock")]
#[derive(Clone, Default)]
pub struct FakeClock(Rc<WithCell<FakeTime>>);

type Call = Box<dyn FnOnce()>;

#[derive(Default)]
struct FakeTime {
    now: Duration,
    /// No id is used twice, so calls that are due at the same time keep their order of creation.
    next_id: u64,
    calls: BTreeMap<(Duration, u64), Call>,
}

impl FakeClock {
    /// Creates a clock whose time is zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Advances the time by `by`, and makes the calls that become due.
    ///
    /// It makes them in the order of their times, or of their creation if the times are equal. During
    /// each call the clock shows the time at which the call was due. It also makes calls that a call
    /// schedules within this span. A call may advance the clock itself; time never goes back.
    pub fn advance(&self, by: Duration) {
        let end = self.elapsed().saturating_add(by);
        loop {
            let due = self.0.with(|state| {
                let entry = state.calls.first_entry()?;
                if entry.key().0 > end {
                    return None;
                }
                let ((at, _), call) = entry.remove_entry();
                state.now = state.now.max(at);
                Some(call)
            });
            let Some(call) = due else { break };
            call();
        }
        self.0.with(|state| state.now = state.now.max(end));
    }

    /// Returns the number of scheduled calls.
    pub fn scheduled(&self) -> usize {
        self.0.with(|state| state.calls.len())
    }
}

impl Clock for FakeClock {
    fn elapsed(&self) -> Duration {
        self.0.with(|state| state.now)
    }

    fn schedule(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Timer {
        let key = self.0.with(|state| {
            let key = (state.now.saturating_add(delay), state.next_id);
            state.next_id += 1;
            state.calls.insert(key, call);
            key
        });
        let clock = Rc::downgrade(&self.0);
        Timer::new(move || {
            let Some(clock) = clock.upgrade() else { return };
            let cancelled = clock.with(|state| state.calls.remove(&key));
            drop(cancelled);
        })
    }
}

impl fmt::Debug for FakeClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("FakeClock");
        out.field("elapsed", &self.elapsed()).field("scheduled", &self.scheduled());
        out.finish()
    }
}

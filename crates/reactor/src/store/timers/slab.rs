//! The storage of timers: each one's call and status.
//!
//! A slot belongs to a timer as long as the timer waits or is referenced. Then another timer takes
//! the slot. So an id is valid while its timer waits or is referenced. The number of slots is the
//! largest number ever needed at once, until all timers are gone.

use std::time::Duration;

use procession_core::driver::Patience;

use super::queue::{TimerEntry, TimerId, TimerKey};

/// The status of a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimerStatus {
    Waiting,
    Called,
    Cancelled,
}

pub(super) struct Timer<C> {
    /// The key of the entry that counts, while the status is `Waiting`.
    pub(super) key: TimerKey,
    /// Present while the timer waits.
    pub(super) call: Option<C>,
    pub(super) status: TimerStatus,
    /// The number of references to the timer.
    handles: u32,
    /// How many busy turns a due timer still lets pass.
    patience: Patience,
}

impl<C> Timer<C> {
    /// Makes a timer that waits and has one reference.
    pub(super) fn new(key: TimerKey, call: C, patience: Patience) -> Self {
        Self { key, call: Some(call), status: TimerStatus::Waiting, handles: 1, patience }
    }

    /// Returns whether it lets a busy turn pass.
    pub(super) fn is_patient(&self) -> bool {
        !self.patience.is_over()
    }

    /// Returns whether a turn has passed since it became due.
    pub(super) fn was_put_off(&self) -> bool {
        self.patience.has_begun()
    }

    /// Lets a busy turn pass. The key has the time of the last one that it let pass.
    pub(super) fn lose_patience(&mut self, now: u64) {
        self.patience.on_busy_turn(Duration::from_nanos(now.saturating_sub(self.key.at)));
    }
}

pub(super) struct TimerSlab<C> {
    timers: Vec<Timer<C>>,
    /// Slots that another timer may take.
    free: Vec<TimerId>,
}

/// At most this many slots are kept when the last timer is gone.
const KEPT_SLOTS: usize = 4096;

impl<C> Default for TimerSlab<C> {
    fn default() -> Self {
        Self { timers: Vec::new(), free: Vec::new() }
    }
}

impl<C> TimerSlab<C> {
    #[inline]
    pub(super) fn add(&mut self, timer: Timer<C>) -> TimerId {
        if let Some(id) = self.free.pop() {
            self.timers[id.index()] = timer;
            return id;
        }
        self.add_slot(timer)
    }

    #[inline]
    fn add_slot(&mut self, timer: Timer<C>) -> TimerId {
        let id = TimerId::new(self.timers.len());
        self.timers.push(timer);
        id
    }

    pub(super) fn get(&self, id: TimerId) -> &Timer<C> {
        &self.timers[id.index()]
    }

    pub(super) fn get_mut(&mut self, id: TimerId) -> &mut Timer<C> {
        &mut self.timers[id.index()]
    }

    pub(super) fn counts(&self, entry: &TimerEntry) -> bool {
        // The timer may be gone, and all other timers with it.
        let timer = self.timers.get(entry.timer.index());
        timer.is_some_and(|timer| (timer.key == entry.key) & (timer.status == TimerStatus::Waiting))
    }

    /// Ends a timer. Returns its call.
    #[must_use]
    pub(super) fn end(&mut self, id: TimerId, status: TimerStatus) -> Option<C> {
        let timer = self.get_mut(id);
        timer.status = status;
        let call = timer.call.take();
        if timer.handles == 0 {
            self.remove(id);
        }
        call
    }

    /// Adds a reference.
    pub(super) fn retain(&mut self, id: TimerId) {
        let timer = self.get_mut(id);
        timer.handles = timer.handles.saturating_add(1);
    }

    /// Releases a reference.
    pub(super) fn release(&mut self, id: TimerId) {
        let timer = self.get_mut(id);
        // The count has saturated, so the timer stays forever.
        if timer.handles == u32::MAX {
            return;
        }
        timer.handles -= 1;
        if timer.handles == 0 && timer.status != TimerStatus::Waiting {
            self.remove(id);
        }
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.timers.len()
    }

    #[cfg(test)]
    pub(super) fn in_use(&self) -> usize {
        self.timers.len() - self.free.len()
    }

    /// Frees a slot. When the last of many timers is gone, the memory is freed too, and new timers
    /// again lie in the order of their creation.
    #[inline]
    fn remove(&mut self, id: TimerId) {
        self.free.push(id);
        if self.free.len() == self.timers.len() && self.free.len() > KEPT_SLOTS {
            self.begin_again();
        }
    }

    #[cold]
    fn begin_again(&mut self) {
        *self = Self::default();
    }
}

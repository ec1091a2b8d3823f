//! Where timers are, one beside the other: what each is to do, and what has become of it.
//!
//! A timer stays as long as it waits or somebody can ask for it; then
//! another takes its place. So an id is good for as long as there is one of either. There are as many
//! places as were ever needed at once, until all have gone.

use super::queue::{TimerEntry, TimerId, TimerKey};

/// What has become of a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimerStatus {
    Waiting,
    Called,
    Cancelled,
}

pub(super) struct Timer<C> {
    /// That of the entry that counts, as long as the status is `Waiting`.
    pub(super) key: TimerKey,
    /// There while it waits.
    pub(super) call: Option<C>,
    pub(super) status: TimerStatus,
    /// How many can ask for it.
    handles: u32,
    /// How many turns that had something else to do it lets pass when it is due.
    pub(super) patience: u8,
}

impl<C> Timer<C> {
    /// One that waits, and that one can ask for.
    pub(super) fn new(key: TimerKey, call: C, patience: u8) -> Self {
        Self { key, call: Some(call), status: TimerStatus::Waiting, handles: 1, patience }
    }
}

pub(super) struct TimerSlab<C> {
    timers: Vec<Timer<C>>,
    /// Places that another may take.
    free: Vec<TimerId>,
}

/// Not more places than these are kept when the last timer has gone.
const KEPT: usize = 4096;

impl<C> Default for TimerSlab<C> {
    fn default() -> Self {
        Self { timers: Vec::new(), free: Vec::new() }
    }
}

impl<C> TimerSlab<C> {
    pub(super) fn add(&mut self, timer: Timer<C>) -> TimerId {
        if let Some(id) = self.free.pop() {
            self.timers[id.index()] = timer;
            return id;
        }
        self.add_place(timer)
    }

    fn add_place(&mut self, timer: Timer<C>) -> TimerId {
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
        // It may have gone, and all others with it.
        let timer = self.timers.get(entry.timer.index());
        timer.is_some_and(|timer| (timer.key == entry.key) & (timer.status == TimerStatus::Waiting))
    }

    /// It is over. Returns what it would have done.
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

    /// One more can ask for it.
    pub(super) fn retain(&mut self, id: TimerId) {
        let timer = self.get_mut(id);
        timer.handles = timer.handles.saturating_add(1);
    }

    /// One less can.
    pub(super) fn release(&mut self, id: TimerId) {
        let timer = self.get_mut(id);
        // So many that they are not counted any more: it stays.
        if timer.handles == u32::MAX {
            return;
        }
        timer.handles -= 1;
        if timer.handles == 0 && timer.status != TimerStatus::Waiting {
            self.remove(id);
        }
    }

    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.timers.len()
    }

    #[cfg(test)]
    pub(super) fn in_use(&self) -> usize {
        self.timers.len() - self.free.len()
    }

    /// When all of many have gone the memory goes, too, and the next ones lie in the order of their
    /// creation again.
    fn remove(&mut self, id: TimerId) {
        self.free.push(id);
        if self.free.len() == self.timers.len() && self.free.len() > KEPT {
            *self = Self::default();
        }
    }
}

//! The driver of a fake child: it decides while its state is borrowed, and acts when it is not.
//!
//! A round flushes every queue, reads every pipe, drains the pipes that are due, then delivers one event.
//! Rounds repeat until nothing is due. A request for rounds inside a callback does nothing, because the
//! rounds under way go on; so no method of the handle calls the protocol.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::resume_unwind;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use procession_core::driver::{Spent, WithCell};
use procession_core::{Clock, FakeClock, Timer};

use super::pipe::FakePipe;
use super::termination::{FakeTermination, SentSignals};
use crate::lifecycle::Lifecycle;
use crate::slot::ProtocolSlot;
use crate::{ChildFd, Event, ExitReason, Process, ProcessProtocol};

/// The pid of the next fake. It is above the largest pid of Linux, so a stray `kill` reaches no process.
static NEXT_PID: AtomicU32 = AtomicU32::new(4_194_305);

/// What plays the part of a fake child in the place of a test.
pub struct FakeDriver {
    /// Its time.
    pub clock: Rc<dyn Clock>,
    /// Called when something has changed for the child, or may be due for its protocol, outside of the
    /// callbacks. It must not act on the child at once.
    pub on_changed: Box<dyn Fn()>,
}

impl fmt::Debug for FakeDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeDriver").finish_non_exhaustive()
    }
}

pub(super) struct Engine {
    me: Weak<Self>,
    /// Also the number of the group that it leads.
    pub(super) pid: u32,
    pub(super) slot: ProtocolSlot,
    pub(super) state: WithCell<FakeState>,
    pub(super) clock: FakeClock,
    /// What plays the child's part, if no test does.
    driver: Option<FakeDriver>,
    /// Rounds are under way.
    running: Cell<bool>,
}

pub(super) struct FakeState {
    pub(super) lifecycle: Lifecycle,
    pub(super) pipes: BTreeMap<ChildFd, FakePipe>,
    pub(super) sent: SentSignals,
    pub(super) termination: FakeTermination,
    /// The deadline of the termination.
    termination_timer: Option<Timer>,
    /// The end of `drain_after_exit`.
    drain_timer: Option<Timer>,
}

impl Engine {
    pub(super) fn new(
        protocol: Box<dyn ProcessProtocol>,
        pipes: BTreeMap<ChildFd, FakePipe>,
        driver: Option<FakeDriver>,
    ) -> Rc<Self> {
        let lifecycle = Lifecycle::new(pipes.keys().copied(), None);
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            pid: NEXT_PID.fetch_add(1, Ordering::Relaxed),
            slot: ProtocolSlot::new(protocol),
            state: WithCell::new(FakeState {
                lifecycle,
                pipes,
                sent: SentSignals::default(),
                termination: FakeTermination::new(),
                termination_timer: None,
                drain_timer: None,
            }),
            clock: FakeClock::new(),
            driver,
            running: Cell::new(false),
        })
    }

    /// Runs rounds until nothing is due.
    ///
    /// # Panics
    ///
    /// Resumes a panic of the protocol, once the state is in order.
    pub(super) fn run(&self) {
        let Some(me) = self.me.upgrade() else { return };
        if self.running.replace(true) {
            return;
        }
        let _running = RoundsGuard(&self.running);
        let process = Process::from_control(me);
        while let Some(event) = self.round() {
            if let Err(panic) = self.slot.try_deliver(&process, event) {
                self.on_panicked();
                resume_unwind(panic);
            }
        }
    }

    /// Returns the clock that counts.
    fn clock(&self) -> &dyn Clock {
        self.driver.as_ref().map_or(&self.clock, |driver| &*driver.clock)
    }

    /// Returns whether no test plays the child.
    pub(super) fn is_driven(&self) -> bool {
        self.driver.is_some()
    }

    pub(super) fn now(&self) -> Duration {
        self.clock().elapsed()
    }

    /// Tells the driver that something is due. Rounds that are under way do it.
    pub(super) fn on_changed(&self) {
        if let Some(driver) = self.driver.as_ref().filter(|_| !self.running.get()) {
            (driver.on_changed)();
        }
    }

    /// Notes that the child has ended, and reaps it unless its termination keeps it.
    pub(super) fn end(&self, reason: ExitReason) {
        let now = self.now();
        let deadline = self.state.with(|state| {
            let reason = state.termination.on_ended(reason)?;
            state.lifecycle.on_reaped(reason, now);
            state.termination.on_reaped(now);
            state.lifecycle.poll_deadline()
        });
        if let Some(deadline) = deadline {
            self.schedule_drain(deadline.saturating_sub(now));
        }
        self.advance_termination();
    }

    /// Does the steps of the termination, sets its timer, and completes the settled calls.
    pub(super) fn advance_termination(&self) {
        let now = self.now();
        let (settled, deadline, old) = self.state.with(|state| {
            let FakeState { termination, sent, lifecycle, termination_timer, .. } = state;
            let settled = termination.act(sent, lifecycle, now);
            (settled, termination.deadline(), termination_timer.take())
        });
        drop(old);
        if let Some(deadline) = deadline {
            self.schedule_termination(deadline.saturating_sub(now));
        }
        if let Some(settled) = settled {
            settled.complete();
        }
    }

    /// Drops the protocol, which breaks a reference cycle that it may be part of.
    pub(super) fn retire(&self) {
        drop(self.slot.retire());
        self.on_panicked();
        let timer = self.state.with(|state| {
            state.termination.on_gone();
            state.drain_timer.take()
        });
        drop(timer);
        self.advance_termination();
    }

    /// Does everything that needs no protocol, and takes the next event that is due.
    fn round(&self) -> Option<Event> {
        self.change(FakeState::round)
    }

    /// Changes the state, and drops the data that are left over after the borrow.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut FakeState, &mut Spent) -> R) -> R {
        let mut spent = Spent::new();
        let result = self.state.with(|state| change(state, &mut spent));
        drop(spent);
        result
    }

    /// Ends all events: drops the queues, closes the writers, drains the readers.
    fn on_panicked(&self) {
        self.change(|state, spent| {
            spent.extend(state.lifecycle.on_panicked());
            for pipe in state.pipes.values_mut() {
                pipe.abandon(spent);
            }
        });
        while self.round().is_some() {}
    }

    /// Calls `due` after this time, unless the child or the timer is dropped.
    fn schedule(&self, after: Duration, due: impl FnOnce(&Self) + 'static) -> Timer {
        let me = self.me.clone();
        let due = move || {
            if let Some(me) = me.upgrade() {
                due(&me);
            }
        };
        self.clock().schedule(after, Box::new(due))
    }

    fn schedule_drain(&self, after: Duration) {
        let timer = self.schedule(after, |me| {
            let now = me.now();
            me.state.with(|state| state.lifecycle.on_time(now));
            me.run();
        });
        let old = self.state.with(|state| state.drain_timer.replace(timer));
        drop(old);
    }

    fn schedule_termination(&self, after: Duration) {
        let timer = self.schedule(after, |me| {
            let now = me.now();
            me.state.with(|state| state.termination.on_time(now));
            me.advance_termination();
            me.run();
            // A signal may have been sent.
            me.on_changed();
        });
        let old = self.state.with(|state| state.termination_timer.replace(timer));
        drop(old);
    }
}

impl FakeState {
    fn round(&mut self, spent: &mut Spent) -> Option<Event> {
        for (fd, pipe) in &mut self.pipes {
            if self.lifecycle.is_open(*fd) {
                pipe.flush(*fd, &mut self.lifecycle, spent);
                pipe.read(*fd, &mut self.lifecycle, spent);
            }
        }
        while let Some(fd) = self.lifecycle.poll_drain() {
            if let Some(pipe) = self.pipes.get_mut(&fd) {
                pipe.drain(fd, &mut self.lifecycle, spent);
            }
        }
        self.lifecycle.poll_event()
    }
}

/// Ends the rounds when it is dropped, even if a callback panicked.
struct RoundsGuard<'a>(&'a Cell<bool>);

impl Drop for RoundsGuard<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

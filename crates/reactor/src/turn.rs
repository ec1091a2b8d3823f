//! One turn of the loop.
//!
//! A turn has these steps: wait; dispatch ready descriptors, the late ones last; run the timers
//! that are due; run the calls that were queued when this step began; run the calls from other
//! threads; run the woken tasks. Work that these steps add runs in the next turn. The loop flushes
//! once after each callback. It flushes writes from outside a turn before it waits.
//!
//! A panic in any of them keeps the remaining work. Level-triggered descriptors are reported again,
//! and the queues keep their contents.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{io, thread};

use polling::Poller;
use procession_core::driver::WithCell;

use crate::ending;
use crate::handle::{Core, Handle, Job, Running, TriggerCall, signals};
use crate::readiness::Readiness;
use crate::store::anticipation::POLL_TIME;
use crate::store::shared::{Shared, WakerFlag};
use crate::store::sources::Key;
use crate::store::triggers::{Phase, SystemEvent};
use crate::sys::polled::Polled;
use crate::wait::Wait;
use crate::wake::WakeSource;

/// The parts of the reactor that only the loop uses.
#[derive(Debug)]
pub(crate) struct Loop {
    wait: Wait,
    /// Events of late sources, which are dispatched after the rest of their batch.
    late: Vec<(Key, Readiness)>,
    /// The calls of other threads that are being run. Keeps its memory for the next ones.
    jobs: WithCell<VecDeque<Job>>,
    poller: Rc<Poller>,
    wake: Polled<WakeSource>,
}

impl Loop {
    pub(crate) fn new(wait: Wait, poller: Rc<Poller>, wake: Polled<WakeSource>) -> Self {
        Self { wait, late: Vec::new(), jobs: WithCell::default(), poller, wake }
    }

    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    pub(crate) fn turn(&mut self, handle: &Handle, limit: Option<Duration>) -> io::Result<()> {
        let core = &*handle.core;
        let flushed = handle.io().flush_dirty();
        core.shared.set_asleep();
        // The flush may have run callbacks. Return soon: the caller may check their effect after
        // each turn.
        let is_due = flushed || core.is_busy();
        let timeout = if is_due { Some(Duration::ZERO) } else { until_first_timer(core, limit) };
        let waited = self.wait(core, timeout);
        core.shared.set_awake();
        waited?;
        self.sources(handle);
        self.timers(handle);
        self.calls(handle);
        Ok(())
    }

    /// Turns until the future is ready and returns its output. Returns `None` if `goes_on` becomes
    /// false first. The future is dropped when this returns.
    pub(crate) fn turn_until<F: Future>(
        &mut self,
        handle: &Handle,
        future: F,
        goes_on: impl Fn(&Handle) -> bool,
    ) -> io::Result<Option<F::Output>> {
        let mut future = pin!(future);
        let flag = WakerFlag::new(Arc::clone(&handle.core.shared));
        let waker = Waker::from(Arc::clone(&flag));
        while goes_on(handle) {
            if flag.take() {
                let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
                handle.io().flush_dirty();
                if let Poll::Ready(output) = poll {
                    return Ok(Some(output));
                }
            }
            self.turn(handle, None)?;
        }
        Ok(None)
    }

    /// Waits for events.
    #[inline]
    fn wait(&mut self, core: &Core, timeout: Option<Duration>) -> io::Result<()> {
        if core.clock.is_fake() {
            return self.wait_in_fake_time(core, timeout);
        }
        if core.io.anticipation.take() && timeout.is_none_or(|timeout| timeout > POLL_TIME) {
            return self.poll_before_wait(core, timeout);
        }
        self.wait.wait(&self.poller, timeout)
    }

    /// Polls for a short time before it sleeps, because an event is expected soon.
    #[inline(never)]
    fn poll_before_wait(&mut self, core: &Core, timeout: Option<Duration>) -> io::Result<()> {
        let begun = core.clock.elapsed();
        loop {
            thread::yield_now();
            self.wait.wait(&self.poller, Some(Duration::ZERO))?;
            let spent = core.clock.elapsed().saturating_sub(begun);
            let came = self.wait.len() > 0;
            if came || spent > POLL_TIME {
                core.io.anticipation.on_polled(came, spent);
            }
            if came {
                return Ok(());
            }
            if spent > POLL_TIME {
                let timeout = timeout.map(|timeout| timeout.saturating_sub(spent));
                return self.wait.wait(&self.poller, timeout);
            }
        }
    }

    /// Looks for events, and moves the clock by the time if there are none. Without a time it waits for
    /// events.
    #[cold]
    fn wait_in_fake_time(&mut self, core: &Core, timeout: Option<Duration>) -> io::Result<()> {
        let Some(timeout) = timeout else { return self.wait.wait(&self.poller, None) };
        self.wait.wait(&self.poller, Some(Duration::ZERO))?;
        if self.wait.found_nothing() && !core.shared.has_work() {
            core.clock.advance(timeout);
        }
        Ok(())
    }

    /// Runs the triggers of an event, phase by phase, and waits for those of the first phase.
    ///
    /// If the loop is stopped while a startup would have to wait, the startup ends. The next
    /// startup runs the remaining triggers.
    pub(crate) fn fire(&mut self, handle: &Handle, event: SystemEvent) -> io::Result<()> {
        let pending = Rc::new(Cell::new(0_usize));
        while let Some(trigger) = pop_trigger(handle, event, Phase::Before) {
            pending.set(pending.get() + 1);
            let counter = Rc::clone(&pending);
            let shared = Arc::clone(&handle.core.shared);
            let next = move || {
                counter.set(counter.get() - 1);
                shared.wake();
            };
            trigger(handle, Box::new(next));
            handle.io().flush_dirty();
        }
        while pending.get() > 0 {
            if event == SystemEvent::Startup && handle.core.state.running.get() == Running::Stopping
            {
                return Ok(());
            }
            self.turn(handle, None)?;
        }
        for phase in [Phase::During, Phase::After] {
            while let Some(trigger) = pop_trigger(handle, event, phase) {
                trigger(handle, Box::new(|| {}));
                handle.io().flush_dirty();
            }
            if event == SystemEvent::Shutdown {
                ending::stop(handle);
                handle.io().flush_dirty();
                if phase == Phase::During {
                    // Report the closed descriptors before the last phase.
                    self.turn(handle, Some(Duration::ZERO))?;
                }
            }
        }
        Ok(())
    }

    fn sources(&mut self, handle: &Handle) {
        self.late.clear();
        for index in 0..self.wait.len() {
            let (key, readiness) = self.wait.get(index);
            if key == Key::WAKE {
                self.wake.source().on_event();
                continue;
            }
            let key = Key::unpack(key);
            if !handle.io().dispatch(key, readiness, false) {
                self.late.push((key, readiness));
            }
        }
        if !self.late.is_empty() {
            self.late_sources(handle);
        }
    }

    /// Runs the due timers one at a time, so that each can cancel the next.
    fn timers(&self, handle: &Handle) {
        let first = handle.core.calls.timers.with(|timers| timers.first());
        if let Some(first) = first {
            self.due_timers(handle, first);
        }
    }

    /// Apart from the turn, which most often has no timer.
    #[inline(never)]
    fn due_timers(&self, handle: &Handle, first: Duration) {
        let timers = &handle.core.calls.timers;
        let now = handle.now();
        if first > now {
            return;
        }
        let limit = timers.with(|timers| timers.limit());
        // The wait looked for events and found none, and nothing is queued.
        let is_quiet = || self.wait.found_nothing() && !handle.core.is_busy();
        loop {
            let due = timers.with(|timers| timers.pop_due(now, limit, is_quiet));
            let Some(call) = due else { break };
            call(handle);
            handle.io().flush_dirty();
        }
    }

    fn calls(&self, handle: &Handle) {
        let core = &*handle.core;
        if core.shared.take_signalled() {
            signals::queue(handle);
        }
        let soon = core.calls.soon.with(|soon| soon.len());
        if !core.shared.take_work() {
            return run_soon(handle, soon);
        }
        // If a panic cuts this short, `TakenJobs` puts the rest back and wakes the loop.
        let taken = TakenJobs::take(&core.shared, &self.jobs);
        run_soon(handle, soon);
        while let Some(job) = taken.jobs.with(VecDeque::pop_front) {
            job(handle);
            handle.io().flush_dirty();
        }
        for _ in 0..taken.tasks {
            let Some(task) = core.shared.pop_task() else { break };
            task.run();
            handle.io().flush_dirty();
        }
    }

    #[cold]
    fn late_sources(&self, handle: &Handle) {
        for &(key, readiness) in &self.late {
            handle.io().dispatch(key, readiness, true);
        }
    }
}

fn pop_trigger(handle: &Handle, event: SystemEvent, phase: Phase) -> Option<TriggerCall> {
    handle.core.triggers.with(|triggers| triggers.pop(event, phase))
}

/// Returns how long to wait until the first timer, at most `limit`.
#[inline]
fn until_first_timer(core: &Core, limit: Option<Duration>) -> Option<Duration> {
    match core.calls.timers.with(|timers| timers.first()) {
        Some(first) => Some(until(core, first, limit)),
        None => limit,
    }
}

/// Apart from the turn, as for `due_timers`.
#[inline(never)]
fn until(core: &Core, first: Duration, limit: Option<Duration>) -> Duration {
    let until = first.saturating_sub(core.clock.elapsed());
    limit.map_or(until, |limit| limit.min(until))
}

/// Runs the first `calls` queued calls.
#[inline]
fn run_soon(handle: &Handle, calls: usize) {
    for _ in 0..calls {
        let call = handle.core.calls.soon.with(|soon| soon.pop_front());
        let Some(call) = call else { break };
        call(handle);
        handle.io().flush_dirty();
    }
}

/// Work that other threads and wakers have asked for.
struct TakenJobs<'a> {
    jobs: &'a WithCell<VecDeque<Job>>,
    /// How many tasks were woken when the step began.
    tasks: usize,
    shared: &'a Shared<Job>,
}

impl<'a> TakenJobs<'a> {
    fn take(shared: &'a Shared<Job>, jobs: &'a WithCell<VecDeque<Job>>) -> Self {
        let tasks = jobs.with(|jobs| shared.take_jobs(jobs));
        Self { jobs, tasks, shared }
    }
}

impl Drop for TakenJobs<'_> {
    fn drop(&mut self) {
        let jobs_left = self.jobs.with(|jobs| !jobs.is_empty());
        if jobs_left {
            self.jobs.with(|jobs| self.shared.put_back(jobs));
        }
        if jobs_left || (self.tasks > 0 && self.shared.tasks_waiting() > 0) {
            self.shared.wake();
        }
    }
}

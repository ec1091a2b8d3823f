//! The programs of one [`RunAll`](super::RunAll): which wait, which run, and their results.
//!
//! # Model
//!
//! Programs start in their order while fewer than allowed are running. Each result comes once. The
//! batch is over when the last result has come, at the first error if that stops it, after a
//! cancellation, and after a panic of a callback. The programs that still run are then cancelled,
//! and later results are dropped.
//!
//! A callback may give the batch up, and the batch may learn of it only after the callback has
//! returned: a chain of results cancels what it holds after the pending callbacks, and the loop
//! drops a cancelled task. Therefore no program starts right after a callback. Instead each
//! callback queues a task, which the loop runs after all of that; the last queued task starts the
//! next program.
//!
//! The callbacks of the running programs and the queued tasks own the batch. Nothing else owns it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use procession_core::driver::WithCell;
use procession_core::{Deferred, Failed, NoError, Promise};
use procession_reactor::Handle;

use super::next::Next;
use super::places::{Places, Slot, Slots};
use super::results::{Progress, RunResult};
use super::state::{BatchState, EndedBatch, Link, LinkKey, OneRun, Start};
use crate::run::apart::{Apart, Rest, apart};
use crate::{HostProgress, Outcome, OutputError};

type OnProgress = Box<dyn FnMut(Progress)>;
type OnResult = Box<dyn FnMut(usize, &RunResult)>;
type OnHosts = Box<dyn FnMut(&[HostProgress])>;

/// The callbacks while the programs run.
#[derive(Default)]
pub(super) struct Hooks {
    pub(super) on_progress: Option<OnProgress>,
    pub(super) on_result: Option<OnResult>,
    pub(super) on_hosts: Option<OnHosts>,
}

/// The programs to run, and how.
pub(super) struct Plan {
    pub(super) runs: Vec<OneRun>,
    pub(super) places: Places,
    pub(super) hooks: Hooks,
}

pub(super) struct Batch {
    pub(super) reactor: Handle,
    pub(super) slots: Slots,
    stops_at_error: bool,
    promise: Promise<Vec<RunResult>, NoError>,
    /// Each callback is `None` while it runs.
    hooks: WithCell<Hooks>,
    pub(super) state: WithCell<BatchState>,
}

impl Batch {
    pub(super) fn start(
        reactor: &Handle,
        plan: Plan,
        stops_at_error: bool,
    ) -> Deferred<Vec<RunResult>, NoError> {
        let (promise, deferred) = Deferred::new();
        let state = BatchState::new(plan.runs);
        let batch = Rc::new(Self {
            reactor: reactor.clone(),
            slots: plan.places.into(),
            stops_at_error,
            promise,
            hooks: WithCell::new(plan.hooks),
            state: WithCell::new(state),
        });
        let weak = Rc::downgrade(&batch);
        batch.promise.on_cancel(move || {
            if let Some(batch) = weak.upgrade() {
                drop(batch.end());
            }
        });
        batch.fill();
        batch.finish_if_done();
        deferred
    }

    /// Starts programs while more may run, until a callback was called.
    fn fill(self: &Rc<Self>) {
        self.tend();
        loop {
            if let Some(start) = self.state.with(|state| state.take_ready()) {
                self.launch(start);
            }
            if !self.prepare_next() {
                return;
            }
            if self.report_progress() {
                return self.fill_later();
            }
        }
    }

    /// Makes the next program ready, if one more may start before the loop continues.
    fn prepare_next(&self) -> bool {
        let Some(running) = self.state.with(|state| state.may_prepare()) else { return false };
        let Some(slot) = self.slots.take(running) else { return false };
        self.state.with(|state| state.prepare(slot));
        true
    }

    /// Queues a task that starts programs. It runs after the loop has dropped what callbacks gave
    /// up.
    pub(super) fn fill_later(self: &Rc<Self>) {
        self.state.with(|state| state.tasks += 1);
        let batch = Rc::clone(self);
        let task = self.reactor.spawn_local(async move {
            batch.state.with(|state| state.tasks -= 1);
            batch.fill();
            batch.finish_if_done();
        });
        drop(task); // dropping the handle does not stop it
    }

    fn launch(self: &Rc<Self>, start: Start) {
        let Start { index, run, slot } = start;
        let batch = Rc::clone(self);
        let (started, rest) = self.end_on_panic(|| self.begin(run, slot));
        let link = started.then(move |result| {
            batch.on_result(index, slot, rest, result);
            Ok(())
        });
        // A program that could not be started may have given its result already.
        let done = self.state.with(|state| {
            if state.is_over || state.results[index].is_some() {
                return Some(link);
            }
            state.links.insert(LinkKey::Run(index), link)
        });
        drop(done);
    }

    fn begin(&self, run: OneRun, slot: Slot) -> (Deferred<Outcome, OutputError>, Rest) {
        let (Slots::Hosts(slots), Slot::Host(at)) = (&self.slots, slot) else {
            return (run.start_boxed_on(&self.reactor, |_| ()), Rest::NOTHING);
        };
        match apart(run, &slots.hosts[at].place) {
            Ok(Apart { now, rest }) => (now.start_boxed_on(&self.reactor, |_| ()), rest),
            Err(error) => (Deferred::ready(Err(error)), Rest::NOTHING),
        }
    }

    /// Keeps a link until the batch is over, or another one has its place.
    pub(super) fn keep_link(&self, key: LinkKey, link: Link) {
        let old = self
            .state
            .with(|state| if state.is_over { Some(link) } else { state.links.insert(key, link) });
        drop(old);
    }

    /// Returns what is ready after this time.
    pub(super) fn pause(&self, time: Duration) -> Deferred<(), NoError> {
        let sleep = self.reactor.sleep(time);
        self.reactor.defer(async move {
            sleep.await;
            Ok(())
        })
    }

    fn on_result(self: &Rc<Self>, index: usize, slot: Slot, rest: Rest, result: RunResult) {
        match self.leave(slot, rest, &result) {
            Next::Over => self.finish_run(index, result),
            _ if self.is_over() => self.finish_run(index, result),
            Next::Again(run) => self.wait_again(index, run),
            Next::Later(run, pause) => {
                let batch = Rc::clone(self);
                let link = self.pause(pause).then(move |_| {
                    batch.wait_again(index, run);
                    Ok(())
                });
                self.keep_link(LinkKey::Run(index), link);
                self.fill_later();
            }
        }
    }

    /// Has a program that was counted as running wait for another start, before the others.
    fn wait_again(self: &Rc<Self>, index: usize, run: OneRun) {
        let (link, late) = self.state.with(|state| state.wait_again(index, run));
        drop((link, late));
        self.report_progress();
        self.fill_later();
    }

    /// Notes the result of a program that was counted as running.
    pub(super) fn finish_run(self: &Rc<Self>, index: usize, result: RunResult) {
        let link = self.state.with(|state| {
            state.count(&result);
            state.links.remove(&LinkKey::Run(index))
        });
        drop(link);
        if self.is_over() {
            return;
        }
        let is_error = result.is_err();
        self.report_result(index, &result);
        let late = self.state.with(|state| state.keep(index, result));
        drop(late);
        self.report_progress();
        if is_error && self.stops_at_error {
            return self.finish();
        }
        if !self.finish_if_done() {
            self.fill_later();
        }
    }

    /// Gives the results if all have come, and returns whether they have.
    fn finish_if_done(&self) -> bool {
        let is_done = self.state.with(|state| state.running == 0 && state.waiting.is_empty());
        if is_done {
            self.finish();
        }
        is_done
    }

    /// Gives the results, once.
    fn finish(&self) {
        let Some(over) = self.end() else { return };
        drop(over.links);
        let missing = || match self.stops_at_error {
            true => Failed::Cancelled,
            false => Failed::Abandoned,
        };
        let results = over.results.into_iter();
        let results = results.map(|result| result.unwrap_or_else(|| Err(missing())));
        self.promise.complete(Ok(results.collect()));
    }

    /// Ends the batch: no program is started and no callback called after this. The caller drops
    /// the leftovers, which cancels the running programs.
    fn end(&self) -> Option<EndedBatch> {
        let over = self.state.with(|state| state.end());
        drop(self.hooks.take());
        over
    }

    /// Returns whether no program may start and no callback be called any more. If a callback gives
    /// the batch up, the promise is cancelled before the batch is ended.
    fn is_over(&self) -> bool {
        self.promise.is_cancelled() || self.state.with(|state| state.is_over)
    }

    /// Reports the progress, and returns whether a callback was called.
    pub(super) fn report_progress(&self) -> bool {
        let on_hosts = self.report_hosts();
        let call =
            if self.is_over() { None } else { self.hooks.with(|hooks| hooks.on_progress.take()) };
        let Some(mut call) = call else { return on_hosts };
        let progress = self.state.with(|state| state.progress());
        self.end_on_panic(|| call(progress));
        if !self.is_over() {
            self.hooks.with(|hooks| hooks.on_progress = Some(call));
        }
        true
    }

    fn report_hosts(&self) -> bool {
        let Some(progress) = self.slots.progress().filter(|_| !self.is_over()) else {
            return false;
        };
        let Some(mut call) = self.hooks.with(|hooks| hooks.on_hosts.take()) else { return false };
        self.end_on_panic(|| call(&progress));
        if !self.is_over() {
            self.hooks.with(|hooks| hooks.on_hosts = Some(call));
        }
        true
    }

    fn report_result(&self, index: usize, result: &RunResult) {
        let Some(mut call) = self.hooks.with(|hooks| hooks.on_result.take()) else { return };
        self.end_on_panic(|| call(index, result));
        if !self.is_over() {
            self.hooks.with(|hooks| hooks.on_result = Some(call));
        }
    }

    /// Calls foreign code. A panic in it ends the batch.
    fn end_on_panic<R>(&self, call: impl FnOnce() -> R) -> R {
        catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
            drop(self.end());
            resume_unwind(panic)
        })
    }
}

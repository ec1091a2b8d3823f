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

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::{iter, mem, vec};

use procession_core::driver::WithCell;
use procession_core::{Deferred, Failed, Promise};
use procession_reactor::Handle;

use super::results::{Progress, RunAllError, RunResult};
use crate::lines::OnLine;
use crate::{Outcome, Run};

/// A run with any line callback.
type OneRun = Run<OnLine>;

/// The end of a program's chain. Dropping it cancels the program.
type Link = Deferred<(), Infallible>;

type OnProgress = Box<dyn FnMut(Progress)>;
type OnResult = Box<dyn FnMut(usize, &RunResult)>;

/// The callbacks while the programs run.
#[derive(Default)]
pub(super) struct Hooks {
    pub(super) on_progress: Option<OnProgress>,
    pub(super) on_result: Option<OnResult>,
}

/// The programs to run, and how.
pub(super) struct Plan {
    pub(super) runs: Vec<OneRun>,
    pub(super) parallelism: usize,
    pub(super) hooks: Hooks,
}

pub(super) struct Batch {
    reactor: Handle,
    parallelism: usize,
    stops_at_error: bool,
    promise: Promise<Vec<RunResult>, Infallible>,
    /// Each callback is `None` while it runs.
    hooks: WithCell<Hooks>,
    state: WithCell<BatchState>,
}

struct BatchState {
    waiting: iter::Enumerate<vec::IntoIter<OneRun>>,
    /// The program that starts next. It is already reported and counted as running.
    ready: Option<(usize, OneRun)>,
    results: Vec<Option<RunResult>>,
    links: BTreeMap<usize, Link>,
    running: usize,
    done: usize,
    failed: usize,
    /// The number of queued tasks. The last one starts programs.
    tasks: usize,
    is_over: bool,
}

impl Batch {
    pub(super) fn start(
        reactor: &Handle,
        plan: Plan,
        stops_at_error: bool,
    ) -> Deferred<Vec<RunResult>, Infallible> {
        let (promise, deferred) = Deferred::new();
        let state = BatchState {
            results: plan.runs.iter().map(|_| None).collect(),
            waiting: plan.runs.into_iter().enumerate(),
            ready: None,
            links: BTreeMap::new(),
            running: 0,
            done: 0,
            failed: 0,
            tasks: 0,
            is_over: false,
        };
        let batch = Rc::new(Self {
            reactor: reactor.clone(),
            parallelism: plan.parallelism,
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
        loop {
            if let Some((index, run)) = self.state.with(|state| state.take_ready()) {
                self.launch(index, run);
            }
            if !self.state.with(|state| state.prepare_next(self.parallelism)) {
                return;
            }
            if self.report_progress() {
                return self.fill_later();
            }
        }
    }

    /// Queues a task that starts programs. It runs after the loop has dropped what callbacks gave
    /// up.
    fn fill_later(self: &Rc<Self>) {
        self.state.with(|state| state.tasks += 1);
        let batch = Rc::clone(self);
        let task = self.reactor.spawn_local(async move {
            batch.state.with(|state| state.tasks -= 1);
            batch.fill();
            batch.finish_if_done();
        });
        drop(task); // dropping the handle does not stop it
    }

    fn launch(self: &Rc<Self>, index: usize, run: OneRun) {
        let batch = Rc::clone(self);
        let started = self.end_on_panic(|| run.start_on(&self.reactor));
        let link = started.then(move |result| {
            batch.on_result(index, result);
            Ok(())
        });
        // A program that could not be started may have given its result already.
        let done = self.state.with(|state| {
            if state.is_over || state.results[index].is_some() {
                return Some(link);
            }
            state.links.insert(index, link)
        });
        drop(done);
    }

    fn on_result(self: &Rc<Self>, index: usize, result: RunResult) {
        let link = self.state.with(|state| {
            state.count(&result);
            state.links.remove(&index)
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
        let is_done = self.state.with(|state| state.running == 0 && state.waiting.len() == 0);
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
    fn report_progress(&self) -> bool {
        let call =
            if self.is_over() { None } else { self.hooks.with(|hooks| hooks.on_progress.take()) };
        let Some(mut call) = call else { return false };
        let progress = self.state.with(|state| state.progress());
        self.end_on_panic(|| call(progress));
        if !self.is_over() {
            self.hooks.with(|hooks| hooks.on_progress = Some(call));
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

/// The leftovers of a batch that is over: the caller drops them or gives them away.
struct EndedBatch {
    _waiting: (Option<(usize, OneRun)>, iter::Enumerate<vec::IntoIter<OneRun>>),
    results: Vec<Option<RunResult>>,
    links: BTreeMap<usize, Link>,
}

impl BatchState {
    /// Takes the program that starts now.
    fn take_ready(&mut self) -> Option<(usize, OneRun)> {
        if self.tasks > 0 { None } else { self.ready.take() }
    }

    /// Makes the next program ready, if one more may start before the loop continues.
    fn prepare_next(&mut self, parallelism: usize) -> bool {
        if self.is_over || self.tasks > 0 || self.running >= parallelism {
            return false;
        }
        self.ready = self.waiting.next();
        self.running += usize::from(self.ready.is_some());
        self.ready.is_some()
    }

    /// Keeps a result, or returns it if it is too late.
    fn keep(&mut self, index: usize, result: RunResult) -> Option<RunResult> {
        if self.is_over {
            return Some(result);
        }
        self.results[index].replace(result)
    }

    fn count(&mut self, result: &RunResult) {
        self.running -= 1;
        match result {
            Ok(_) => self.done += 1,
            Err(_) => self.failed += 1,
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            done: self.done,
            running: self.running,
            failed: self.failed,
            waiting: self.waiting.len(),
            total: self.done + self.running + self.failed + self.waiting.len(),
        }
    }

    fn end(&mut self) -> Option<EndedBatch> {
        if mem::replace(&mut self.is_over, true) {
            return None;
        }
        Some(EndedBatch {
            _waiting: (
                self.ready.take(),
                mem::replace(&mut self.waiting, Vec::new().into_iter().enumerate()),
            ),
            results: mem::take(&mut self.results),
            links: mem::take(&mut self.links),
        })
    }
}

/// Returns all outcomes, or the error that stopped the batch: the only one that is not a
/// cancellation.
pub(super) fn outcomes(results: Vec<RunResult>) -> Result<Vec<Outcome>, RunAllError> {
    let mut outcomes = Vec::with_capacity(results.len());
    let mut cancelled = None;
    for (index, result) in results.into_iter().enumerate() {
        match result {
            Ok(outcome) => outcomes.push(outcome),
            Err(Failed::Cancelled) => {
                cancelled.get_or_insert(RunAllError { index, error: Failed::Cancelled });
            }
            Err(error) => return Err(RunAllError { index, error }),
        }
    }
    cancelled.map_or(Ok(outcomes), Err)
}

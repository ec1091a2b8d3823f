//! The programs of one [`RunAll`]: which wait, which run, what has come.
//!
//! # Model
//!
//! Programs start in their order while fewer than allowed run. Each result comes once. The batch is
//! over when the last one has come, at the first error where that stops it, and when nobody waits
//! any more: what runs then is cancelled, and what comes later is dropped. A panic of a callback
//! ends it too.
//!
//! A callback may give the batch up, and the batch may learn of it only after the callback has
//! returned: a chain of results cancels what it holds after the callbacks that are due, and a
//! cancelled task is dropped by the loop. So nothing is started right after a callback. A task of
//! the batch's own, which the loop runs after all of that, starts the next program; each callback
//! queues one, and the last of them does it.
//!
//! The callbacks of the programs that run, and those tasks, own the batch; nothing else does.

use super::{Hooks, Progress, RunAll, RunAllError, RunResult};
use crate::{Outcome, Run};
use procession_core::driver::WithCell;
use procession_core::{Deferred, Failed, Promise};
use procession_reactor::Handle;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::{iter, mem, vec};

/// The end of a program's chain; dropping it cancels the program.
type Link = Deferred<(), Infallible>;

pub(super) struct Batch {
    reactor: Handle,
    parallelism: usize,
    stops_at_error: bool,
    promise: Promise<Vec<RunResult>, Infallible>,
    /// Each out while it runs.
    hooks: WithCell<Hooks>,
    state: WithCell<State>,
}

struct State {
    waiting: iter::Enumerate<vec::IntoIter<Run>>,
    /// Reported and counted as running; it starts next.
    ready: Option<(usize, Run)>,
    results: Vec<Option<RunResult>>,
    links: BTreeMap<usize, Link>,
    running: usize,
    done: usize,
    failed: usize,
    /// Tasks that are queued, of which the last starts programs.
    tasks: usize,
    is_over: bool,
}

impl Batch {
    pub(super) fn start(
        reactor: &Handle,
        all: RunAll,
        stops_at_error: bool,
    ) -> Deferred<Vec<RunResult>, Infallible> {
        let (promise, deferred) = Deferred::new();
        let state = State {
            results: all.runs.iter().map(|_| None).collect(),
            waiting: all.runs.into_iter().enumerate(),
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
            parallelism: all.parallelism,
            stops_at_error,
            promise,
            hooks: WithCell::new(all.hooks),
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

    /// Starts programs while more may run, up to the next callback.
    fn fill(self: &Rc<Self>) {
        loop {
            if let Some((index, run)) = self.state.with(|state| state.take_ready()) {
                self.launch(index, run);
            }
            if !self.state.with(|state| state.prepare_next(self.parallelism)) {
                return;
            }
            if self.report() {
                return self.fill_later();
            }
        }
    }

    /// Has the loop start programs, after what callbacks have given up is gone.
    fn fill_later(self: &Rc<Self>) {
        self.state.with(|state| state.tasks += 1);
        let batch = Rc::clone(self);
        let task = self.reactor.spawn_local(async move {
            batch.state.with(|state| state.tasks -= 1);
            batch.fill();
            batch.finish_if_done();
        });
        drop(task); // it runs on
    }

    fn launch(self: &Rc<Self>, index: usize, run: Run) {
        let batch = Rc::clone(self);
        let started = self.guard(|| run.start_on(&self.reactor));
        let link = started.then(move |result| {
            batch.on_result(index, result);
            Ok(())
        });
        // One that could not be started may have given its result already.
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
        self.tell(index, &result);
        let late = self.state.with(|state| state.keep(index, result));
        drop(late);
        self.report();
        if is_error && self.stops_at_error {
            return self.finish();
        }
        if !self.finish_if_done() {
            self.fill_later();
        }
    }

    /// Gives the result if all have come, and says whether they have.
    fn finish_if_done(&self) -> bool {
        let is_done = self.state.with(|state| state.running == 0 && state.waiting.len() == 0);
        if is_done {
            self.finish();
        }
        is_done
    }

    /// Gives the result, once.
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

    /// From here on nothing is started and nothing called; what is left over is to be dropped by
    /// the caller, which cancels what runs.
    fn end(&self) -> Option<Over> {
        let over = self.state.with(|state| state.end());
        drop(self.hooks.take());
        over
    }

    /// Whether nothing is to be started or called any more. A batch that was given up inside a
    /// callback is cancelled before it is ended.
    fn is_over(&self) -> bool {
        self.promise.is_cancelled() || self.state.with(|state| state.is_over)
    }

    /// Reports the numbers, and says whether a callback has run.
    fn report(&self) -> bool {
        let call =
            if self.is_over() { None } else { self.hooks.with(|hooks| hooks.on_progress.take()) };
        let Some(mut call) = call else { return false };
        let progress = self.state.with(|state| state.progress());
        self.guard(|| call(progress));
        if !self.is_over() {
            self.hooks.with(|hooks| hooks.on_progress = Some(call));
        }
        true
    }

    fn tell(&self, index: usize, result: &RunResult) {
        let Some(mut call) = self.hooks.with(|hooks| hooks.on_result.take()) else { return };
        self.guard(|| call(index, result));
        if !self.is_over() {
            self.hooks.with(|hooks| hooks.on_result = Some(call));
        }
    }

    /// Runs foreign code, whose panic ends the batch.
    fn guard<R>(&self, call: impl FnOnce() -> R) -> R {
        catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
            drop(self.end());
            resume_unwind(panic)
        })
    }
}

/// What is to be dropped, or given away, when a batch is over.
struct Over {
    _waiting: (Option<(usize, Run)>, iter::Enumerate<vec::IntoIter<Run>>),
    results: Vec<Option<RunResult>>,
    links: BTreeMap<usize, Link>,
}

impl State {
    /// The program that starts now.
    fn take_ready(&mut self) -> Option<(usize, Run)> {
        if self.tasks > 0 { None } else { self.ready.take() }
    }

    /// Makes the next program ready, if one more may start before the loop goes on.
    fn prepare_next(&mut self, parallelism: usize) -> bool {
        if self.is_over || self.tasks > 0 || self.running >= parallelism {
            return false;
        }
        self.ready = self.waiting.next();
        self.running += usize::from(self.ready.is_some());
        self.ready.is_some()
    }

    /// Keeps a result, or gives it back if it is too late.
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

    fn end(&mut self) -> Option<Over> {
        if mem::replace(&mut self.is_over, true) {
            return None;
        }
        Some(Over {
            _waiting: (
                self.ready.take(),
                mem::replace(&mut self.waiting, Vec::new().into_iter().enumerate()),
            ),
            results: mem::take(&mut self.results),
            links: mem::take(&mut self.links),
        })
    }
}

/// All outcomes, or the error that stopped the batch: the only one that is no cancellation.
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

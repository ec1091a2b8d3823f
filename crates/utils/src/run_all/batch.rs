//! The programs of one [`RunAll`]: which wait, which run, what has come.
//!
//! # Model
//!
//! Programs start in their order while fewer than allowed run. Each result comes once. The batch is
//! over when the last one has come, at the first error where that stops it, and when nobody waits
//! any more: what runs then is cancelled, and what comes later is dropped.
//!
//! The callbacks of the programs that run own the batch; nothing else does.

use super::{Hooks, Progress, RunAll, RunAllError, RunResult};
use crate::{Outcome, Run};
use procession_core::{Deferred, Failed, Promise, WithCell};
use procession_reactor::Handle;
use std::collections::BTreeMap;
use std::convert::Infallible;
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
    /// `None`: has not come, or its callback has panicked.
    results: Vec<Option<RunResult>>,
    links: BTreeMap<usize, Link>,
    running: usize,
    done: usize,
    failed: usize,
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
            links: BTreeMap::new(),
            running: 0,
            done: 0,
            failed: 0,
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

    /// Starts programs while more may run.
    fn fill(self: &Rc<Self>) {
        while let Some((index, run)) = self.state.with(|state| state.next(self.parallelism)) {
            self.report();
            if self.state.with(|state| state.is_over) {
                return;
            }
            self.launch(index, run);
        }
    }

    fn launch(self: &Rc<Self>, index: usize, run: Run) {
        let batch = Rc::clone(self);
        let link = run.start_on(&self.reactor).then(move |result| {
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
        let (link, is_over) = self.state.with(|state| {
            state.count(&result);
            (state.links.remove(&index), state.is_over)
        });
        drop(link);
        if is_over {
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
        self.fill();
        self.finish_if_done();
    }

    fn finish_if_done(&self) {
        if self.state.with(|state| state.running == 0 && state.waiting.len() == 0) {
            self.finish();
        }
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

    fn report(&self) {
        let Some(mut call) = self.hooks.with(|hooks| hooks.on_progress.take()) else { return };
        let progress = self.state.with(|state| state.progress());
        call(progress);
        if !self.state.with(|state| state.is_over) {
            self.hooks.with(|hooks| hooks.on_progress = Some(call));
        }
    }

    fn tell(&self, index: usize, result: &RunResult) {
        let Some(mut call) = self.hooks.with(|hooks| hooks.on_result.take()) else { return };
        call(index, result);
        if !self.state.with(|state| state.is_over) {
            self.hooks.with(|hooks| hooks.on_result = Some(call));
        }
    }
}

/// What is to be dropped, or given away, when a batch is over.
struct Over {
    _waiting: iter::Enumerate<vec::IntoIter<Run>>,
    results: Vec<Option<RunResult>>,
    links: BTreeMap<usize, Link>,
}

impl State {
    fn next(&mut self, parallelism: usize) -> Option<(usize, Run)> {
        if self.is_over || self.running >= parallelism {
            return None;
        }
        let next = self.waiting.next()?;
        self.running += 1;
        Some(next)
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
            _waiting: mem::replace(&mut self.waiting, Vec::new().into_iter().enumerate()),
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

//! The state of a batch: which programs wait and run, their links, and their results.

use std::collections::{BTreeMap, VecDeque};
use std::mem;

use procession_core::{Deferred, NoError};

use super::places::Slot;
use super::results::{Progress, RunResult};
use crate::Run;
use crate::lines::OnLine;

/// A run with any line callback.
pub(super) type OneRun = Run<OnLine>;

/// The end of a chain. Dropping it cancels the program, the connecting or the pause.
pub(super) type Link = Deferred<(), NoError>;

/// What a link belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LinkKey {
    /// The index of a program.
    Run(usize),
    /// The index of a host.
    Host(usize),
}

pub(super) type Waiting = VecDeque<(usize, OneRun)>;

/// A program that starts next. It is already reported and counted as running.
pub(super) struct Start {
    pub(super) index: usize,
    pub(super) run: OneRun,
    pub(super) slot: Slot,
}

pub(super) struct BatchState {
    pub(super) waiting: Waiting,
    ready: Option<Start>,
    pub(super) results: Vec<Option<RunResult>>,
    pub(super) links: BTreeMap<LinkKey, Link>,
    pub(super) running: usize,
    done: usize,
    failed: usize,
    /// The number of queued tasks. The last one starts programs.
    pub(super) tasks: usize,
    pub(super) is_over: bool,
}

/// The leftovers of a batch that is over: the caller drops them or gives them away.
pub(super) struct EndedBatch {
    _waiting: (Option<Start>, Waiting),
    pub(super) results: Vec<Option<RunResult>>,
    pub(super) links: BTreeMap<LinkKey, Link>,
}

impl BatchState {
    pub(super) fn new(runs: Vec<OneRun>) -> Self {
        Self {
            results: runs.iter().map(|_| None).collect(),
            waiting: runs.into_iter().enumerate().collect(),
            ready: None,
            links: BTreeMap::new(),
            running: 0,
            done: 0,
            failed: 0,
            tasks: 0,
            is_over: false,
        }
    }

    /// Takes the program that starts now.
    pub(super) fn take_ready(&mut self) -> Option<Start> {
        if self.tasks > 0 { None } else { self.ready.take() }
    }

    /// Returns how many programs run, if a program waits and may be made ready.
    pub(super) fn may_prepare(&self) -> Option<usize> {
        let may = !self.is_over && self.tasks == 0 && !self.waiting.is_empty();
        may.then_some(self.running)
    }

    /// Makes the next program ready.
    pub(super) fn prepare(&mut self, slot: Slot) {
        self.ready = self.waiting.pop_front().map(|(index, run)| Start { index, run, slot });
        self.running += usize::from(self.ready.is_some());
    }

    /// Returns how many programs wait for a start.
    pub(super) fn waiting(&self) -> usize {
        if self.is_over { 0 } else { self.waiting.len() }
    }

    /// Takes a program that waits, and counts it as running.
    pub(super) fn take_waiting(&mut self) -> Option<(usize, OneRun)> {
        let next = if self.is_over { None } else { self.waiting.pop_front() };
        self.running += usize::from(next.is_some());
        next
    }

    /// Puts a program before those that wait. Returns its link, and the program if it is too late.
    pub(super) fn wait_again(
        &mut self,
        index: usize,
        run: OneRun,
    ) -> (Option<Link>, Option<OneRun>) {
        self.running -= 1;
        let link = self.links.remove(&LinkKey::Run(index));
        if self.is_over {
            return (link, Some(run));
        }
        self.waiting.push_front((index, run));
        (link, None)
    }

    /// Keeps a result, or returns it if it is too late.
    pub(super) fn keep(&mut self, index: usize, result: RunResult) -> Option<RunResult> {
        if self.is_over {
            return Some(result);
        }
        self.results[index].replace(result)
    }

    pub(super) fn count(&mut self, result: &RunResult) {
        self.running -= 1;
        match result {
            Ok(_) => self.done += 1,
            Err(_) => self.failed += 1,
        }
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            done: self.done,
            running: self.running,
            failed: self.failed,
            waiting: self.waiting.len(),
            total: self.done + self.running + self.failed + self.waiting.len(),
        }
    }

    pub(super) fn end(&mut self) -> Option<EndedBatch> {
        if mem::replace(&mut self.is_over, true) {
            return None;
        }
        Some(EndedBatch {
            _waiting: (self.ready.take(), mem::take(&mut self.waiting)),
            results: mem::take(&mut self.results),
            links: mem::take(&mut self.links),
        })
    }
}

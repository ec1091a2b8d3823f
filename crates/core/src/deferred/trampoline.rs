//! Runs callbacks one after the other, never one inside another, so that chains need no stack.

use crate::cell::WithCell;
use std::collections::VecDeque;
use std::mem::{self, ManuallyDrop};
use std::panic::{self, AssertUnwindSafe};
use std::thread;

type Job = Box<dyn FnOnce()>;

struct Jobs {
    running: bool,
    /// Empty and without a buffer unless `running`.
    queue: VecDeque<Job>,
}

thread_local! {
    // Without a destructor, so that it is there also for what other thread-locals drop.
    static JOBS: ManuallyDrop<WithCell<Jobs>> = const {
        ManuallyDrop::new(WithCell::new(Jobs { running: false, queue: VecDeque::new() }))
    };
}

/// Runs `job` now, or, from within another job, after those that were due before.
///
/// If jobs panic, all others still run, and then the first panic goes on. While the thread unwinds
/// already, it ends here: a second one would abort the program.
pub(super) fn run(job: impl FnOnce() + 'static) {
    let nested = with_jobs(|jobs| mem::replace(&mut jobs.running, true));
    if nested {
        let job: Job = Box::new(job);
        return with_jobs(|jobs| jobs.queue.push_back(job));
    }
    let mut panicked = panic::catch_unwind(AssertUnwindSafe(job)).err();
    while let Some(job) = next() {
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(job)) {
            panicked.get_or_insert(payload);
        }
    }
    if let Some(payload) = panicked
        && !thread::panicking()
    {
        panic::resume_unwind(payload);
    }
}

/// Takes the next job; if there is none, nothing runs any more.
fn next() -> Option<Job> {
    with_jobs(|jobs| {
        let job = jobs.queue.pop_front();
        if job.is_none() {
            jobs.running = false;
            jobs.queue = VecDeque::new();
        }
        job
    })
}

fn with_jobs<R>(change: impl FnOnce(&mut Jobs) -> R) -> R {
    JOBS.with(|jobs| jobs.with(change))
}

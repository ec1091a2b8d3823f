//! Runs callbacks one after another, never one inside another, so the stack does not grow with a chain.

use std::collections::VecDeque;
use std::mem::{self, ManuallyDrop};
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use crate::cell::WithCell;

type Job = Box<dyn FnOnce()>;

struct Jobs {
    running: bool,
    /// Empty and without a buffer unless `running`.
    queue: VecDeque<Job>,
}

thread_local! {
    // It has no destructor, so it still works when other thread-locals are dropped.
    static JOBS: ManuallyDrop<WithCell<Jobs>> = const {
        ManuallyDrop::new(WithCell::new(Jobs { running: false, queue: VecDeque::new() }))
    };
}

/// Runs `job` now, or, inside another job, after the jobs that were due before.
///
/// If a job panics, all others still run; then the first panic is resumed. While the thread is already
/// unwinding, the panic is dropped, because a second one would abort the program.
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

/// Takes the next job; if there is none, marks the trampoline as idle.
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

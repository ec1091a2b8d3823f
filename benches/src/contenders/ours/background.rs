//! A loop on a thread of its own, for the tasks of a runtime of tokio.

use anyhow::Result;
use procession::{Background, Run};

use crate::contenders::tokio::{rounds, runtime_for};
use crate::job::{Job, Ready};

/// Captures the output of the row's number of programs at once, in a task each. Returns microseconds
/// for each program.
pub(super) fn at_once(job: &Job) -> Result<Ready> {
    procession::reserve_spawn_fds()?;
    let background = Background::start()?;
    let program = job.captured();
    rounds::at_once(job, runtime_for(job)?, move || {
        let (background, program) = (background.clone(), program.clone());
        async move { Ok(background.run(Run::new(program)).await?.is_success()) }
    })
}

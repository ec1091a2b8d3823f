//! A loop on a thread of its own, for the tasks of a runtime of tokio.

use anyhow::{Result, ensure};
use procession::{Background, Run};
use tokio::task::JoinSet;

use crate::clock::Stopwatch;
use crate::contenders::tokio::runtime_for;
use crate::job::{Job, Ready};

/// Captures the output of the row's number of programs at once, in a task each. Returns microseconds
/// for each program.
pub(super) fn at_once(job: &Job) -> Result<Ready> {
    procession::reserve_spawn_fds()?;
    let runtime = runtime_for(job)?;
    let background = Background::start()?;
    let (count, crowd, program) = (job.count, job.crowd, job.captured());
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        for _ in 0..count {
            runtime.block_on(async {
                let mut set = JoinSet::new();
                for _ in 0..crowd {
                    let (background, program) = (background.clone(), program.clone());
                    set.spawn(async move { background.run(Run::new(program)).await });
                }
                for outcome in set.join_all().await {
                    ensure!(outcome?.is_success(), "the program failed");
                }
                Ok(())
            })?;
        }
        Ok(watch.micros_each(count * crowd))
    }))
}

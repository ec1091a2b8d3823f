//! duct: blocking expressions, with a thread for each stream that it captures.

use anyhow::{Result, ensure};
use duct::cmd;

use crate::clock::Stopwatch;
use crate::contenders::Prepare;
use crate::contenders::crowd::Ballast;
use crate::job::{Job, Ready};

pub(super) fn row(id: &str) -> Option<Prepare> {
    Some(match id {
        "spawn" | "spawn-18k" | "blocking-spawn" => one_by_one,
        "capture" | "blocking-capture" => capture,
        _ => return None,
    })
}

fn one_by_one(job: &Job) -> Result<Ready> {
    let ballast = Ballast::for_row(job)?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let _held = &ballast;
        let watch = Stopwatch::start();
        for _ in 0..job.count {
            let exit0 = cmd!(job.program("exit0")).stdin_bytes([]).stdout_capture();
            ensure!(exit0.stderr_capture().run()?.status.success(), "the child failed");
        }
        Ok(watch.micros_each(job.count))
    }))
}

fn capture(job: &Job) -> Result<Ready> {
    let count = job.count;
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        for _ in 0..count {
            let output = cmd!("/bin/true").stdout_capture().stderr_capture().run()?;
            ensure!(output.status.success(), "true failed");
        }
        Ok(watch.micros_each(count))
    }))
}

//! subprocess: blocking, with its own fork and exec.

use anyhow::{Result, ensure};
use subprocess::{Exec, Redirection};

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
            let exit0 = Exec::cmd(job.program("exit0")).stdin(Redirection::Pipe);
            let exit0 = exit0.stdout(Redirection::Pipe).stderr(Redirection::Pipe);
            ensure!(exit0.capture()?.success(), "the child failed");
        }
        Ok(watch.micros_each(job.count))
    }))
}

fn capture(job: &Job) -> Result<Ready> {
    let count = job.count;
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        for _ in 0..count {
            let exec = Exec::cmd("/bin/true").stdout(Redirection::Pipe).stderr(Redirection::Pipe);
            ensure!(exec.capture()?.success(), "true failed");
        }
        Ok(watch.micros_each(count))
    }))
}

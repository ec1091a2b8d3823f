//! duct: blocking expressions, with a thread for each stream that it captures.

use anyhow::{Result, ensure};
use duct::cmd;

use crate::contenders::{Prepare, rounds};
use crate::job::{Job, Ready};

pub(super) fn row(id: &str) -> Option<Prepare> {
    Some(match id {
        "spawn" | "spawn-18k" | "blocking-spawn" => one_by_one,
        "capture" | "blocking-capture" => capture,
        _ => return None,
    })
}

fn one_by_one(job: &Job) -> Result<Ready> {
    rounds::one_by_one(job, |job| {
        let exit0 = cmd!(job.program("exit0")).stdin_bytes([]).stdout_capture();
        ensure!(exit0.stderr_capture().run()?.status.success(), "the child failed");
        Ok(())
    })
}

fn capture(job: &Job) -> Result<Ready> {
    rounds::one_by_one(job, |_| {
        let output = cmd!("/bin/true").stdout_capture().stderr_capture().run()?;
        ensure!(output.status.success(), "true failed");
        Ok(())
    })
}

//! xargs: the shell's tool for many commands, two at a time.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::Prepare;
use crate::clock::Stopwatch;
use crate::job::{Job, Ready};

pub(super) fn row(id: &str) -> Option<Prepare> {
    (id == "run-all").then_some(run_all)
}

/// It captures nothing: its commands write to its own output.
fn run_all(job: &Job) -> Result<Ready> {
    let lines = (0..job.crowd).map(|number| format!("{number}\n")).collect::<String>();
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        let mut xargs = Command::new("xargs");
        xargs.args(["-P2", "-n1", "/bin/true"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = xargs.spawn()?;
        child.stdin.take().context("no stdin")?.write_all(lines.as_bytes())?;
        ensure!(child.wait()?.success(), "xargs failed");
        Ok(watch.elapsed().as_secs_f64() * 1e3)
    }))
}

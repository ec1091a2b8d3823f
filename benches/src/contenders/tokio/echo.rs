//! One byte to `cat` and back.

use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::process::Command;

use super::{crowd, rounds, runtime};
use crate::job::{Job, Ready};

/// Makes round trips beside the row's crowd of idle children. Returns microseconds.
pub(super) fn one_byte(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let guard = runtime.enter();
    let crowd = crowd::start(job)?;
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    drop(guard);
    let (input, out) = (cat.stdin.take(), cat.stdout.take());
    let (input, out) = (input.context("no stdin")?, out.context("no stdout")?);
    Ok(rounds::echo(job, runtime, (crowd, cat), input, out))
}

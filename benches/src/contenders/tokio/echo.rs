//! One byte to `cat` and back.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{crowd, runtime};
use crate::clock::Stopwatch;
use crate::job::{Job, Ready};

/// Makes round trips beside the row's crowd of idle children. Returns microseconds.
pub(super) fn one_byte(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let guard = runtime.enter();
    let crowd = crowd::start(job)?;
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    drop(guard);
    let (input, out) = (cat.stdin.take(), cat.stdout.take());
    let (mut input, mut out) = (input.context("no stdin")?, out.context("no stdout")?);
    let count = job.count;
    Ok(Ready::rounds(move || {
        let _held = (&crowd, &cat);
        runtime.block_on(async {
            let mut byte = [b'x'; 4096];
            let watch = Stopwatch::start();
            for _ in 0..count {
                input.write_all(&byte[..1]).await?;
                let bytes = out.read(&mut byte).await?;
                ensure!(bytes == 1, "{bytes} bytes came back");
            }
            Ok(watch.micros_each(count))
        })
    }))
}

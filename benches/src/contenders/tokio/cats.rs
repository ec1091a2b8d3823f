//! A crowd of children, each of which copies its input to its output.

use std::mem::take;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::runtime::Runtime;

use super::runtime;
use crate::contenders::crowd_life::{self, EchoingCrowd};
use crate::job::{Job, Ready};

/// Measures a crowd from the spawn to the end.
pub(super) fn life(job: &Job) -> Result<Ready> {
    let mut command = Command::new(job.program("cat"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    crowd_life::rounds(job, Cats { runtime: runtime()?, command, cats: Vec::new() })
}

struct Cats {
    runtime: Runtime,
    command: Command,
    cats: Vec<Child>,
}

impl EchoingCrowd for Cats {
    fn spawn(&mut self, count: u64) -> Result<()> {
        let _guard = self.runtime.enter();
        for _ in 0..count {
            self.cats.push(self.command.spawn()?);
        }
        Ok(())
    }

    fn echo(&mut self) -> Result<()> {
        self.runtime.block_on(async {
            let mut byte = [b'x'; 4096];
            for cat in &mut self.cats {
                cat.stdin.as_mut().context("no stdin")?.write_all(&byte[..1]).await?;
                let out = cat.stdout.as_mut().context("no stdout")?;
                let bytes = out.read(&mut byte).await?;
                ensure!(bytes == 1, "{bytes} bytes came back");
            }
            Ok(())
        })
    }

    fn end(&mut self) -> Result<()> {
        self.runtime.block_on(async {
            let waits = take(&mut self.cats).into_iter();
            let waits: Vec<_> = waits.map(|cat| tokio::spawn(cat.wait_with_output())).collect();
            for wait in waits {
                wait.await??;
            }
            Ok(())
        })
    }
}

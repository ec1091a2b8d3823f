//! command-fds: a descriptor map over `std::process`, by `pre_exec`.

use std::io::Read;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use command_fds::{CommandFdExt, FdMapping};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::contenders::{Prepare, rounds};
use crate::job::Job;

pub(super) fn row(id: &str) -> Option<Prepare> {
    matches!(id, "spawn" | "spawn-1g" | "spawn-18k").then_some(|job| rounds::one_by_one(job, once))
}

/// Uses three pipes and one more, which is the purpose of the crate.
fn once(job: &Job) -> Result<()> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut command = Command::new(job.program("exit0"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.fd_mappings(vec![FdMapping { parent_fd: writer, child_fd: 3 }])?;
    let child = command.spawn()?;
    // The command owns the writing end of the map.
    drop(command);
    std::fs::File::from(reader).read_to_end(&mut Vec::new())?;
    ensure!(child.wait_with_output()?.status.success(), "the child failed");
    Ok(())
}

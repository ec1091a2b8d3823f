//! What the process holds beside its work: resident memory, open descriptors, and the pipe that
//! children wait for.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::thread::disable_transparent_huge_pages;

use crate::job::Job;

/// What a row makes the process hold while it works.
pub(crate) struct Ballast {
    memory: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Ballast {
    /// Allocates the row's mebibytes and writes to them, or opens its number of descriptors.
    pub(crate) fn for_row(job: &Job) -> Result<Self> {
        let mut ballast = Self { memory: Vec::new(), fds: Vec::new() };
        match job.row.as_str() {
            "spawn-1g" | "tokio-spawn-512m" => {
                // Use pages of 4 KiB, whatever the system's setting.
                disable_transparent_huge_pages(true)?;
                ballast.memory = vec![1; usize::try_from(job.crowd << 20)?];
            }
            "spawn-18k" | "spawn-rate-2-3k" => {
                // Open each descriptor separately, as connections are: duplicates would share a
                // reference count.
                let null = || File::open("/dev/null").map(OwnedFd::from);
                let fds = (0..job.crowd).map(|_| null()).collect::<Result<_, _>>();
                ballast.fds = fds.context("the limit of open descriptors is too low")?;
            }
            _ => {}
        }
        Ok(ballast)
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        black_box((&self.memory, &self.fds));
    }
}

/// A pipe whose reading end is the standard input of many children. They end when the other end is
/// closed.
pub(crate) struct Leash {
    pub(crate) child_end: OwnedFd,
    own_end: OwnedFd,
}

impl Leash {
    pub(crate) fn new() -> io::Result<Self> {
        let (child_end, own_end) = pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Self { child_end, own_end })
    }

    /// Closes the pipe, so that the children end.
    pub(crate) fn let_go(self) {
        drop(self.own_end);
    }
}

/// Returns the resident bytes of this process.
pub(crate) fn resident_bytes() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find(|line| line.starts_with("Rss:")).context("no Rss")?;
    let kib = line.split_whitespace().nth(1).context("no number")?;
    Ok(kib.parse::<u64>()? << 10)
}

/// Returns the processor time that this process has used, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    std::time::Duration::try_from(now).map_or(0.0, |time| time.as_secs_f64())
}

//! The machine that the figures are of, in general terms, and its limits.

use std::process::Command;
use std::thread::available_parallelism;

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use serde_json::{Value, json};

/// Kernel, processors and compiler.
pub(crate) fn describe() -> Result<Value> {
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    Ok(json!({ "kernel": kernel, "cpus": available_parallelism()?.get(), "rustc": rustc }))
}

/// Lets this process, and with it every contender, open as many descriptors as it may.
pub(crate) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // What stays too low is said by the rows that need more.
    setrlimit(Resource::Nofile, raised).ok();
}

/// Returns how many descriptors a process may have open.
pub(crate) fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Holds this thread, and the processes that it starts, to the processor that it is on, until this is
/// dropped.
#[derive(Debug)]
pub(crate) struct OneProcessor(Option<CpuSet>);

impl OneProcessor {
    /// Begins, where the system allows it and `wanted` is true.
    pub(crate) fn begin(wanted: bool) -> Self {
        let before = sched_getaffinity(None).ok().filter(|_| wanted);
        let mut one = CpuSet::new();
        one.set(sched_getcpu());
        Self(before.filter(|_| sched_setaffinity(None, &one).is_ok()))
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // It was allowed before.
            sched_setaffinity(None, before).ok();
        }
    }
}

/// Has memory come in pages of 4 KiB, for this process and those that it starts, or as usual.
pub(crate) fn small_pages(only: bool) {
    // A kernel without large pages has small ones.
    rustix::thread::disable_transparent_huge_pages(only).ok();
}

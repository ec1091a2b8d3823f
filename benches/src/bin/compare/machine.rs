//! The machine that the figures are of, in general terms, and its limits.

use std::process::Command;
use std::thread::available_parallelism;

use anyhow::Result;
use procession_benches::programs::CHILDS_PROCESSOR;
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

/// Which processors a row's processes run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processors {
    /// The scheduler's choice.
    Any,
    /// One for all.
    One,
    /// One for the contender, and another for its children.
    Two,
}

/// Holds this thread, and the contenders that it starts, to processors until it is dropped.
#[derive(Debug)]
pub(crate) struct Placement {
    wanted: Processors,
    before: Option<CpuSet>,
    /// The one for the children of the contenders.
    children: Option<usize>,
}

impl Placement {
    /// Begins, where the system allows it and something is `wanted`.
    pub(crate) fn begin(wanted: Processors) -> Self {
        let before = sched_getaffinity(None).ok().filter(|_| wanted != Processors::Any);
        let own = sched_getcpu();
        let mut one = CpuSet::new();
        one.set(own);
        let before = before.filter(|_| sched_setaffinity(None, &one).is_ok());
        let others = before.filter(|_| wanted == Processors::Two);
        let children =
            others.and_then(|set| (0..CpuSet::MAX_CPU).find(|cpu| *cpu != own && set.is_set(*cpu)));
        Self { wanted, before, children }
    }

    /// Tells whether the machine has as many processors as are wanted.
    pub(crate) fn is_possible(&self) -> bool {
        self.wanted != Processors::Two || self.children.is_some()
    }

    /// Has the children of a contender run on the processor that is theirs.
    pub(crate) fn tell(&self, contender: &mut Command) {
        contender.envs(self.children.map(|cpu| (CHILDS_PROCESSOR, cpu.to_string())));
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
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

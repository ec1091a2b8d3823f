//! The machine that made the figures, in general terms, and its limits.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Result, ensure};
use procession_benches::programs::CHILDS_PROCESSOR;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use serde_json::{Value, json};

/// Returns kernel, processors and compiler.
pub(crate) fn describe() -> Result<Value> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned();
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    Ok(json!({ "kernel": kernel, "cpus": available_parallelism()?.get(), "rustc": rustc }))
}

/// Lets this process, and every contender that it starts, open as many descriptors as it may.
pub(crate) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // If the limit stays too low, the rows that need more report it.
    setrlimit(Resource::Nofile, raised).ok();
}

/// Returns how many descriptors a process may have open.
pub(crate) fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// What a child costs the kernel in memory, with some in reserve.
const CHILD_KIB: u64 = 128;
/// How many processes are left to everything else.
const OTHER_PROCESSES: u64 = 1_000;

/// Fails, with the reason, if the machine has no room for this many children.
pub(crate) fn check_children(count: u64) -> Result<()> {
    let number = |file: &str| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    // A line is `0::PATH`, or `NUMBER:CONTROLLERS:PATH` in the first version.
    let of_group = |line: &str| match line.splitn(3, ':').collect::<Vec<_>>()[..] {
        [_, "", path] => number(&format!("/sys/fs/cgroup{path}/pids.max")),
        [_, "pids", path] => number(&format!("/sys/fs/cgroup/pids{path}/pids.max")),
        _ => None,
    };
    let limits = [
        ("ulimit -u", getrlimit(Resource::Nproc).current),
        ("pid_max", number("/proc/sys/kernel/pid_max")),
        ("pids.max of the control group", groups.lines().find_map(of_group)),
    ];
    for (name, limit) in limits {
        let room = limit.unwrap_or(u64::MAX).saturating_sub(OTHER_PROCESSES);
        ensure!(count <= room, "skipped: {count} children, and {name} leaves room for {room}");
    }
    let memory = fs::read_to_string("/proc/meminfo")?;
    let available = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let available = available.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    let room = available.unwrap_or(u64::MAX) / CHILD_KIB;
    ensure!(count <= room, "skipped: {count} children, and memory has room for {room}");
    Ok(())
}

/// Which processors a row's processes run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processors {
    /// The scheduler's choice.
    Any,
    /// One processor for all processes.
    One,
    /// One processor for the contender, and another one for its children.
    Two,
}

/// Restricts this thread, and the contenders that it starts, to processors until it is dropped.
#[derive(Debug)]
pub(crate) struct Placement {
    wanted: Processors,
    before: Option<CpuSet>,
    /// The processor for the contenders' children.
    children: Option<usize>,
}

impl Placement {
    /// Starts the restriction, if the system allows it and `wanted` asks for one.
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

    /// Returns whether the machine has as many processors as `wanted` needs.
    pub(crate) fn is_possible(&self) -> bool {
        self.wanted != Processors::Two || self.children.is_some()
    }

    /// Makes the children of a contender run on their processor.
    pub(crate) fn set_childs_processor(&self, contender: &mut Command) {
        contender.envs(self.children.map(|cpu| (CHILDS_PROCESSOR, cpu.to_string())));
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // This set was allowed before.
            sched_setaffinity(None, before).ok();
        }
    }
}

/// Turns large pages off, or on again, for this process and those that it starts.
pub(crate) fn small_pages(only: bool) {
    // A kernel without large pages has only small ones.
    rustix::thread::disable_transparent_huge_pages(only).ok();
}

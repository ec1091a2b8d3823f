//! The machine that the figures are of, in general terms, and its limits.

use std::process::Command;
use std::thread::available_parallelism;

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
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

/// Has memory come in pages of 4 KiB, for this process and those that it starts, or as usual.
pub(crate) fn small_pages(only: bool) {
    // A kernel without large pages has small ones.
    rustix::thread::disable_transparent_huge_pages(only).ok();
}

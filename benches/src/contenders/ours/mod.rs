//! procession, through its public API as a user would write it.

mod background;
mod bulk;
mod cats;
mod crowd;
mod echo;
mod helpers;
mod loops;
mod net;
mod on_tokio;
mod spawn;
mod ssh;
mod without_loop;

use std::error::Error;

use anyhow::{Result, anyhow};

use super::Prepare;
use crate::job::{Job, Ready};

/// Returns procession's work for a row.
pub(super) fn row(id: &str) -> Option<Prepare> {
    Some(match id {
        "spawn" | "spawn-1g" | "spawn-18k" | "spawn-pty" => spawn::one_by_one,
        "spawn-5k" => spawn::beside_a_crowd,
        "spawn-stall" => spawn::stall,
        "spawn-loop-cpu" => spawn::loop_time,
        "spawn-rate-2" | "spawn-rate-2-3k" => spawn::two_at_a_time,
        "bulk-out-128k" | "bulk-out-4k" | "bulk-out-one-cpu" => bulk::from_child,
        "bulk-cat" => bulk::through_cat,
        "forward" => bulk::forward,
        "forward-cpu" => bulk::forward_cpu,
        "echo" | "echo-5k" => echo::one_byte,
        "exit-storm" => crowd::exit_storm,
        "memory-per-child" => crowd::memory,
        "idle" => crowd::idle,
        id if id.starts_with("crowd-") => cats::life,
        "capture" | "capture-static" => helpers::capture,
        "run-all" => helpers::run_all,
        "ssh-bulk" => ssh::bulk,
        "ssh-run-all" => ssh::run_all,
        "lines" => helpers::lines,
        "blocking-spawn" => without_loop::one_by_one,
        "blocking-capture" | "blocking-capture-static" => without_loop::capture,
        "blocking-echo" => without_loop::echo,
        "tokio-spawn" | "tokio-spawn-any" | "tokio-spawn-512m" => on_tokio::spawn,
        "tokio-bulk" | "tokio-bulk-multi" => on_tokio::bulk,
        "tokio-echo" => on_tokio::echo,
        "background-run"
        | "background-run-static"
        | "background-run-64"
        | "background-run-64-multi" => background::at_once,
        "timers-1m" => loops::timers,
        "wake" => loops::wake,
        // Not a row of the table: the tests count its instructions and system calls.
        "dispatch" => loops::dispatch,
        "tcp-echo-1" | "tcp-echo-1k" => net::echo_server,
        _ => return None,
    })
}

/// Does the same, but creates the mailbox after the descriptors were opened.
pub(super) fn row_with_late_mailbox(id: &str) -> Option<Prepare> {
    Some(match id {
        "spawn-18k" => spawn::with_late_mailbox,
        "spawn-rate-2-3k" => spawn::two_with_late_mailboxes,
        _ => return None,
    })
}

/// Does the same as a stream that is awaited.
pub(super) fn row_as_stream(id: &str) -> Option<Prepare> {
    (id == "lines").then_some(helpers::lines_of_stream)
}

/// Converts an error of the library for `anyhow`.
fn any(error: Box<dyn Error>) -> anyhow::Error {
    anyhow!("{error}")
}

/// Prepares a contender of procession for direct use by the criterion benches.
///
/// # Errors
///
/// As [`prepare`](super::prepare).
pub fn prepare(job: &Job) -> Result<Ready> {
    super::prepare("procession", job)
}

//! tokio, on its current-thread runtime, used as its documentation says.

mod bulk;
mod cats;
mod crowd;
mod echo;
mod helpers;
mod loops;
mod net;
pub(super) mod rounds;
mod spawn;

use std::io;

use tokio::runtime::{Builder, Runtime};

use super::Prepare;
use crate::job::Job;

/// Returns tokio's work for a row.
pub(super) fn row(id: &str) -> Option<Prepare> {
    Some(match id {
        "spawn" | "spawn-1g" | "spawn-18k" | "spawn-5k" => spawn::one_by_one,
        "spawn-stall" => spawn::stall,
        "spawn-rate-2" => spawn::two_at_a_time,
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
        "lines" => bulk::lines,
        "tokio-spawn" | "tokio-spawn-any" | "tokio-spawn-512m" => spawn::with_wait,
        "tokio-bulk" | "tokio-bulk-multi" => bulk::from_child_in_task,
        "tokio-echo" => echo::one_byte,
        "background-run"
        | "background-run-static"
        | "background-run-64"
        | "background-run-64-multi" => helpers::at_once,
        "timers-1m" => loops::timers,
        "wake" => loops::wake,
        "dispatch" => loops::dispatch,
        "tcp-echo-1" | "tcp-echo-1k" => net::echo_server,
        _ => return None,
    })
}

/// Returns the other way to do the timers: one task per timer.
pub(super) fn row_with_tasks(id: &str) -> Option<Prepare> {
    (id == "timers-1m").then_some(loops::timers_in_tasks)
}

/// Returns the other way to do the lines: all are read into the same buffer.
pub(super) fn row_with_one_buffer(id: &str) -> Option<Prepare> {
    (id == "lines").then_some(bulk::lines_in_one_buffer)
}

/// Returns the runtime of a row: one thread, or two if its name says so.
pub(super) fn runtime_for(job: &Job) -> io::Result<Runtime> {
    if job.row.ends_with("-multi") {
        return Builder::new_multi_thread().worker_threads(2).enable_all().build();
    }
    runtime()
}

pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

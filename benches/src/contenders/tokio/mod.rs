//! tokio, on its current-thread runtime, used as its documentation says.

mod bulk;
mod crowd;
mod echo;
mod helpers;
mod loops;
mod net;
mod spawn;

use std::io;

use tokio::runtime::{Builder, Runtime};

use super::Prepare;

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
        "capture" | "capture-static" => helpers::capture,
        "run-all" => helpers::run_all,
        "lines" => bulk::lines,
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

pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

//! The limit: bare loops of system calls, without a library, and blocking if that is cheapest.
//!
//! The limits of spawning are another program, `peers/limit.c`.

mod bulk;
pub(crate) mod crowd;
mod echo;
pub(crate) mod loops;
mod net;

use super::Prepare;

/// Returns the limit of a row.
pub(super) fn row(id: &str) -> Option<Prepare> {
    Some(match id {
        "bulk-out-128k" | "bulk-out-4k" | "bulk-out-one-cpu" => bulk::from_child,
        "bulk-cat" => bulk::through_cat,
        "lines" => bulk::lines,
        "forward" => bulk::forward,
        "forward-cpu" => bulk::forward_cpu,
        "echo" | "echo-5k" => echo::one_byte,
        "exit-storm" => crowd::exit_storm,
        "wake" => loops::wake,
        "tcp-echo-1" | "tcp-echo-1k" => net::echo_server,
        _ => return None,
    })
}

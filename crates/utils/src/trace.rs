//! What a program with the feature `tracing` sees of runs and monitors, beside the spans of their children.
//! Arguments, variables and output are in none of it.
//!
//! Without the feature nothing here does anything.

use std::time::Duration;

use procession_process_transport::Command;

#[cfg(feature = "reactor")]
use crate::MonitorChange;

/// A time limit has ended a run.
#[cfg(feature = "tracing")]
pub(crate) fn timed_out(pid: Option<u32>) {
    use procession_process_transport::driver::child_span;

    let span = pid.map_or_else(tracing::Span::none, child_span);
    tracing::warn!(target: "procession", parent: &span, "timed out");
}

#[cfg(not(feature = "tracing"))]
#[inline]
pub(crate) fn timed_out(_: Option<u32>) {}

/// A program that has failed is started again after a pause.
#[cfg(feature = "tracing")]
pub(crate) fn retries(command: &Command, left: u32, pause: Duration) {
    let program = command.get_program().to_string_lossy();
    tracing::warn!(target: "procession", %program, left, ?pause, "failed, and is tried again");
}

#[cfg(not(feature = "tracing"))]
#[inline]
pub(crate) fn retries(_: &Command, _: u32, _: Duration) {}

/// A program of a monitor has not become ready in time, will be started again, or has failed for good.
#[cfg(all(feature = "tracing", feature = "reactor"))]
pub(crate) fn kept(name: &str, change: &MonitorChange) {
    match change {
        MonitorChange::StartTimedOut => {
            tracing::warn!(target: "procession", name, "was not ready in time");
        }
        MonitorChange::Pausing { pause } => {
            tracing::info!(target: "procession", name, ?pause, "is started again after a pause");
        }
        MonitorChange::Failed { .. } => {
            tracing::warn!(target: "procession", name, "has failed for good");
        }
        _ => {}
    }
}

#[cfg(all(not(feature = "tracing"), feature = "reactor"))]
#[inline]
pub(crate) fn kept(_: &str, _: &MonitorChange) {}

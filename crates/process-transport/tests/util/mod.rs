//! What every behaviour test of this crate stands on: a recording protocol, a loop that is driven
//! to a condition, leak checks, and processes of their own for tests that need one.
//!
//! A test is one call of [`behaviour`] or [`isolated`]. The first gives it a [`Driver`] and checks
//! at the end that no descriptor and no child is left.
#![allow(
    dead_code,
    unused_imports,
    reason = "every test crate has all of this file and uses its own part"
)]

mod bound;
mod drive;
pub(crate) mod forwarding;
mod isolate;
mod kernel;
mod leaks;
mod owner;
mod path;
mod probe;
mod recorder;
mod sanitizer;
mod skip;
mod standard;
pub(crate) mod sys;

use std::time::Duration;

pub(crate) use self::bound::{PROMPTLY, bound};
pub(crate) use self::drive::{Driver, Spawned, behaviour};
pub(crate) use self::isolate::{isolated, isolated_as_pid_1, isolated_without_leak_check};
pub(crate) use self::kernel::{keeps_statuses, signals_groups_by_pidfd};
pub(crate) use self::leaks::{Leaks, children, open_fds, process_state};
pub(crate) use self::owner::{Owner, WAYS, lives};
pub(crate) use self::path::{command, forced_path, sh};
pub(crate) use self::probe::{PROBE, fd_list, probe};
pub(crate) use self::recorder::{Event, Record, Recorder, code, signal};
pub(crate) use self::sanitizer::{sanitizer, without_leak_check};
pub(crate) use self::skip::{root_or_skip, skip, skip_here};
pub(crate) use self::standard::Standard;

/// The catalogue's watchdog: nothing that a test waits for takes this long.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(10);

/// Milliseconds, short.
pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

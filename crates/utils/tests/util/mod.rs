//! What the tests of this crate stand on: a process of its own for each, a loop that is driven to a
//! result or a deadline, and the check that no descriptor and no child is left.
#![allow(dead_code, unused_imports, reason = "every test crate uses its own part of this file")]

#[path = "../../../process-transport/tests/util/bound.rs"]
mod bound;
mod drive;
mod isolate;
mod leaks;
mod program;
#[path = "../../../process-transport/tests/util/sanitizer.rs"]
mod sanitizer;
#[path = "../../../process-transport/tests/util/skip.rs"]
mod skip;
mod sys;
mod terminal;

use std::time::Duration;

use procession_process_transport::Command;

pub(crate) use self::bound::bound;
pub(crate) use self::drive::{Driver, behaviour};
pub(crate) use self::isolate::{isolated, isolated_without_leak_check};
pub(crate) use self::leaks::{children, open_fds, process_state, rss_bytes, rss_peak_bytes};
pub(crate) use self::program::{Program, is_running};
pub(crate) use self::sanitizer::{sanitizer, without_leak_check};
pub(crate) use self::skip::skip_here;
pub(crate) use self::sys::in_a_copy;
pub(crate) use self::terminal::on_terminal;

/// Nothing that a test waits for takes this long.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(10);

/// Milliseconds, short.
pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// `sh -c script`.
pub(crate) fn sh(script: &str) -> Command {
    Command::new("/bin/sh").args(["-c", script])
}

//! What the tests of this crate stand on: a loop that is driven to a result or a deadline, programs, and
//! what the crate of test support has for all.
#![allow(dead_code, unused_imports, reason = "every test crate uses its own part of this file")]

mod drive;
mod program;
mod terminal;

use procession_process_transport::Command;
pub(crate) use procession_test_support::sys::in_a_copy;
pub(crate) use procession_test_support::{
    WATCHDOG, bound, children, isolated, isolated_without_leak_check, ms, open_fds, process_state,
    rss_bytes, rss_peak_bytes, sanitizer, skip_here,
};

pub(crate) use self::drive::{Driver, behaviour};
pub(crate) use self::program::{Program, is_running};
pub(crate) use self::terminal::on_terminal;

/// `sh -c script`.
pub(crate) fn sh(script: &str) -> Command {
    Command::new("/bin/sh").args(["-c", script])
}

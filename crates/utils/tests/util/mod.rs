//! Support for the tests of this crate: a loop that is driven until there is a result, and test
//! programs. It re-exports what the tests use of the test-support crate.
#![allow(dead_code, unused_imports, reason = "every test crate includes all and uses a part")]

mod both;
#[cfg(feature = "reactor")]
mod drive;
#[cfg(feature = "reactor")]
mod program;
pub(crate) mod slurm;
pub(crate) mod sshd;
#[cfg(feature = "reactor")]
mod terminal;
#[cfg(feature = "reactor")]
pub(crate) mod watched;

use procession_process_transport::Command;
pub(crate) use procession_test_support::sys::in_a_copy;
pub(crate) use procession_test_support::{
    WATCHDOG, bound, children, isolated, isolated_without_leak_check, ms, open_fds, process_state,
    rss_bytes, rss_peak_bytes, sanitizer, skip_here,
};

pub(crate) use self::both::{Runner, blocking, both, now, until};
#[cfg(feature = "reactor")]
pub(crate) use self::drive::{Driver, behaviour};
#[cfg(feature = "reactor")]
pub(crate) use self::program::{Program, is_running};
#[cfg(feature = "reactor")]
pub(crate) use self::terminal::on_terminal;

/// Makes the command `sh -c script`.
pub(crate) fn sh(script: &str) -> Command {
    Command::new("/bin/sh").args(["-c", script])
}

/// Returns whether this is the slow tier: `PROCESSION_SLOW` is 1.
pub(crate) fn is_slow() -> bool {
    std::env::var_os("PROCESSION_SLOW").is_some_and(|value| value == "1")
}

//! Helpers for the behaviour tests of every crate: a separate process for a test that needs one, leak
//! checks, bounds on time, and loud skipping.
//!
//! Every function panics if it cannot do what it is called for; that fails the test.
//!
//! # What this crate does not do
//!
//! It knows none of the crates under test, so it is built once for all of them, whatever their features.
//! Helpers that drive a loop, record a protocol or make a `Command` are in `tests/util` of the crate that
//! they test.
//!
//! # Examples
//!
//! ```
//! use procession_test_support::{Leaks, isolated};
//!
//! # if false {
//! isolated("no_descriptor_is_left", || {
//!     let leaks = Leaks::baseline();
//!     std::fs::read("/dev/null").unwrap();
//!     leaks.assert_none();
//! });
//! # }
//! ```
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![expect(clippy::missing_panics_doc, reason = "the page documents all panics")]

mod bound;
mod isolate;
mod kernel;
mod leaks;
mod sanitizer;
mod skip;
mod standard;
pub mod sys;

pub use self::bound::{PROMPTLY, WATCHDOG, announce, bound, ms};
pub use self::isolate::{
    VARIABLE, is_isolated, isolated, isolated_as_pid_1, isolated_without_leak_check,
};
pub use self::kernel::{keeps_statuses, signals_groups_by_pidfd};
pub use self::leaks::{Leaks, children, open_fds, process_state, rss_bytes, rss_peak_bytes};
pub use self::sanitizer::{sanitizer, without_leak_check};
pub use self::skip::{forward, root_or_skip, skip, skip_here};
pub use self::standard::Standard;

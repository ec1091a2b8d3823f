//! Support for the behaviour tests of every crate: runs a test in its own process, finds leaked
//! descriptors and children, bounds the time of a wait, skips a test visibly, and starts servers of ssh.
//!
//! Every function panics if it cannot do its work, which fails the test.
//!
//! # What this crate does not do
//!
//! It depends on none of the crates under test, so one build serves all of them, whatever features
//! they are tested with. Code that drives a loop, records a protocol or makes a `Command` is in the
//! `tests/util` folder of its crate.
//!
//! # Examples
//!
//! ```
//! use procession_test_support::{Leaks, isolated};
//!
//! // It has `#[test]` in a test file.
//! fn no_descriptor_is_left() {
//!     isolated("no_descriptor_is_left", || {
//!         let leaks = Leaks::baseline();
//!         std::fs::read("/dev/null").unwrap();
//!         leaks.assert_none();
//!     });
//! }
//! ```
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![expect(clippy::missing_panics_doc, reason = "the crate page says it for all functions")]

mod bound;
mod isolate;
mod kernel;
mod leaks;
mod sanitizer;
mod skip;
mod sshd;
mod standard;
pub mod sys;

pub use self::bound::{PROMPTLY, WATCHDOG, announce, bound, ms};
pub use self::isolate::{
    VARIABLE, is_isolated, isolated, isolated_as_pid_1, isolated_for_each,
    isolated_without_leak_check,
};
pub use self::kernel::{
    copies_tables_without_marks, core_dumps_end_one_process, keeps_statuses,
    signals_groups_by_pidfd,
};
pub use self::leaks::{Leaks, children, open_fds, process_state, rss_bytes, rss_peak_bytes};
pub use self::sanitizer::{sanitizer, without_leak_check};
pub use self::skip::{forward, root_or_skip, served, skip, skip_here};
pub use self::sshd::Sshd;
pub use self::standard::Standard;

//! Support for the behaviour tests of this crate: a recording protocol, and a loop that is driven
//! until a condition holds. It re-exports what the tests use of the test-support crate.
//!
//! A test is one call of [`behaviour`] or [`isolated`]. `behaviour` passes a [`Driver`] to the test
//! and checks at the end that no descriptor and no child is left.
#![allow(
    dead_code,
    unused_imports,
    reason = "every test crate includes all of this and uses a part"
)]

mod drive;
pub(crate) mod forwarding;
mod owner;
mod path;
mod probe;
mod recorder;
pub(crate) mod scopes;
pub(crate) mod sys;
pub(crate) mod users;
mod ways;

pub(crate) use procession_test_support::{
    Leaks, PROMPTLY, Standard, WATCHDOG, bound, children, isolated, isolated_as_pid_1,
    isolated_without_leak_check, keeps_statuses, ms, open_fds, process_state, root_or_skip,
    sanitizer, signals_groups_by_pidfd, skip, skip_here, without_leak_check,
};

pub(crate) use self::drive::{Driver, Spawned, behaviour};
pub(crate) use self::owner::{Owner, WAYS, lives};
pub(crate) use self::path::{command, forced_path, sh};
pub(crate) use self::probe::{PROBE, Written, fd_list, probe};
pub(crate) use self::recorder::{Event, Record, Recorder, code, signal};
pub(crate) use self::ways::{Ended, Way, in_every_way};

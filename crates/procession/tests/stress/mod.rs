//! Test support for the stress tests: the drivers, recorders and leak checks of the process transport's
//! tests, the switch of the slow tier, and random numbers from a seed.
#![allow(
    dead_code,
    unused_imports,
    reason = "every test crate includes the whole file and uses its own part"
)]

#[path = "../../../process-transport/tests/util/drive.rs"]
mod drive;
#[path = "../../../process-transport/tests/util/path.rs"]
mod path;
#[path = "../../../process-transport/tests/util/recorder.rs"]
mod recorder;

use std::collections::BTreeSet;
use std::time::Duration;

use procession_process_transport::Command;
pub(crate) use procession_test_support::{
    Leaks, WATCHDOG, bound, children, isolated, keeps_statuses, ms, open_fds, process_state,
    root_or_skip, skip, sys,
};

pub(crate) use self::drive::{Driver, Spawned, behaviour};
pub(crate) use self::path::{command, forced_path, sh};
pub(crate) use self::recorder::{Event, Record, Recorder, code, signal};

/// The time limit of a test of the slow tier.
const SLOW_WATCHDOG: Duration = Duration::from_secs(1800);

/// Runs `body` as [`behaviour`] does if `PROCESSION_SLOW` is 1; else returns at once.
pub(crate) fn slow(name: &str, body: impl FnOnce(&mut Driver)) {
    if std::env::var_os("PROCESSION_SLOW").is_none_or(|value| value != "1") {
        return;
    }
    behaviour(name, |driver| {
        sys::alarm(SLOW_WATCHDOG);
        body(driver);
    });
}

/// Returns the descriptors that `ls` lists as open if it was given these: the directory that it reads
/// takes the lowest free number.
pub(crate) fn with_directory(given: &[i32]) -> BTreeSet<i32> {
    let directory = (0..).find(|number| !given.contains(number));
    given.iter().copied().chain(directory).collect()
}

/// Returns a command that lists its descriptors on 1.
pub(crate) fn list_fds() -> Command {
    command("/bin/ls").args(["-1", "/proc/self/fd"])
}

/// Returns the descriptors that [`list_fds`] wrote.
pub(crate) fn listed(record: &Record) -> BTreeSet<i32> {
    record.text(1).lines().map(|line| line.parse().expect("ls lists numbers")).collect()
}

/// Returns the resident set size of this process, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("the second field counts pages") * 4096
}

/// A generator of pseudorandom numbers (SplitMix64).
pub(crate) struct Numbers(u64);

impl Numbers {
    /// Creates a generator; the same seed gives the same numbers.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

//! Time limits for tests. They hold on an idle machine and are multiplied on a busy one.

use std::io::Write;
use std::time::Duration;

/// The watchdog of the case catalogue: everything that a test waits for happens sooner than this.
/// On a busy machine, [`bound()`] of this is the limit.
pub const WATCHDOG: Duration = Duration::from_secs(10);

/// The time that the case catalogue calls "promptly".
pub const PROMPTLY: Duration = Duration::from_millis(300);

/// Returns four times `usual` if `PROCESSION_BUSY_MACHINE=1`, which means that other processes keep
/// the processors busy, and `usual` otherwise.
pub fn bound(usual: Duration) -> Duration {
    if is_busy() { usual * 4 } else { usual }
}

/// Writes a line to stderr if the limits are longer. Call it before a test begins, because a test
/// may change descriptor 2.
pub fn announce() {
    if is_busy() {
        let line = "PROCESSION_BUSY_MACHINE: every bound on time is four times as long\n";
        // A failed write is harmless: nobody reads the line then.
        std::io::stderr().write_all(line.as_bytes()).ok();
    }
}

/// Returns a duration of so many milliseconds.
#[must_use]
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn is_busy() -> bool {
    std::env::var_os("PROCESSION_BUSY_MACHINE").is_some_and(|value| value == "1")
}

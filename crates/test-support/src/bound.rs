//! Bounds on time, for a machine that other programs do not keep busy.

use std::io::Write;
use std::time::Duration;

/// The watchdog of the catalogue of cases: nothing that a test waits for takes this long. On a busy
/// machine, use its [`bound()`].
pub const WATCHDOG: Duration = Duration::from_secs(10);

/// The time that the catalogue of cases calls "promptly".
pub const PROMPTLY: Duration = Duration::from_millis(300);

/// Returns `usual`, or four times as much if `PROCESSION_BUSY_MACHINE=1` says that other programs keep the
/// processors busy.
pub fn bound(usual: Duration) -> Duration {
    if is_busy() { usual * 4 } else { usual }
}

/// Prints a line if bounds are longer. Call it before a test begins: the test may replace descriptor 2.
pub fn announce() {
    if is_busy() {
        let line = "PROCESSION_BUSY_MACHINE: every bound on time is four times as long\n";
        // If the write fails, nobody reads stderr.
        std::io::stderr().write_all(line.as_bytes()).ok();
    }
}

/// Returns a duration of this many milliseconds.
#[must_use]
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn is_busy() -> bool {
    std::env::var_os("PROCESSION_BUSY_MACHINE").is_some_and(|value| value == "1")
}

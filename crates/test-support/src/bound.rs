//! Bounds on time, which hold on a machine that is not kept busy by others.

use std::io::Write;
use std::time::Duration;

/// The catalogue's watchdog: nothing that a test waits for takes this long; on a busy machine, not its
/// [`bound()`].
pub const WATCHDOG: Duration = Duration::from_secs(10);

/// What the catalogue calls "promptly".
pub const PROMPTLY: Duration = Duration::from_millis(300);

/// Four times as much where `PROCESSION_BUSY_MACHINE=1` tells that others keep the processors busy;
/// else `usual`.
pub fn bound(usual: Duration) -> Duration {
    if is_busy() { usual * 4 } else { usual }
}

/// Says so, before a test begins: once it runs, descriptor 2 may be what it is about.
pub fn announce() {
    if is_busy() {
        let line = "PROCESSION_BUSY_MACHINE: every bound on time is four times as long\n";
        // Nobody reads it: nobody is told.
        std::io::stderr().write_all(line.as_bytes()).ok();
    }
}

/// Milliseconds, short.
#[must_use]
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn is_busy() -> bool {
    std::env::var_os("PROCESSION_BUSY_MACHINE").is_some_and(|value| value == "1")
}

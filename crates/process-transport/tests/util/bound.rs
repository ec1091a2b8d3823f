//! Bounds on time, which hold on a machine that is not kept busy by others.

use std::time::Duration;

/// What the catalogue calls "promptly".
pub(crate) const PROMPTLY: Duration = Duration::from_millis(300);

/// Four times as much where `PROCESSION_BUSY_MACHINE=1` tells that others keep the processors busy;
/// else `usual`.
pub(crate) fn bound(usual: Duration) -> Duration {
    if is_busy() { usual * 4 } else { usual }
}

/// Says so, before a test begins: once it runs, descriptor 2 may be what it is about.
pub(crate) fn announce() {
    if is_busy() {
        eprintln!("PROCESSION_BUSY_MACHINE: every bound on time is four times as long");
    }
}

fn is_busy() -> bool {
    std::env::var_os("PROCESSION_BUSY_MACHINE").is_some_and(|value| value == "1")
}

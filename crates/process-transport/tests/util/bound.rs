//! Bounds on time, which hold on a machine that is not kept busy by others.

use std::time::Duration;

/// What the catalogue calls "promptly".
pub(crate) const PROMPTLY: Duration = Duration::from_millis(300);

/// Four times as much, and said so, where `PROCESSION_BUSY_MACHINE=1` tells that others keep the
/// processors busy; else `usual`.
pub(crate) fn bound(usual: Duration) -> Duration {
    if std::env::var_os("PROCESSION_BUSY_MACHINE").is_some_and(|value| value == "1") {
        eprintln!("PROCESSION_BUSY_MACHINE: {usual:?} may take {:?}", usual * 4);
        return usual * 4;
    }
    usual
}

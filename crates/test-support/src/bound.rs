//! Time limits for tests. They hold on an idle machine and are multiplied on a busy one.

use std::io::Write;
use std::time::Duration;

/// The watchdog of the case catalogue: everything that a test waits for happens sooner than this.
/// On a busy machine, [`bound()`] of this is the limit.
pub const WATCHDOG: Duration = Duration::from_secs(10);

/// The time that the case catalogue calls "promptly".
pub const PROMPTLY: Duration = Duration::from_millis(300);

/// Returns `usual` times the factor of a slow machine, or `usual` if the machine is not slow.
///
/// `PROCESSION_BUSY_MACHINE=1` means that other processes keep the processors busy: the factor is 4.
/// A larger number is the factor itself, for an emulated processor.
pub fn bound(usual: Duration) -> Duration {
    usual * factor()
}

/// Writes a line to stderr if the limits are longer. Call it before a test begins, because a test
/// may change descriptor 2.
pub fn announce() {
    let factor = factor();
    if factor > 1 {
        let line =
            format!("PROCESSION_BUSY_MACHINE: every bound on time is {factor} times as long\n");
        // A failed write is harmless: nobody reads the line then.
        std::io::stderr().write_all(line.as_bytes()).ok();
    }
}

/// Returns a duration of so many milliseconds.
#[must_use]
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn factor() -> u32 {
    factor_of(std::env::var("PROCESSION_BUSY_MACHINE").ok().as_deref())
}

fn factor_of(value: Option<&str>) -> u32 {
    match value.map(str::parse) {
        Some(Ok(1)) => 4,
        Some(Ok(factor)) if factor > 1 => factor,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::factor_of;

    #[test]
    fn one_stands_for_four_and_a_larger_number_for_itself() {
        let factors = [None, Some(""), Some("0"), Some("no"), Some("1"), Some("2"), Some("16")];
        assert_eq!(factors.map(factor_of), [1, 1, 1, 1, 4, 2, 16]);
    }
}

//! The parent's peak of resident memory, which exec folds into the child's.
//!
//! What a child inherits is the peak of the memory that it had before its exec: `VmHWM` of the
//! parent. `getrusage(2)` gives that too, but never less than the peak of the program that the
//! parent itself was exec'd from (cargo, a shell): where that is the larger one, the figure says
//! nothing, and `/proc/self/status` is read instead: some tens of microseconds a spawn, there alone.

use crate::sys;
use std::sync::OnceLock;

/// An upper bound of what a child that is spawned now inherits, in KiB.
pub(crate) fn own_peak_kib() -> i64 {
    /// The peak that this process inherited, if that is above its own.
    static INHERITED: OnceLock<Option<i64>> = OnceLock::new();
    let peak = sys::own_peak_kib();
    let inherited = INHERITED
        .get_or_init(|| memory_peak_kib().is_some_and(|memory| memory < peak).then_some(peak));
    if *inherited == Some(peak) { memory_peak_kib().unwrap_or(peak) } else { peak }
}

/// `VmHWM`, in KiB; `None` where there is no /proc.
fn memory_peak_kib() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{memory_peak_kib, own_peak_kib};

    #[test]
    fn the_bound_is_not_below_the_peak_of_this_memory() {
        let before = memory_peak_kib().expect("/proc is mounted");
        assert!(own_peak_kib() >= before);
    }
}

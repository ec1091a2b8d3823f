//! The resource usage of a child excludes the memory that its parent had before the exec.
#![cfg(feature = "reactor")]

mod util;

use crate::util::{behaviour, command};

/// More memory than this test's process holds otherwise, in bytes.
const HELD: usize = 96 << 20;

/// The kernel folds the parent's peak into the peak of a child that shares its memory until the
/// exec.
#[test]
fn a_peak_that_may_be_the_parents_is_unknown() {
    behaviour("a_peak_that_may_be_the_parents_is_unknown", |driver| {
        let mut held = vec![0_u8; HELD];
        held.chunks_mut(4096).for_each(|page| page[0] = 1);
        drop(std::hint::black_box(held));
        let small = driver.run(command("/bin/true"));
        let done = small.ended().expect("it has ended").expect("a success");
        let usage = done.usage().expect("it was reaped here");
        assert_eq!(usage.peak_rss_bytes(), None, "less than its parent");
        let dd = ["if=/dev/zero", "of=/dev/null", "bs=300M", "count=1", "status=none"];
        let large = driver.run(command("dd").args(dd));
        let done = large.ended().expect("it has ended").expect("a success");
        let peak = done.usage().expect("it was reaped here").peak_rss_bytes();
        assert!(peak.is_some_and(|peak| peak > 300 << 20), "{peak:?}");
    });
}

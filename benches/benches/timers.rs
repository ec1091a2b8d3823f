//! A hundred thousand timers: half of them are cancelled, and the others fire.
//!
//! The work is that of the rows of `cargo xtask compare`. An iteration is a round.

mod round;

use criterion::Criterion;

use crate::round::round;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("timers");
    group.sample_size(20);
    round(&mut group, "100,000", "timers-1m", 1, 100000);
    group.finish();
    criterion.final_summary();
}

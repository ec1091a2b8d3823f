//! A call from another thread, and its answer.
//!
//! The work is that of the rows of `cargo xtask compare`. An iteration is a round.

mod round;

use criterion::Criterion;

use crate::round::round;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("wake-up");
    group.sample_size(20);
    round(&mut group, "round trip", "wake", 500, 0);
    group.finish();
    criterion.final_summary();
}

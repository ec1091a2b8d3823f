//! The latency of one byte to `cat` and back, with no other child and with a thousand.
//!
//! The work is that of the rows of `cargo xtask compare`. An iteration is a round.

mod round;

use criterion::Criterion;

use crate::round::round;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("one byte through cat");
    group.sample_size(20);
    round(&mut group, "alone", "echo", 200, 0);
    round(&mut group, "beside 1,000 children", "echo-5k", 200, 1000);
    group.finish();
    criterion.final_summary();
}

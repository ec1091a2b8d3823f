//! A row of `cargo xtask compare` as a bench. An iteration is a round.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Throughput};
use procession_benches::clock::Stopwatch;
use procession_benches::contenders::ours;
use procession_benches::job::Job;
use procession_benches::programs;

/// Measures procession's rounds of one row.
pub(crate) fn round(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    row: &str,
    count: u64,
    crowd: u64,
) {
    let programs = programs::build().expect("there is a C compiler");
    let job = Job { row: row.to_owned(), programs, count, crowd };
    let mut ready = ours::prepare(&job).expect("the row exists");
    // For timers, a round works through the crowd. In other rows the crowd only exists beside the
    // work.
    let done = if row == "timers-1m" { crowd } else { count };
    group.throughput(Throughput::Elements(done));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let watch = Stopwatch::start();
            for _ in 0..rounds {
                (ready.round)().expect("runs");
            }
            watch.elapsed()
        });
    });
}

//! The time from `spawn_process` to the `process_ended` of `true`, through the public API.
//!
//! `std` does the same with `std::process`, which blocks: this is the cost of the kernel and the
//! child.

use std::process::Stdio;

use criterion::Criterion;
use procession::prelude::*;
use procession_benches::{Input, run};

fn spawn(criterion: &mut Criterion) {
    let mut reactor = Reactor::new().expect("the thread has no other reactor");
    let mut group = criterion.benchmark_group("spawn true to its end");
    group.bench_function("three pipes", |bencher| {
        bencher.iter(|| run(&mut reactor, Command::new("true"), Input::default()).expect("runs"));
    });
    group.bench_function("no pipe", |bencher| {
        let fds = || [0, 1, 2].map(|number| (number, Fd::null()));
        bencher.iter(|| {
            let command = Command::new("true").child_fds(fds());
            run(&mut reactor, command, Input::default()).expect("runs")
        });
    });
    group.bench_function("std, three pipes", |bencher| {
        bencher.iter(|| {
            let mut command = std::process::Command::new("true");
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().and_then(|child| child.wait_with_output()).expect("runs")
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    spawn(&mut criterion);
    criterion.final_summary();
}

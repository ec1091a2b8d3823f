//! The throughput of pipes: from a child, to a child, and through one.

use criterion::{Criterion, Throughput};
use procession::prelude::*;
use procession_benches::{Input, run};

static CHUNK: [u8; 64 << 10] = [b'x'; 64 << 10];
/// So much data that the start of the child takes less than one percent of the time.
const CHUNKS: u64 = 4096;
const TOTAL_BYTES: u64 = CHUNKS * CHUNK.len() as u64;

fn input() -> Input {
    Input { chunk: Bytes::from_static(&CHUNK), times: CHUNKS }
}

fn throughput(criterion: &mut Criterion) {
    let mut reactor = Reactor::new().expect("the thread has no other reactor");
    let mut group = criterion.benchmark_group("pipe throughput");
    group.throughput(Throughput::Bytes(TOTAL_BYTES)).sample_size(10);
    group.bench_function("from a child", |bencher| {
        let head = || Command::new("head").args(["-c", &TOTAL_BYTES.to_string(), "/dev/zero"]);
        bencher.iter(|| {
            let received = run(&mut reactor, head(), Input::default()).expect("runs");
            assert_eq!(received, TOTAL_BYTES);
        });
    });
    group.bench_function("to a child", |bencher| {
        let sink = || Command::new("sh").args(["-c", "exec cat > /dev/null"]);
        bencher.iter(|| run(&mut reactor, sink(), input()).expect("runs"));
    });
    group.bench_function("through a child", |bencher| {
        bencher.iter(|| {
            let received = run(&mut reactor, Command::new("cat"), input()).expect("runs");
            assert_eq!(received, TOTAL_BYTES);
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    throughput(&mut criterion);
    criterion.final_summary();
}

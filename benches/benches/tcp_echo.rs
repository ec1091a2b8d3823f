//! 64 bytes over loopback and back, over one connection and over a hundred.
//!
//! The server is the one of `cargo xtask compare`, on a separate thread. The client is blocking.

use std::sync::mpsc::channel;
use std::thread;

use criterion::{Criterion, Throughput};
use procession_benches::contenders::ours;
use procession_benches::job::Job;
use procession_benches::tcp::Client;

fn tcp_echo(criterion: &mut Criterion) {
    let (send, port) = channel();
    // The server runs until the process ends.
    thread::spawn(move || {
        let row = "tcp-echo-1".to_owned();
        let job = Job { row, programs: String::new().into(), count: 0, crowd: 0 };
        let mut ready = ours::prepare(&job).expect("the row exists");
        send.send(ready.port.expect("it listens")).expect("the bench waits");
        (ready.round)().expect("serves");
    });
    let port = port.recv().expect("the server has started");
    let mut group = criterion.benchmark_group("tcp echo");
    for connections in [1, 100] {
        let mut client = Client::connect(port, connections).expect("connects");
        group.throughput(Throughput::Elements(connections));
        group.bench_function(format!("{connections} connections"), |bencher| {
            bencher.iter(|| client.round(1).expect("echoes"));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    tcp_echo(&mut criterion);
    criterion.final_summary();
}

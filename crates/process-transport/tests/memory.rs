//! The memory of a child on a loop.
#![cfg(feature = "reactor")]

mod util;

use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, SpawnProcess as _};
use procession_protocol::{Process, ProcessProtocol};
use procession_reactor::Reactor;

use crate::util::isolated;

struct Quiet;

impl ProcessProtocol for Quiet {}

/// Two sources a child, and those of the reactor itself: just below a power of two, so that the tables
/// have no empty half.
const CHILDREN: usize = 250;

/// Case ST-16.
#[test]
fn a_child_with_one_pipe_takes_at_most_540_bytes() {
    isolated("a_child_with_one_pipe_takes_at_most_540_bytes", || {
        let mut reactor = Reactor::new().unwrap();
        let one_pipe = Command::new("/bin/sleep")
            .arg("600")
            .child_fd(0, Fd::null())
            .child_fd(1, Fd::from_child())
            .child_fd(2, Fd::null());
        let mut processes: Vec<Process> = Vec::with_capacity(CHILDREN);
        // What the first two make once does not count: the second one makes the memory in which this thread
        // compares the environment.
        let first_two = [(); 2].map(|()| reactor.spawn_process(Quiet, one_pipe.clone()).unwrap());
        let counted = allocation_counter::measure(|| {
            for _ in 0..CHILDREN {
                processes.push(reactor.spawn_process(Quiet, one_pipe.clone()).unwrap());
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
        });
        let each = counted.bytes_current / i64::try_from(CHILDREN).unwrap();
        assert!((1..=540).contains(&each), "{each} bytes a child");
        processes.extend(first_two);
        for process in &processes {
            process.signal(Signal::KILL).unwrap();
            assert!(reactor.block_on(process.ended()).unwrap().is_err());
        }
    });
}

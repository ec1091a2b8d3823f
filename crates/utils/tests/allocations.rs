//! How often a start and a whole run allocate. The commands have no variables, because a program with
//! several threads copies those that a child inherits, one by one.
#![cfg(feature = "reactor")]

use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use procession_process_transport::{Command, Fd, SpawnProcess as _};
use procession_protocol::{Process, ProcessProtocol};
use procession_reactor::Reactor;
use procession_test_support::isolated;
use procession_utils::Run;

/// Returns the fewest allocations of some calls: the first ones also make what is kept.
fn fewest(mut call: impl FnMut() -> AllocationInfo) -> u64 {
    let counts = (0..20).map(|_| call().count_total);
    counts.min().expect("there are some")
}

struct Quiet;

impl ProcessProtocol for Quiet {}

#[test]
fn a_spawn_allocates_at_most_18_times() {
    isolated("a_spawn_allocates_at_most_18_times", || {
        let mut reactor = Reactor::new().unwrap();
        let count = fewest(|| {
            let mut process: Option<Process> = None;
            let counted = measure(|| {
                let command = Command::new("/bin/true").env_clear().stdin(Fd::null());
                process = Some(reactor.spawn_process(Quiet, command).unwrap());
            });
            assert!(reactor.block_on(process.unwrap().ended()).unwrap().is_ok());
            counted
        });
        eprintln!("allocations of a spawn: {count}");
        assert!(count <= 18, "{count}");
    });
}

#[test]
fn a_run_allocates_at_most_32_times() {
    isolated("a_run_allocates_at_most_32_times", || {
        let mut reactor = Reactor::new().unwrap();
        let count = fewest(|| {
            measure(|| {
                let run = Run::new("/bin/true").env_clear().timeout(Duration::from_secs(60));
                assert!(reactor.block_on(run).unwrap().is_success());
            })
        });
        eprintln!("allocations of a run: {count}");
        assert!(count <= 32, "{count}");
    });
}

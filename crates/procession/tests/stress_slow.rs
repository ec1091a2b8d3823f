//! Area ST, the slow tier: tens of thousands of children. Runs if `PROCESSION_SLOW` is 1.

#[path = "stress/mod.rs"]
mod stress;

#[path = "../../../benches/src/bin/soak/mix.rs"]
mod mix;

use std::time::Duration;

use procession::prelude::*;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::stress::{Driver, Spawned, command, resident_bytes, slow, sys};

/// Returns a command without pipes, so a child costs one descriptor.
fn bare(program: &str) -> Command {
    command(program).child_fds([(0, Fd::null()), (1, Fd::null()), (2, Fd::null())])
}

/// A protocol that keeps only the exit reason.
struct KeepReason(Promise<ExitReason, String>);

impl ProcessProtocol for KeepReason {
    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        self.0.complete(Ok(reason));
    }
}

fn run(driver: &mut Driver, program: Command) -> ExitReason {
    let (promise, reason) = Deferred::new();
    driver.handle().spawn_process(KeepReason(promise), program).expect("it starts");
    driver.reactor().block_on(reason).expect("it ends")
}

/// Case ST-12.
#[test]
fn pids_that_wrap_are_never_mistaken() {
    slow("pids_that_wrap_are_never_mistaken", |driver| {
        let pid_max = std::fs::read_to_string("/proc/sys/kernel/pid_max").expect("/proc");
        if pid_max.trim() != "32768" {
            stress::skip("ST-12", &format!("kernel.pid_max is {}", pid_max.trim()));
            return;
        }
        let long: Vec<Spawned> =
            (0..50).map(|_| driver.spawn(bare("/bin/sleep").arg("6000"))).collect();
        for round in 0..40_000 {
            let reason = run(driver, bare(if round % 2 == 0 { "/bin/true" } else { "/bin/false" }));
            let code = reason.map_or_else(|ended| ended.exit_code(), |done| done.exit_code());
            assert_eq!(code, Some(round % 2));
        }
        for child in &long {
            assert_eq!(child.record.events().len(), 1, "a living child was reported");
            child.process.signal(Signal::KILL).expect("it lives");
        }
        driver.drive_all_to_end(Duration::from_secs(60));
        assert!(long.iter().all(|child| child.record.signal() == libc::SIGKILL));
    });
}

/// The counts of descriptors and zombies, and the memory, are the same at the end as at the start.
#[test]
fn a_hundred_thousand_in_sequence_leave_nothing() {
    slow("a_hundred_thousand_in_sequence_leave_nothing", |driver| {
        let mut before = 0;
        for round in 0..100_000 {
            if round == 5_000 {
                before = resident_bytes();
            }
            assert!(run(driver, command("/bin/true")).is_ok());
            if round % 10_000 == 0 {
                driver.leaks().assert_none();
            }
        }
        let after = resident_bytes();
        assert!(after < before + (2 << 20), "{before} bytes resident, then {after}");
    });
}

/// Five thousand children are alive at once; each is reported killed.
#[test]
fn five_thousand_at_once_are_killed_together() {
    slow("five_thousand_at_once_are_killed_together", |driver| {
        const CHILDREN: usize = 5_000;
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        if limit.current.is_some_and(|most| most < 6_000) {
            stress::skip("5,000 children", "the hard limit of open files is lower");
            return;
        }
        setrlimit(Resource::Nofile, limit).expect("the hard limit");
        for _ in 0..2 {
            let children: Vec<Spawned> =
                (0..CHILDREN).map(|_| driver.spawn(bare("/bin/sleep").arg("6000"))).collect();
            assert_eq!(stress::children().len(), CHILDREN);
            for child in &children {
                child.process.signal(Signal::KILL).expect("it lives");
            }
            driver.drive_all_to_end(Duration::from_secs(300));
            assert!(children.iter().all(|child| child.record.signal() == libc::SIGKILL));
            drop(children);
            driver.leaks().assert_none();
        }
    });
}

/// Case ST-15.
#[test]
fn a_minute_of_everything_breaks_no_rule() {
    slow("a_minute_of_everything_breaks_no_rule", |driver| {
        sys::alarm(Duration::from_secs(600));
        let seed = u64::from(std::process::id());
        println!("seed {seed}");
        let result = mix::run(driver.reactor(), seed, Duration::from_secs(60), None);
        assert_eq!(result.map(drop), Ok(()), "a rule is broken");
    });
}

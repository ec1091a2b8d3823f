//! The cost of seeing that terminated groups are empty: one read of /proc serves all groups that
//! end together.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

#[path = "spawn_paths/watch.rs"]
mod watch;

use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Fd, SpawnProcess};
use procession_protocol::{Process, ProcessProtocol, Termination};
use procession_reactor::{Handle, Reactor};
use rustix::fs::{Access, access};

use crate::util::{Driver, Spawned, WATCHDOG, bound, isolated, process_state, sh};
use crate::watch::{is_watched, watched};

struct SilentProtocol;
impl ProcessProtocol for SilentProtocol {}

/// Writes a line into the log of strace.
fn mark(text: &str) {
    access(format!("/procession/{text}"), Access::EXISTS).expect_err("there is no such file");
}

/// Runs `body` under strace and returns the log, or `None` without strace.
fn traced(name: &str, body: impl FnOnce()) -> Option<String> {
    if is_watched() {
        body();
        return None;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let log = dir.path().join("log");
    let file = log.to_str().expect("its name is text");
    // musl opens a directory by the older call, which not every processor has.
    let only = "trace=?open,openat,?access,faccessat,faccessat2";
    let output = watched(name, &["strace", "-f", "-e", only, "-o", file])?;
    assert!(output.status.success(), "{output:?}");
    Some(std::fs::read_to_string(log).expect("strace wrote it"))
}

/// Returns how often /proc was read between two marks.
fn reads(log: &str, from: &str, to: &str) -> usize {
    let place = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text}"));
    let between = &log[place(from)..place(to)];
    between.lines().filter(|call| call.contains("\"/proc\"")).count()
}

/// Waits until the processes have ended, without a turn of the loop.
fn until_dead(clock: &Handle, pids: &[u32]) {
    let deadline = clock.now() + bound(WATCHDOG);
    while !pids.iter().all(|pid| matches!(process_state(*pid), 'Z' | 'X')) {
        assert!(clock.now() < deadline, "somebody lives");
        std::thread::yield_now();
    }
}

fn pids(children: &[Spawned]) -> Vec<u32> {
    children.iter().map(|child| child.process.pid().expect("it runs")).collect()
}

fn terminate(children: &[Spawned]) {
    for child in children {
        child.process.terminate(Signal::TERM, WATCHDOG).done(|ended| {
            let ended: Termination = ended.expect("it runs");
            assert!(ended.is_gone() && !ended.escalated(), "{ended:?}");
        });
    }
}

/// Case TM-17.
#[test]
fn groups_that_end_together_take_as_many_reads_as_one() {
    const NAME: &str = "groups_that_end_together_take_as_many_reads_as_one";
    const COUNTS: [usize; 3] = [1, 4, 32];
    isolated(NAME, || {
        let log = traced(NAME, || {
            for count in COUNTS {
                let mut driver = Driver::new();
                let start = |_| driver.spawn(sh("exec sleep 100").owned(true));
                let children: Vec<Spawned> = (0..count).map(start).collect();
                terminate(&children);
                until_dead(&driver.handle(), &pids(&children));
                mark(&format!("{count}-ended"));
                driver.drive_all_to_end(WATCHDOG);
                mark(&format!("{count}-seen"));
                driver.finish();
            }
        });
        let Some(log) = log else { return };
        let of = |count| reads(&log, &format!("/{count}-ended"), &format!("/{count}-seen"));
        // One read finds no member, and another confirms it.
        assert_eq!(COUNTS.map(of), [2; 3]);
    });
}

/// Case TM-17. The leaders ended earlier, and the reads before that saw living members.
#[test]
fn members_that_end_together_take_as_many_reads_as_one() {
    const NAME: &str = "members_that_end_together_take_as_many_reads_as_one";
    const COUNTS: [usize; 3] = [1, 4, 32];
    isolated(NAME, || {
        let log = traced(NAME, || {
            for count in COUNTS {
                let mut driver = Driver::new();
                let script = "(trap '' TERM; echo $(exec sh -c 'echo $PPID'); exec sleep 100) & \
                              echo up; wait";
                let start = |_| driver.spawn(sh(script).owned(true));
                let children: Vec<Spawned> = (0..count).map(start).collect();
                let said = |child: &Spawned| child.record.text(1).lines().count() == 2;
                driver.until("all are up", WATCHDOG, || children.iter().all(said));
                let members = children.iter().map(|child| {
                    let text = child.record.text(1);
                    text.lines().find_map(|line| line.parse().ok()).expect("a pid")
                });
                let members: Vec<u32> = members.collect();
                let leaders = pids(&children);
                terminate(&children);
                until_dead(&driver.handle(), &leaders);
                // By then, each group was seen to have a member.
                driver.run_for(Duration::from_millis(200));
                for member in &members {
                    let member = rustix::process::Pid::from_raw(member.cast_signed()).unwrap();
                    rustix::process::kill_process(member, rustix::process::Signal::KILL).unwrap();
                }
                until_dead(&driver.handle(), &members);
                mark(&format!("{count}-ended"));
                driver.drive_all_to_end(WATCHDOG);
                mark(&format!("{count}-seen"));
                driver.finish();
            }
        });
        let Some(log) = log else { return };
        let of = |count| reads(&log, &format!("/{count}-ended"), &format!("/{count}-seen"));
        assert_eq!(COUNTS.map(of), [2; 3]);
    });
}

/// Case TM-17. The drop of a reactor waits for all groups.
#[test]
fn a_drop_that_ends_many_groups_takes_no_more_reads_for_it() {
    const NAME: &str = "a_drop_that_ends_many_groups_takes_no_more_reads_for_it";
    const COUNTS: [usize; 2] = [1, 32];
    isolated(NAME, || {
        let log = traced(NAME, || {
            for count in COUNTS {
                let reactor = Reactor::new().expect("a reactor");
                let start = |_| {
                    let silent = [(0, Fd::null()), (1, Fd::null()), (2, Fd::null())];
                    let child = sh("exec sleep 100").owned(true).child_fds(silent);
                    reactor.spawn_process(SilentProtocol, child).expect("it starts")
                };
                let children: Vec<Process> = (0..count).map(start).collect();
                let pids: Vec<u32> = children.iter().map(|child| child.pid().unwrap()).collect();
                for child in &children {
                    child.terminate(Signal::TERM, WATCHDOG).done(drop);
                }
                until_dead(&reactor.handle(), &pids);
                mark(&format!("{count}-ended"));
                drop(reactor);
                mark(&format!("{count}-seen"));
            }
        });
        let Some(log) = log else { return };
        let of = |count| reads(&log, &format!("/{count}-ended"), &format!("/{count}-seen"));
        assert_eq!(COUNTS.map(of), [2; 2]);
    });
}

//! The cost of seeing that terminated groups are empty: one read of /proc serves all groups that
//! end together.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

#[path = "spawn_paths/trace.rs"]
mod trace;
#[path = "spawn_paths/traced.rs"]
mod traced;
#[path = "spawn_paths/watch.rs"]
mod watch;

use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Fd, SpawnProcess};
use procession_protocol::{Process, ProcessProtocol, Termination};
use procession_reactor::{Handle, Reactor};

use crate::trace::Call;
use crate::traced::{mark, place, traced};
use crate::util::{Driver, Spawned, WATCHDOG, bound, isolated, process_state, sh};

struct SilentProtocol;
impl ProcessProtocol for SilentProtocol {}

/// Runs `end` for each number of groups. It ends them, and says when they are `dead` and when that is
/// `seen`. Checks that /proc is read twice in between: one read finds no member, and another confirms it.
fn assert_two_reads(name: &str, counts: &[usize], end: impl Fn(usize, &dyn Fn(&str))) {
    isolated(name, || {
        let log = traced(name, || {
            for count in counts {
                end(*count, &|what| mark(&format!("{count}-{what}")));
            }
        });
        let Some(log) = log else { return };
        for count in counts {
            let [dead, seen] = ["dead", "seen"].map(|what| place(&log, &format!("{count}-{what}")));
            let is_read =
                |call: &&Call| call.name().starts_with("open") && call.text.contains("\"/proc\"");
            let reads = log[dead..seen].iter().filter(is_read).count();
            assert_eq!(reads, 2, "{count} groups");
        }
    });
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
    let name = "groups_that_end_together_take_as_many_reads_as_one";
    assert_two_reads(name, &[1, 4, 32], |count, say| {
        let mut driver = Driver::new();
        let start = |_| driver.spawn(sh("exec sleep 100").owned(true));
        let children: Vec<Spawned> = (0..count).map(start).collect();
        terminate(&children);
        until_dead(&driver.handle(), &pids(&children));
        say("dead");
        driver.drive_all_to_end(WATCHDOG);
        say("seen");
        driver.finish();
    });
}

/// Case TM-17. The leaders ended earlier, and the reads before that saw living members.
#[test]
fn members_that_end_together_take_as_many_reads_as_one() {
    let name = "members_that_end_together_take_as_many_reads_as_one";
    assert_two_reads(name, &[1, 4, 32], |count, say| {
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
        say("dead");
        driver.drive_all_to_end(WATCHDOG);
        say("seen");
        driver.finish();
    });
}

/// Case TM-17. The drop of a reactor waits for all groups.
#[test]
fn a_drop_that_ends_many_groups_takes_no_more_reads_for_it() {
    let name = "a_drop_that_ends_many_groups_takes_no_more_reads_for_it";
    assert_two_reads(name, &[1, 32], |count, say| {
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
        say("dead");
        drop(reactor);
        say("seen");
    });
}

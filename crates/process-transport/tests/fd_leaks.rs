//! Area FL: no descriptor of the parent outlives its purpose.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/paths.rs"]
mod paths;

use std::io::Read;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Pty, Step};
use procession_reactor::Reactor;

use crate::paths::{by, paths};
use crate::util::{
    Driver, Event, Spawned, WATCHDOG, behaviour, children, command, isolated, ms, open_fds, sh, sys,
};

/// Returns how many pidfds this process has.
fn pidfds() -> usize {
    open_fds().values().filter(|link| link.contains("[pidfd]")).count()
}

/// Returns how many ends of pipes this process has. It may have been started with some.
fn pipes() -> usize {
    open_fds().values().filter(|link| link.starts_with("pipe:")).count()
}

/// Case FL-01.
#[test]
fn two_hundred_children_leave_no_descriptor() {
    behaviour("two_hundred_children_leave_no_descriptor", |driver| {
        for _ in 0..200 {
            assert_eq!(driver.run(command("/bin/true")).code(), 0);
        }
        driver.leaks().assert_none();
    });
}

/// Case FL-02.
#[test]
fn failed_spawns_leave_no_descriptor() {
    behaviour("failed_spawns_leave_no_descriptor", |driver| {
        let mut fails = |make: &dyn Fn() -> Command, times, step| {
            for _ in 0..times {
                let failed = driver.try_spawn_with(make(), |_, _| ());
                assert_eq!(failed.err().map(|error| error.step()), Some(step));
            }
        };
        fails(&|| command("/no/such/prog"), 1000, Step::Exec);
        fails(&|| command("/bin/true").current_dir("/no/such"), 100, Step::Chdir);
        let unopened = || Fd::inherit(sys::unopened(9999));
        fails(&|| command("/bin/true").child_fd(0, unopened()), 100, Step::FdMap);
        fails(&|| command("/no/such/prog").pty(Pty::new()), 100, Step::Exec);
        driver.leaks().assert_none();
    });
}

/// On every path, the child has closed all descriptors that it must not have when the spawn
/// returns. The end of a pipe shows it: when the parent closes its write end, that was the last
/// one.
#[test]
fn when_a_spawn_returns_the_child_has_only_its_own_descriptors() {
    behaviour("when_a_spawn_returns_the_child_has_only_its_own_descriptors", |driver| {
        for path in paths() {
            for round in 0..100 {
                let (mut read, write) = std::io::pipe().expect("a pipe");
                rustix::io::ioctl_fionbio(&read, true).expect("it is a pipe");
                let child = driver.spawn(by(path, "/bin/sleep").arg("60"));
                drop(write);
                let end = read.read(&mut [0]);
                assert!(matches!(end, Ok(0)), "round {round} on {path:?}: {end:?}");
                child.process.signal(Signal::KILL).expect("it lives");
                driver.drive_to_end(&child.record);
            }
        }
    });
}

/// Case FL-05.
#[test]
fn the_pidfd_of_a_reaped_child_is_closed() {
    behaviour("the_pidfd_of_a_reaped_child_is_closed", |driver| {
        let children: Vec<Spawned> = (0..100).map(|_| driver.spawn(command("/bin/true"))).collect();
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(pidfds(), 0, "with the handles of children that lead no group");
        assert_eq!(children.len(), 100);
        let leaders: Vec<Spawned> =
            (0..10).map(|_| driver.spawn(command("/bin/true").process_group(0))).collect();
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(pidfds(), 10, "a leader's is kept for its group");
        let ended: Vec<Spawned> =
            (0..10).map(|_| driver.spawn(command("/bin/sleep").arg("60").owned(true))).collect();
        for child in &ended {
            child.process.terminate(Signal::TERM, WATCHDOG).done(drop);
        }
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(pidfds(), 10, "no group is left of one that was terminated");
        drop((children, leaders, ended));
        assert_eq!(pidfds(), 0, "with every handle dropped");
    });
}

/// Case FL-06.
#[test]
fn the_parents_end_is_closed_when_it_is_lost_and_not_at_the_end() {
    behaviour("the_parents_end_is_closed_when_it_is_lost_and_not_at_the_end", |driver| {
        let before = open_fds().len();
        let child = driver.spawn(sh("exec >&- 2>&-; sleep 1"));
        assert_eq!(open_fds().len(), before + 4, "three pipes and a pidfd");
        driver.run_for(ms(300));
        assert!(child.record.is_lost(1) && child.record.is_lost(2), "{:?}", child.record);
        assert_eq!(open_fds().len(), before + 2, "standard input and the pidfd");
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 0);
    });
}

/// Case FL-07.
#[test]
fn two_hundred_reactors_leave_no_descriptor() {
    isolated("two_hundred_reactors_leave_no_descriptor", || {
        drop(Reactor::new().unwrap()); // creates the descriptors that the process keeps for good
        let before = open_fds();
        for _ in 0..200 {
            let mut reactor = Reactor::new().unwrap();
            reactor.turn(Some(ms(0))).unwrap();
        }
        assert_eq!(open_fds(), before);
    });
}

/// Dropping the reactor also closes the pipe ends of living children.
#[test]
fn a_dropped_reactor_closes_the_pipes_of_living_children() {
    isolated("a_dropped_reactor_closes_the_pipes_of_living_children", || {
        let mut driver = Driver::new();
        let before = pipes();
        let cat = driver.spawn(command("/bin/cat"));
        assert_eq!(pipes(), before + 3);
        drop(driver);
        assert_eq!(pipes(), before, "cat sees its end and exits");
        assert_eq!(cat.record.events(), [Event::Made], "without callbacks");
        drop(cat);
        let mut next = Driver::new();
        next.until_seen("it is reaped", WATCHDOG, || children().is_empty());
        next.rebase();
        assert_eq!(pidfds(), 0);
        next.finish();
    });
}

//! Reaping orphans that a program adopts: members of its owned groups and, if the program asks for
//! it, all orphans.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

use std::os::unix::process::CommandExt;
use std::process::{Command as StdCommand, Stdio};

use procession_core::Signal;
use procession_process_transport::{Command, Fd, ReapOrphans};
use rustix::process::{getpid, set_child_subreaper};

use crate::util::{
    Driver, WATCHDOG, children, isolated, isolated_as_pid_1, ms, process_state, sh, sys,
};

/// A script whose leader ends at once. Its background process ends later, as an orphan that this
/// program adopts.
const LEAVES_ORPHAN: &str = "sleep 0.1 >/dev/null 2>&1 &";

fn zombies() -> usize {
    children().iter().filter(|(_, _, state)| *state == 'Z').count()
}

fn subreaper() -> Driver {
    set_child_subreaper(Some(getpid())).expect("it only takes a number");
    Driver::new()
}

fn until_only_zombies(driver: &mut Driver, count: usize) {
    let is_so = || children().len() == count && zombies() == count;
    driver.until_seen("nothing but zombies is left", WATCHDOG, is_so);
}

fn until_no_children(driver: &mut Driver) {
    driver.until_seen("nobody is left", WATCHDOG, || children().is_empty());
}

fn run_eight(driver: &mut Driver) {
    for _ in 0..8 {
        let child = driver.spawn(sh(LEAVES_ORPHAN).owned(true));
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 0);
    }
}

/// Runs eight children without orphan reaping, then eight with it.
fn eight_runs(driver: &mut Driver) {
    run_eight(driver);
    until_only_zombies(driver, 8);
    driver.run_for(ms(50));
    assert_eq!(zombies(), 8, "nobody reaps them");
    let strangers: Vec<u32> = children().iter().map(|(pid, ..)| *pid).collect();
    driver.reactor().reap_orphans().expect("SIGCHLD can be watched");
    run_eight(driver);
    let others = || children().iter().filter(|(pid, ..)| !strangers.contains(pid)).count();
    driver.until_seen("none of the others is left", WATCHDOG, || others() == 0);
    // The groups of the first eight were already forgotten when the reaping was switched on.
    assert_eq!(children().len(), 8);
    driver.reactor().reap_every_orphan().expect("SIGCHLD can be watched");
    until_no_children(driver);
}

/// Case OR-02.
#[test]
fn pid_1_reaps_what_its_children_leave_behind_if_it_is_asked_to() {
    isolated_as_pid_1("pid_1_reaps_what_its_children_leave_behind_if_it_is_asked_to", || {
        assert_eq!(std::process::id(), 1);
        eight_runs(&mut Driver::new());
    });
}

/// Case OR-02.
#[test]
fn a_subreaper_reaps_what_its_children_leave_behind_if_it_is_asked_to() {
    isolated("a_subreaper_reaps_what_its_children_leave_behind_if_it_is_asked_to", || {
        let mut driver = subreaper();
        eight_runs(&mut driver);
        assert_eq!(children(), []);
    });
}

/// Case OR-03. The leader started earlier and keeps running: in a group of its own, in a session,
/// and on a terminal.
#[test]
fn a_member_is_reaped_while_its_leader_runs() {
    isolated("a_member_is_reaped_while_its_leader_runs", || {
        let mut driver = subreaper();
        let script = "(sleep 0.2 & exec true) >/dev/null 2>&1; echo 1; exec sleep 100";
        let leaders: Vec<_> = [
            sh(script).process_group(0),
            sh(script).new_session(),
            sh(script).pty(procession_process_transport::Pty::new()),
        ]
        .into_iter()
        .map(|command| driver.spawn(command))
        .collect();
        driver.reactor().reap_orphans().unwrap();
        driver.until("they are up", WATCHDOG, || {
            leaders.iter().all(|leader| leader.record.text(1).starts_with('1'))
        });
        driver.until_seen("the leaders alone are left", WATCHDOG, || children().len() == 3);
        assert_eq!(zombies(), 0);
        for leader in leaders {
            leader.process.signal(Signal::KILL).unwrap();
            driver.drive_to_end(&leader.record);
            assert_eq!(leader.record.signal(), 9);
        }
        until_no_children(&mut driver);
    });
}

/// A child that another library started. Nobody waits for it until the test does.
fn foreign(script: &str, group: Option<i32>) -> std::process::Child {
    let mut command = StdCommand::new("/bin/sh");
    command.args(["-c", script]).stdout(Stdio::null());
    if let Some(group) = group {
        command.process_group(group);
    }
    command.spawn().expect("sh is there")
}

fn until_zombie(driver: &mut Driver, pid: u32) {
    driver.until_seen("it has ended", WATCHDOG, || process_state(pid) == 'Z');
}

/// Case OR-04.
#[test]
fn strangers_are_left_alone() {
    isolated("strangers_are_left_alone", || {
        let mut driver = subreaper();
        driver.reactor().reap_orphans().unwrap();
        // Children of another library. One of them has a group of its own and leaves an orphan in
        // it.
        let mut plain = foreign("exit 5", None);
        let mut leading = foreign("sleep 0.1 & exit 6", Some(0));
        until_zombie(&mut driver, plain.id());
        until_zombie(&mut driver, leading.id());
        // A daemon, which leaves its group before it ends.
        let daemon = "setsid sh -c 'sleep 0.1; exit 7' >/dev/null 2>&1 & exit 0";
        let ours = driver.spawn(sh(daemon).owned(true));
        driver.drive_to_end(&ours.record);
        // Two orphans and two foreign children.
        until_only_zombies(&mut driver, 4);
        run_eight(&mut driver);
        until_only_zombies(&mut driver, 4);
        assert_eq!(plain.wait().unwrap().code(), Some(5));
        assert_eq!(leading.wait().unwrap().code(), Some(6));
        assert_eq!(zombies(), 2);
        // `reap_every_orphan` reaps every child that is not the library's, and takes the statuses
        // of other libraries.
        driver.reactor().reap_every_orphan().unwrap();
        until_no_children(&mut driver);
        let mut taken = foreign("exit 5", None);
        until_no_children(&mut driver);
        assert_eq!(taken.wait().unwrap_err().raw_os_error(), Some(libc::ECHILD));
    });
}

/// A child without a loop that joins the group and ends. It is not reaped yet.
fn joined(driver: &mut Driver, group: u32, code: u32) -> procession_process_transport::Spawned {
    let script = format!("exit {code}");
    let command = Command::new("/bin/sh").args(["-c", &script]).child_fds([(1, Fd::null())]);
    let child = command.process_group(group.cast_signed()).spawn().expect("the group is there");
    until_zombie(driver, child.pid());
    child
}

/// Case OR-05.
#[test]
fn a_child_that_was_put_into_the_group_keeps_its_status_and_hides_no_zombie_for_good() {
    let name = "a_child_that_was_put_into_the_group_keeps_its_status_and_hides_no_zombie_for_good";
    isolated(name, || {
        let mut driver = subreaper();
        driver.reactor().reap_orphans().unwrap();
        let script = "(sleep 0.3 & exec true) >/dev/null 2>&1; echo 1; exec sleep 100";
        let leader = driver.spawn(sh(script).owned(true));
        driver.until("it is up", WATCHDOG, || leader.record.text(1) == "1\n");
        let group = leader.process.group().expect("it leads one");
        let mut first = joined(&mut driver, group, 7);
        driver.until_seen("a member and the child are zombies", WATCHDOG, || zombies() == 2);
        driver.run_for(ms(50));
        assert_eq!(first.wait().unwrap().unwrap_err().exit_code(), Some(7));
        driver.until_seen("the member is reaped", WATCHDOG, || zombies() == 0);
        // `reap_every_orphan` too reaps the zombies that are listed behind a child that nobody has
        // waited for.
        let mut second = joined(&mut driver, group, 8);
        driver.reactor().reap_every_orphan().unwrap();
        let orphan = driver.spawn(sh("setsid sleep 0.1 >/dev/null 2>&1 & exit 0"));
        driver.drive_to_end(&orphan.record);
        driver.until_seen("the others are reaped", WATCHDOG, || children().len() == 2);
        driver.run_for(ms(50));
        assert_eq!(second.wait().unwrap().unwrap_err().exit_code(), Some(8));
        leader.process.signal(Signal::KILL).unwrap();
        driver.drive_to_end(&leader.record);
        assert_eq!(leader.record.signal(), 9);
        until_no_children(&mut driver);
    });
}

/// Case OR-06. Other threads spawn children while every unknown child is reaped.
#[test]
fn no_child_of_the_library_loses_its_status() {
    isolated("no_child_of_the_library_loses_its_status", || {
        let mut driver = subreaper();
        driver.reactor().reap_every_orphan().unwrap();
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                std::thread::spawn(move || {
                    for round in 0..100 {
                        let code = (thread + round) % 7;
                        let script = format!("sleep 0 & exit {code}");
                        let command = sh(&script).child_fds([(1, Fd::null())]);
                        let mut child = command.owned(round % 2 == 0).spawn().expect("it starts");
                        let reason = child.wait().expect("it is ours");
                        let told = reason.map_or_else(|reason| reason.exit_code(), |_| Some(0));
                        assert_eq!(told, Some(code));
                    }
                })
            })
            .collect();
        for round in 0..50 {
            let child = driver.spawn(sh(&format!("sleep 0 & exit {}", round % 5)));
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.code(), round % 5);
        }
        for thread in threads {
            while !thread.is_finished() {
                driver.run_for(ms(5));
            }
            thread.join().expect("each status was told");
        }
        until_no_children(&mut driver);
    });
}

/// Case OR-06. A spawn and a blocking wait reap orphans while no reactor turns.
#[test]
fn a_spawn_and_a_wait_reap_too() {
    isolated("a_spawn_and_a_wait_reap_too", || {
        let driver = subreaper();
        driver.handle().reap_orphans().unwrap();
        let mut left = sh(LEAVES_ORPHAN).child_fds([(1, Fd::null())]).owned(true).spawn().unwrap();
        assert!(left.wait().unwrap().is_ok());
        let orphan = children().first().expect("it sleeps").0;
        sys::wait_until_zombie(orphan); // nobody reaps meanwhile
        assert!(sh("exit 0").spawn().unwrap().wait().unwrap().is_ok());
        assert_eq!(children(), []);
    });
}

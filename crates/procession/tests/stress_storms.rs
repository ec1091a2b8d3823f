//! Many signals at once: stops of the whole group; SIGCHLD ignored or blocked; exits reaped by another
//! thread; parents killed at any moment.

#[path = "stress/mod.rs"]
mod stress;

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command as StdCommand, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use procession::prelude::*;
use rustix::process::{Pid, Signal as RawSignal, WaitOptions, kill_process_group, setsid, waitpid};

use crate::stress::{
    Driver, Numbers, Spawned, WATCHDOG, command, isolated, keeps_statuses, ms, sh, sys,
};

/// Set in the process that spawns in a storm.
const VARIABLE: &str = "PROCESSION_TEST_STRESS";

/// Runs the test `name` of this binary in another process, in a group of its own, with [`VARIABLE`] set.
fn rerun(name: &str, orders: &str) -> Child {
    let this = std::env::current_exe().expect("the path of this test binary");
    let mut command = StdCommand::new(this);
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, orders)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command.spawn().expect("this test binary runs again")
}

/// The number of children spawned under the storm of stops.
const STOPPED: usize = 2000;

/// Ctrl-Z and `fg` every millisecond, on a group whose leader spawns two thousand children.
#[test]
fn two_thousand_children_in_a_storm_of_stops_all_end() {
    const NAME: &str = "two_thousand_children_in_a_storm_of_stops_all_end";
    isolated(NAME, || {
        if std::env::var_os(VARIABLE).is_some() {
            let mut driver = Driver::new();
            println!("\nstorm");
            let mut ended = 0;
            while ended < STOPPED {
                let batch: Vec<Spawned> =
                    (0..10).map(|_| driver.spawn(command("/bin/true"))).collect();
                driver.drive_all_to_end(Duration::from_secs(30));
                assert!(batch.iter().all(|child| child.record.code() == 0));
                ended += batch.len();
            }
            driver.finish();
            return;
        }
        sys::alarm(Duration::from_secs(120));
        // In a new session the group of the second process is not orphaned. The kernel does not stop
        // members of an orphaned group on TSTP, TTIN and TTOU.
        setsid().expect("no group of this number");
        let mut driver = Driver::new();
        let mut storm = rerun(NAME, "storm");
        let mut output = BufReader::new(storm.stdout.take().expect("it is a pipe"));
        let mut line = String::new();
        while line.trim() != "storm" {
            line.clear();
            assert!(output.read_line(&mut line).expect("text") > 0, "it ended early");
        }
        let group = Pid::from_child(&storm);
        let mut stops = 0;
        let status = loop {
            let signals = [RawSignal::TSTP, RawSignal::TTIN, RawSignal::TTOU];
            // This fails once the group has ended, which the loop waits for.
            if kill_process_group(group, signals[stops % 3]).is_ok() {
                stops += 1;
            }
            driver.run_for(ms(1));
            kill_process_group(group, RawSignal::CONT).ok(); // may have ended, as above
            driver.run_for(ms(1));
            if let Some(status) = storm.try_wait().expect("our child") {
                break status;
            }
        };
        assert!(status.success(), "{status:?}");
        assert!(stops > 100, "only {stops} stops");
    });
}

/// With SIGCHLD ignored the kernel reaps children by itself. Each still ends once, with its status if the
/// kernel keeps it.
#[test]
fn with_sigchld_ignored_every_child_ends_once() {
    isolated("with_sigchld_ignored_every_child_ends_once", || {
        let mut driver = Driver::new();
        sys::ignore(libc::SIGCHLD);
        let children: Vec<Spawned> = (0..200).map(|_| driver.spawn(sh("echo x; exit 3"))).collect();
        driver.drive_all_to_end(WATCHDOG);
        for child in &children {
            assert_eq!(child.record.text(1), "x\n");
            let reason = child.record.ended().expect("it has ended");
            let ended = reason.expect_err("not a success");
            assert_eq!(ended.exit_code(), keeps_statuses().then_some(3));
            assert_eq!(ended.is_lost(), !keeps_statuses());
        }
        drop(children);
        sys::default_action(libc::SIGCHLD);
        assert_eq!(driver.run(sh("exit 3")).code(), 3);
        driver.finish();
    });
}

/// A blocked SIGCHLD does not matter, because pidfds report the exits.
#[test]
fn with_sigchld_blocked_nothing_is_missing() {
    isolated("with_sigchld_blocked_nothing_is_missing", || {
        let mut driver = Driver::new();
        sys::block(&[libc::SIGCHLD]);
        let children: Vec<Spawned> = (0..200)
            .map(|index| driver.spawn(sh("exit $0").arg((index % 200).to_string())))
            .collect();
        driver.drive_all_to_end(WATCHDOG);
        for (index, child) in (0..).zip(&children) {
            assert_eq!(child.record.code(), index % 200);
        }
        driver.finish();
    });
}

/// While another thread reaps any child all the time, each child ends once, with its own status or none.
#[test]
fn with_exits_stolen_every_child_ends_once() {
    isolated("with_exits_stolen_every_child_ends_once", || {
        let mut driver = Driver::new();
        let going = AtomicBool::new(true);
        let mut stolen = 0;
        std::thread::scope(|scope| {
            let thief = scope.spawn(|| {
                let mut stolen = 0;
                while going.load(Ordering::Relaxed) {
                    match waitpid(None, WaitOptions::NOHANG) {
                        Ok(Some(_)) => stolen += 1,
                        Ok(None) | Err(_) => std::thread::yield_now(),
                    }
                }
                stolen
            });
            let mut lost = 0;
            for _ in 0..30 {
                let batch: Vec<Spawned> = (0..10).map(|_| driver.spawn(sh("exit 9"))).collect();
                driver.drive_all_to_end(WATCHDOG);
                for child in batch {
                    let reason = child.record.ended().expect("it has ended");
                    let ended = reason.expect_err("not a success");
                    match ended.is_lost() {
                        true => lost += 1,
                        false => assert_eq!(ended.exit_code(), Some(9)),
                    }
                }
            }
            going.store(false, Ordering::Relaxed);
            stolen = thief.join().expect("the thief");
            let wanted = if keeps_statuses() { 0 } else { stolen };
            assert_eq!(lost, wanted, "what was stolen is what is lost, if nobody keeps it");
        });
        assert!(stolen > 0, "nothing was stolen");
        driver.finish();
    });
}

/// A parent that is killed at any moment leaves no child behind that was to die with it.
#[test]
fn a_parent_killed_at_any_moment_leaves_no_child_with_pdeathsig() {
    const NAME: &str = "a_parent_killed_at_any_moment_leaves_no_child_with_pdeathsig";
    isolated(NAME, || {
        if let Ok(mark) = std::env::var(VARIABLE) {
            println!("\nstorm");
            let mut driver = Driver::new();
            loop {
                let sleeper = command("/bin/sleep").arg(&mark);
                driver.spawn(sleeper.parent_death_signal(Signal::KILL));
                driver.turn();
            }
        }
        let mut driver = Driver::new();
        let mut numbers = Numbers::new(9);
        for round in 0..20 {
            // A number of seconds that no other process sleeps.
            let mark = format!("600.{}{round:03}", std::process::id());
            let mut parent = rerun(NAME, &mark);
            let mut output = BufReader::new(parent.stdout.take().expect("it is a pipe"));
            let mut line = String::new();
            while line.trim() != "storm" {
                line.clear();
                assert!(output.read_line(&mut line).expect("text") > 0, "it ended early");
            }
            driver.run_for(Duration::from_micros(200 + numbers.below(40_000)));
            parent.kill().expect("our child");
            let status = parent.wait().expect("our child");
            assert_eq!(status.signal(), Some(libc::SIGKILL));
            driver.until_seen("no sleeper is left", WATCHDOG, || sleepers(&mark) == 0);
        }
        driver.finish();
    });
}

/// Returns how many processes have `mark` as their last argument. A zombie has no arguments.
fn sleepers(mark: &str) -> usize {
    let entries = std::fs::read_dir("/proc").expect("/proc is mounted");
    let command_lines =
        entries.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok()).filter(
            |line| line.strip_suffix(b"\0").is_some_and(|line| line.ends_with(mark.as_bytes())),
        );
    command_lines.count()
}

//! Spawning under many signals: stops of the whole group, handlers, and kills of the children at
//! any moment. Other threads open and close descriptors all the time.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/paths.rs"]
mod paths;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use procession_process_transport::Fd;
use procession_protocol::SpawnPath;
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, setsid, waitpid,
};
use rustix::thread::gettid;

use crate::paths::{by, paths};
use crate::util::{Driver, PROBE, fd_list, isolated, ms, sys};

/// Set in the process that spawns: its path, and the program that it starts.
const VARIABLE: &str = "PROCESSION_TEST_STORM";

/// How often each group is stopped.
const ROUNDS: usize = 200;

/// The time limit of each path, long enough for a busy machine.
const WATCHDOG: Duration = Duration::from_secs(60);

/// The time limit for a stop, which takes microseconds unless a process hangs.
const SOON: Duration = Duration::from_secs(8);

/// Starts children one after the other, for ever. Writes one byte to standard output for each.
fn spawn_for_ever(path: SpawnPath, live: bool) -> ! {
    // The line that the harness has begun ends here.
    println!("\nstorm");
    let mut driver = Driver::new();
    // Threads that only wait. A stop may reach any of them first.
    for _ in 0..3 {
        std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        });
    }
    loop {
        let child = match live {
            true => by(path, "/bin/sleep").arg("0.003"),
            false => by(path, PROBE).args(["exit", "0"]),
        };
        // A child that stays stopped does not end, and the watchdog reports it.
        assert_eq!(driver.run(child).code(), 0);
        rustix::io::write(rustix::stdio::stdout(), b".").expect("somebody counts");
    }
}

/// Starts the process that spawns, in a group of its own in this session. The group must not be
/// orphaned, because a terminal stop does not stop members of an orphaned group.
fn storm_child(name: &str, path: SpawnPath, live: bool) -> Child {
    let this = std::env::current_exe().expect("the path of this test binary");
    let mut command = std::process::Command::new(this);
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, format!("{path:?} {live}"))
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command.spawn().expect("this test binary runs again")
}

/// Parses [`VARIABLE`], in the process that spawns.
fn parse_variable() -> Option<(SpawnPath, bool)> {
    let text = std::env::var(VARIABLE).ok()?;
    let (path, live) = text.split_once(' ').expect("two words");
    let all = [SpawnPath::SharedFiles, SpawnPath::SharedMemory, SpawnPath::Fork];
    let path = all.into_iter().find(|known| format!("{known:?}") == path).expect("a path");
    Some((path, live == "true"))
}

/// Waits until the spawning process has reported at least `least` further children.
fn progress(child: &mut Child, least: usize) {
    let output = child.stdout.as_mut().expect("it is a pipe");
    let mut count = 0;
    let mut buffer = [0; 4096];
    while count < least {
        let n = output.read(&mut buffer).expect("a pipe");
        assert!(n > 0, "the process that spawns has ended: {:?}", child.try_wait());
        count += buffer[..n].iter().filter(|byte| **byte == b'.').count();
    }
}

/// Waits until the leader of the group reports its stop. Returns whether it does so within
/// [`SOON`].
fn has_stopped(pid: Pid, clock: &Driver) -> bool {
    let deadline = clock.now() + SOON;
    loop {
        match waitpid(Some(pid), WaitOptions::UNTRACED | WaitOptions::NOHANG).expect("our child") {
            Some((_, status)) => {
                assert!(status.stopped(), "the process that spawns has ended: {status:?}");
                return true;
            }
            None if clock.now() > deadline => return false,
            None => std::thread::yield_now(),
        }
    }
}

/// Stops and continues, as Ctrl-Z and `fg` do, a group whose leader spawns.
fn check_ctrl_z(name: &str, live: bool) {
    isolated(name, || {
        if let Some((path, live)) = parse_variable() {
            spawn_for_ever(path, live);
        }
        setsid().expect("it leads no group");
        let clock = Driver::new();
        for path in paths() {
            sys::alarm(WATCHDOG);
            let mut storm = storm_child(name, path, live);
            let pid = Pid::from_child(&storm);
            progress(&mut storm, 3);
            let mut failed = 0;
            for round in 0..ROUNDS {
                let signals = [Signal::TSTP, Signal::TTIN, Signal::TTOU];
                kill_process_group(pid, signals[round % 3]).expect("it lives");
                failed += usize::from(!has_stopped(pid, &clock));
                kill_process_group(pid, Signal::CONT).expect("it lives");
                // In every eighth round the process makes progress. In the others it is stopped
                // again at once.
                if round % 8 == 0 {
                    progress(&mut storm, 1);
                }
            }
            assert_eq!(failed, 0, "{path:?}: times that the group did not stop, of {ROUNDS}");
            progress(&mut storm, 3);
            kill_process_group(pid, Signal::KILL).expect("it lives");
            let status = storm.wait().expect("our child");
            assert_eq!(status.signal(), Some(libc::SIGKILL), "{path:?}");
        }
    });
}

/// Case SG-20. A stop that the child's mask holds back would halt the child before its exec. The
/// parent waits in vfork and would then never report its own stop.
#[test]
fn a_group_that_spawns_always_stops() {
    check_ctrl_z("a_group_that_spawns_always_stops", false);
}

/// Case SG-20. The child swallows such a stop. Otherwise the stop would arrive after the group was
/// continued, and the child would stay stopped.
#[test]
fn no_child_stays_stopped_when_the_group_goes_on() {
    check_ctrl_z("no_child_stays_stopped_when_the_group_goes_on", true);
}

/// Case SG-21. The child swallows no more stops than necessary. A child with the parent's
/// dispositions swallows them too, and a child that ignores them still ignores them.
#[test]
fn inherited_dispositions_survive_the_swallowing_of_stops() {
    isolated("inherited_dispositions_survive_the_swallowing_of_stops", || {
        sys::ignore(libc::SIGTTOU);
        let mut driver = Driver::new();
        for path in paths() {
            let status = by(path, "/bin/cat").arg("/proc/self/status");
            for (command, expected) in [(status.clone().inherit_signals(), true), (status, false)] {
                let record = driver.run(command);
                let text = record.text(1);
                let field = |name: &str| {
                    let line = text.lines().find_map(|line| line.strip_prefix(name));
                    u64::from_str_radix(line.expect("it is there").trim(), 16).expect("hex")
                };
                let ttou = 1 << (libc::SIGTTOU - 1);
                assert_eq!(field("SigIgn:") & ttou != 0, expected, "{path:?}");
                assert_eq!(field("SigCgt:"), 0, "{path:?}: exec resets handlers");
            }
        }
        driver.finish();
    });
}

/// Whether the threads of a test go on. They stop when the test ends or fails.
struct ThreadsRunning(AtomicBool);

impl ThreadsRunning {
    fn new() -> Self {
        Self(AtomicBool::new(true))
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn until_dropped(&self) -> impl Drop {
        struct End<'a>(&'a ThreadsRunning);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.0.store(false, Ordering::Relaxed);
            }
        }
        End(self)
    }
}

/// Handlers run only in the parent, whatever memory the child shares, and disturb no spawn.
#[test]
fn no_handler_of_the_parent_runs_in_a_child() {
    isolated("no_handler_of_the_parent_runs_in_a_child", || {
        // Children belong to the group too. Their programs ignore this signal by default.
        setsid().unwrap();
        sys::count_foreign(libc::SIGURG);
        let mut driver = Driver::new();
        let going = ThreadsRunning::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while going.is_on() {
                    kill_process_group(getpid(), Signal::URG).expect("it is us");
                    std::thread::yield_now();
                }
            });
            let until_here = going.until_dropped();
            for path in paths() {
                sys::alarm(WATCHDOG);
                for _ in 0..60 {
                    assert_eq!(driver.run(by(path, PROBE).args(["exit", "0"])).code(), 0);
                }
                driver.fails(by(path, "/no/such/program"));
            }
            drop(until_here);
        });
        assert!(sys::counted() > 100, "{}", sys::counted());
        assert_eq!(sys::foreign(), 0, "of {}", sys::counted());
        driver.finish();
    });
}

/// A child may be killed at any moment. It either dies by that signal, or runs to its end with
/// exactly its own descriptors.
#[test]
fn children_killed_at_any_moment_leave_the_next_ones_alone() {
    isolated("children_killed_at_any_moment_leave_the_next_ones_alone", || {
        let mut driver = Driver::new();
        let going = ThreadsRunning::new();
        let kills = AtomicUsize::new(0);
        let children = format!("/proc/self/task/{}/children", gettid());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut round = 0_u32;
                while going.is_on() {
                    std::thread::yield_now();
                    let pids = fs::read_to_string(&children).unwrap_or_default();
                    round += 1;
                    for pid in pids.split_whitespace().filter_map(|pid| pid.parse().ok()) {
                        // Kills only in every second round, so that some children live.
                        if round.is_multiple_of(2)
                            && let Some(pid) = Pid::from_raw(pid)
                            && kill_process(pid, Signal::KILL).is_ok()
                        {
                            kills.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
            let until_here = going.until_dropped();
            for path in paths() {
                sys::alarm(WATCHDOG);
                for round in 0..60 {
                    // A different number each time, so that a descriptor of an earlier child would
                    // show.
                    let other = 3 + round % 20;
                    let fds = [(1, Fd::from_child()), (other, Fd::null())];
                    let child = driver.spawn(by(path, PROBE).args(["fdlist", "1"]).child_fds(fds));
                    driver.drive_to_end(&child.record);
                    let ended = child.record.ended().expect("it has ended");
                    match util::signal(&ended) {
                        Some(signal) => assert_eq!(signal, libc::SIGKILL),
                        None => assert_eq!(fd_list(&child.record, 1), [1, other], "{path:?}"),
                    }
                }
            }
            drop(until_here);
        });
        assert!(kills.load(Ordering::Relaxed) > 0, "somebody was killed");
        let nothing: [(i32, Fd); 0] = [];
        driver.run(by(paths()[0], "/bin/true").child_fds(nothing));
        driver.finish();
    });
}

/// Descriptors that other threads open during a spawn reach no child, even inheritable ones.
#[test]
fn descriptors_that_other_threads_open_reach_no_child() {
    isolated("descriptors_that_other_threads_open_reach_no_child", || {
        let mut driver = Driver::new();
        let going = ThreadsRunning::new();
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let going = &going;
                scope.spawn(move || {
                    while going.is_on() {
                        let file = File::open("/dev/null").expect("/dev/null");
                        let high = fcntl_dupfd_cloexec(&file, 100 * thread + 5).expect("a number");
                        let open = rustix::io::dup(&high).expect("an inheritable one");
                        let (reader, writer) = rustix::pipe::pipe().expect("inheritable ends");
                        drop((file, high, open, reader, writer));
                        std::thread::yield_now();
                    }
                });
            }
            let until_here = going.until_dropped();
            for path in paths() {
                sys::alarm(WATCHDOG);
                for round in 0..60 {
                    let other = 3 + round % 60;
                    let fds = [(1, Fd::from_child()), (other, Fd::to_child())];
                    let child = driver.spawn(by(path, PROBE).args(["fdlist", "1"]).child_fds(fds));
                    driver.drive_to_end(&child.record);
                    assert_eq!(fd_list(&child.record, 1), [1, other], "{path:?}");
                }
            }
            drop(until_here);
        });
        driver.drive_all_to_end(ms(1000));
        driver.finish();
    });
}

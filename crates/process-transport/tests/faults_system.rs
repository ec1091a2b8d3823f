//! A system that runs out of resources: ENFILE at the k-th call that creates descriptors, and
//! EAGAIN and ENOMEM at the k-th clone, for every k that a program meets from its first reactor on.
//! strace injects the error in place of the call. Without strace the test reports that it skips.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/watch.rs"]
mod watch;

use procession_process_transport::{Command, Fd, FileMode, Pty, SpawnProcess, Step};
use procession_reactor::Reactor;

use crate::util::{Recorder, WATCHDOG, children, command, isolated, open_fds};
use crate::watch::{is_watched, watched};

/// The calls that create descriptors, the options that narrow them down, the most calls that the
/// program below makes, and their error. The `ioctl` is the one that opens a terminal's other side.
const CALLS: [(&str, &[&str], u32, i32); 11] = [
    ("epoll_create1", &[], 2, libc::ENFILE),
    ("eventfd2", &[], 3, libc::ENFILE),
    ("timerfd_create", &[], 2, libc::ENFILE),
    ("pipe2", &[], 14, libc::ENFILE),
    ("socketpair", &[], 3, libc::ENFILE),
    ("clone", &[], 7, libc::ENFILE),
    ("clone", &[], 7, libc::EAGAIN),
    ("clone", &[], 7, libc::ENOMEM),
    ("open,openat", &["-P", "/dev/ptmx"], 2, libc::ENFILE),
    ("open,openat", &["-P", "/dev/zero"], 2, libc::ENFILE),
    ("ioctl", &["-P", "/dev/ptmx"], 6, libc::ENFILE),
];

/// Calls with a fallback. If the master cannot open the terminal's other side, it is opened by its
/// name. The wait for a deadline works without a timer descriptor.
const WITH_FALLBACK: [&str; 2] = ["ioctl", "timerfd_create"];

fn commands() -> [Command; 4] {
    let plain = || command("/bin/true");
    let file = Fd::file("/dev/zero", FileMode::Read);
    let socket = plain().child_fd(3, Fd::socketpair());
    [plain(), socket, plain().child_fd(3, file), plain().pty(Pty::new())]
}

/// The variable that gives the expected error to the watched program.
const ERROR: &str = "PROCESSION_TEST_ERROR";

/// Creates a loop and spawns children while one call fails. That call gives a typed error or is
/// replaced by its fallback, all others work, and only the thread's socketpair is left.
fn work() {
    let errno: i32 = std::env::var(ERROR).expect("the error").parse().expect("a number");
    let before = open_fds();
    let mut failed = 0;
    let mut reactor = Reactor::new().unwrap_or_else(|error| {
        failed += 1;
        assert_eq!(error.raw_os_error(), Some(errno), "{error:?}");
        assert_eq!(open_fds(), before);
        Reactor::new().expect("the next one")
    });
    for shape in commands().into_iter().chain(commands()) {
        let (recorder, record) = Recorder::new();
        match reactor.spawn_process(recorder, shape) {
            Ok(_) => {
                while record.ended().is_none() {
                    reactor.turn(Some(WATCHDOG)).expect("a turn");
                }
                assert_eq!(record.code(), 0);
            }
            Err(error) => {
                failed += 1;
                assert_eq!(error.raw_os_error(), Some(errno), "{error:?}");
                let steps = [Step::Pipe, Step::Pty, Step::Clone];
                assert!(steps.contains(&error.step()), "{error:?}");
                assert_eq!(record.events(), [], "a failed spawn calls nothing back");
            }
        }
    }
    drop(reactor);
    assert!(failed <= 1, "one call failed, and {failed} with it");
    assert_eq!(children(), []);
    let mut left = open_fds();
    left.retain(|fd, link| before.get(fd) != Some(link));
    assert!(left.len() <= 2 && left.values().all(|link| link.contains("socket")), "{left:?}");
    eprintln!("failed: {failed}");
}

/// How many threads the harness makes by `clone` before the test: on Arm the C library does not use
/// `clone3`.
const CLONES_OF_THE_HARNESS: u32 = if cfg!(target_arch = "aarch64") { 1 } else { 0 };

/// In its own test process, each call that creates descriptors fails once with the error of its
/// row.
fn check_failures(name: &str, is_of_test: impl Fn(&str) -> bool + Send + Sync) {
    isolated(name, || {
        if is_watched() {
            work();
            return;
        }
        for (call, narrower, most, errno) in CALLS.into_iter().filter(|(call, ..)| is_of_test(call))
        {
            let mut failures = 0;
            let before = if call == "clone" { CLONES_OF_THE_HARNESS } else { 0 };
            for nth in 1 + before..=most + before {
                let fault = format!("inject={call}:error={errno}:when={nth}");
                let told = format!("{ERROR}={errno}");
                let options = ["strace", "-qq", "-f", "-E", &told, "-o", "/dev/null", "-e", &fault];
                let options = [&options, narrower].concat();
                let Some(output) = watched(name, &options) else { return };
                let text = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{call} {nth}, error {errno}: {text}");
                failures += u32::from(text.contains("failed: 1"));
            }
            let is_met = failures > 0 || WITH_FALLBACK.contains(&call);
            assert!(is_met, "{call} {narrower:?}: the error was never met");
        }
    });
}

/// Three tests share the calls: the clone, the pipes, and all others.
#[test]
fn a_spawn_survives_a_full_system_at_its_clone() {
    check_failures("a_spawn_survives_a_full_system_at_its_clone", |call| call == "clone");
}

#[test]
fn a_spawn_survives_a_full_system_at_any_of_its_pipes() {
    check_failures("a_spawn_survives_a_full_system_at_any_of_its_pipes", |call| call == "pipe2");
}

#[test]
fn a_spawn_survives_a_full_system_at_any_other_of_its_descriptors() {
    let name = "a_spawn_survives_a_full_system_at_any_other_of_its_descriptors";
    check_failures(name, |call| !["clone", "pipe2"].contains(&call));
}

//! A system that is full: ENFILE at the k-th call that makes descriptors, and EAGAIN and ENOMEM at the
//! k-th clone, for every k that a program meets from its first reactor on. strace puts the error in
//! the place of the call; where it is missing the test says so.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/watch.rs"]
mod watch;

use procession_process_transport::{Command, Fd, FileMode, Pty, SpawnProcess, Step};
use procession_reactor::Reactor;

use crate::util::{Recorder, WATCHDOG, children, command, isolated, open_fds};
use crate::watch::{is_watched, watched};

/// The calls that make descriptors, what narrows them down, how many of each the program below makes
/// at the most, and their error. Of `ioctl` it is the one that opens a terminal's other side.
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

/// What is done without: a terminal whose other side the master does not open is opened by its
/// name, and the wait for a deadline needs no timer.
const WITH_ANOTHER_WAY: [&str; 2] = ["ioctl", "timerfd_create"];

fn shapes() -> [Command; 4] {
    let plain = || command("/bin/true");
    let file = Fd::file("/dev/zero", FileMode::Read);
    let socket = plain().child_fd(3, Fd::socketpair());
    [plain(), socket, plain().child_fd(3, file), plain().pty(Pty::new())]
}

/// Names the error to the program that is watched.
const ERROR: &str = "PROCESSION_TEST_ERROR";

/// Makes a loop and spawns while one call fails: that one has a typed error or a way round it, all
/// others work, and of all of them nothing is left but the thread's socketpair.
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
    for shape in shapes().into_iter().chain(shapes()) {
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

/// In the test of this name alone, each call that makes descriptors fails once with the error of its
/// row.
fn survives(name: &str, is_of_test: impl Fn(&str) -> bool + Send + Sync) {
    isolated(name, || {
        if is_watched() {
            work();
            return;
        }
        for (call, narrower, most, errno) in CALLS.into_iter().filter(|(call, ..)| is_of_test(call))
        {
            let mut failures = 0;
            for nth in 1..=most {
                let fault = format!("inject={call}:error={errno}:when={nth}");
                let told = format!("{ERROR}={errno}");
                let options = ["strace", "-qq", "-f", "-E", &told, "-o", "/dev/null", "-e", &fault];
                let options = [&options, narrower].concat();
                let Some(output) = watched(name, &options) else { return };
                let text = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{call} {nth}, error {errno}: {text}");
                failures += u32::from(text.contains("failed: 1"));
            }
            let is_met = failures > 0 || WITH_ANOTHER_WAY.contains(&call);
            assert!(is_met, "{call} {narrower:?}: the error was never met");
        }
    });
}

/// Each call is met once: those of the clone, of the pipes, and all others.
#[test]
fn a_spawn_survives_a_full_system_at_its_clone() {
    survives("a_spawn_survives_a_full_system_at_its_clone", |call| call == "clone");
}

#[test]
fn a_spawn_survives_a_full_system_at_any_of_its_pipes() {
    survives("a_spawn_survives_a_full_system_at_any_of_its_pipes", |call| call == "pipe2");
}

#[test]
fn a_spawn_survives_a_full_system_at_any_other_of_its_descriptors() {
    let name = "a_spawn_survives_a_full_system_at_any_other_of_its_descriptors";
    survives(name, |call| !["clone", "pipe2"].contains(&call));
}

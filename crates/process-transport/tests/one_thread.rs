//! What the library does in a program with one thread: it passes the environment to the children without
//! a copy, and enlarges the table of descriptors. The harness of the other tests has threads, so this
//! test is a program of its own.

mod util;

#[path = "spawn_paths/paths.rs"]
mod paths;

use std::sync::mpsc::channel;
use std::thread;

use procession_process_transport::{SpawnProcess, reserve_spawn_fds};
use procession_protocol::SpawnPath;
use procession_reactor::Reactor;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::paths::{by, paths};
use crate::util::{Recorder, WATCHDOG, sys};

const NAME: &str = "PROCESSION_TEST_VARIABLE";

/// Returns the value that a child on `path` has for [`NAME`].
fn value_in_child(reactor: &mut Reactor, path: SpawnPath) -> Option<String> {
    let (recorder, record) = Recorder::new();
    reactor.spawn_process(recorder, by(path, "/usr/bin/env")).expect("it starts");
    while record.ended().is_none() {
        reactor.turn(Some(WATCHDOG)).expect("a turn");
    }
    assert_eq!(record.code(), 0);
    let text = record.text(1);
    let mine = std::env::vars_os().count();
    assert_eq!(text.lines().filter(|line| line.contains('=')).count(), mine, "{text}");
    text.lines().find_map(|line| Some(line.strip_prefix(NAME)?.strip_prefix('=')?.to_owned()))
}

fn assert_each_path_shows(reactor: &mut Reactor, value: &str) {
    for path in paths() {
        assert_eq!(value_in_child(reactor, path).as_deref(), Some(value), "{path:?}");
    }
}

/// Returns how many descriptors the table of this process has room for.
fn table_size() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let size = status.lines().find_map(|line| line.strip_prefix("FDSize:"));
    size.expect("Linux says it").trim().parse().expect("a number")
}

/// Returns the size of the table after a call of `reserve_spawn_fds`, with a soft limit.
fn reserved(soft_limit: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(soft_limit), ..limit })
        .expect("it is lower");
    reserve_spawn_fds().expect("a mailbox");
    setrlimit(Resource::Nofile, limit).expect("as before");
    table_size()
}

fn the_table_has_room_before_there_are_threads() {
    // Only the GNU C library says that there is one thread.
    let before = table_size();
    let expected = |size| if cfg!(target_env = "gnu") { size } else { before };
    assert_eq!(reserved(1024), expected(1024));
    if getrlimit(Resource::Nofile).current.is_none_or(|limit| limit > 5000) {
        assert_eq!(reserved(5000), expected(4096));
        assert_eq!(reserved(5000), expected(4096), "it is large enough");
    }
    let this = std::env::current_exe().expect("the path of this program");
    let status = std::process::Command::new(this).arg(BESIDE_A_THREAD).status();
    assert!(status.expect("it starts").success());
    println!("test the_table_has_room_before_there_are_threads ... ok");
}

/// Has the program check that the table stays as it is beside another thread: the call would stand still.
const BESIDE_A_THREAD: &str = "beside-a-thread";

fn a_table_that_threads_share_stays_as_it_is() {
    let before = table_size();
    let (end, ends) = channel::<()>();
    let other = thread::spawn(move || ends.recv());
    assert_eq!(reserved(1024), before);
    drop(end);
    other.join().expect("it does nothing").expect_err("nothing is sent");
}

fn main() {
    if std::env::args().any(|word| word == BESIDE_A_THREAD) {
        return a_table_that_threads_share_stays_as_it_is();
    }
    if cfg!(target_os = "linux") {
        the_table_has_room_before_there_are_threads();
    }
    let mut reactor = Reactor::new().expect("a reactor");
    for value in ["one", "", "two"] {
        sys::set_env(NAME, value);
        assert_each_path_shows(&mut reactor, value);
    }
    // The C library may move its array of variables as it grows.
    for more in 0..200 {
        sys::set_env(&format!("{NAME}_{more}"), "x".repeat(more));
    }
    assert_each_path_shows(&mut reactor, "two");
    // With a second thread the library makes a copy, with the same content.
    let (end, ends) = channel::<()>();
    let other = thread::spawn(move || ends.recv());
    assert_each_path_shows(&mut reactor, "two");
    drop(end);
    other.join().expect("it does nothing").expect_err("nothing is sent");
    assert_each_path_shows(&mut reactor, "two");
    println!("test children_of_one_thread_have_its_environment ... ok");
}

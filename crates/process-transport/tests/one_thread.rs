//! What the library does in a program with one thread: it passes the environment to the children without
//! a copy, and their descriptors without a message, and enlarges the table of descriptors. The harness of
//! the other tests has threads, so this test is a program of its own.

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;
#[path = "spawn_paths/paths.rs"]
mod paths;

use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use procession_process_transport::{Command, Fd, SpawnProcess, reserve_spawn_fds};
use procession_protocol::SpawnPath;
use procession_reactor::Reactor;
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::filter::{Calls, answer};
use crate::paths::{by, paths};
use crate::util::{Leaks, PROBE, Recorder, WATCHDOG, forced_path, sys};

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

/// Returns the descriptors of a child of this command, and the path that it was started on.
fn descriptors(command: impl FnOnce(Command) -> Command) -> (String, SpawnPath) {
    let child = command(Command::new(PROBE).args(["fdlist", "1"])).spawn().expect("it starts");
    let path = child.spawned_by();
    let output = child.output().expect("it ends");
    (String::from_utf8_lossy(output.stdout()).into_owned(), path)
}

/// A filter refuses messages, so whoever is started in a shared table has got none.
fn descriptors_reach_the_child_without_a_message() {
    sys::in_a_copy(|| {
        answer(libc::SYS_sendmsg, Calls::All, libc::EPERM);
        let null = || File::open("/dev/null").expect("it opens");
        let at = |number| Arc::new(sys::copy_at(null(), number, false));
        let (low, last) = (at(20), at(63));
        let listed = |list: &str, path| (list.to_owned(), path);
        let all = |command: Command| command;
        assert_eq!(descriptors(all), listed("[0, 1, 2]", SpawnPath::SharedFiles));
        // Numbers of the child's own, among them some that its parent also uses.
        let mapped = descriptors(|command| {
            let command = command.child_fd(20, Fd::from_child()).child_fd(7, Fd::to_child());
            command.child_fd(300, Fd::inherit(low.clone())).child_fd(3, Fd::inherit(last.clone()))
        });
        assert_eq!(mapped, listed("[0, 1, 2, 3, 7, 20, 300]", SpawnPath::SharedFiles));
        // What lies above the numbers that a child keeps takes a message.
        let high = at(70);
        assert_eq!(descriptors(all), listed("[0, 1, 2]", SpawnPath::SharedFiles));
        let mapped = descriptors(|command| command.child_fd(3, Fd::inherit(high.clone())));
        assert_eq!(mapped, listed("[0, 1, 2, 3]", SpawnPath::SharedMemory));
        for mine in [&low, &last, &high] {
            assert_eq!(fcntl_getfd(mine), Ok(FdFlags::empty()), "the parent's table is untouched");
        }
        // So does a child of a program with threads.
        let (end, ends) = channel::<()>();
        let other = thread::spawn(move || ends.recv());
        assert_eq!(descriptors(all), listed("[0, 1, 2]", SpawnPath::SharedMemory));
        drop(end);
        other.join().expect("it does nothing").expect_err("nothing is sent");
        Leaks::assert_no_children();
    });
    println!("test descriptors_reach_the_child_without_a_message ... ok");
}

fn main() {
    if std::env::args().any(|word| word == BESIDE_A_THREAD) {
        return a_table_that_threads_share_stays_as_it_is();
    }
    if cfg!(target_os = "linux") {
        the_table_has_room_before_there_are_threads();
    }
    // Only the GNU C library says that there is one thread.
    if cfg!(all(target_os = "linux", target_env = "gnu")) && forced_path().is_none() {
        descriptors_reach_the_child_without_a_message();
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

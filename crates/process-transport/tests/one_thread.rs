//! The environment of the children of a program with one thread. The library passes it to them
//! without a copy. The harness of the other tests has threads, so this test is a program of its
//! own.

mod util;

#[path = "spawn_paths/paths.rs"]
mod paths;

use std::sync::mpsc::channel;
use std::thread;

use procession_process_transport::SpawnProcess;
use procession_protocol::SpawnPath;
use procession_reactor::Reactor;

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

fn main() {
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

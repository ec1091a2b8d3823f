//! tokio's signals beside children that end with the program: whichever comes first, the program's
//! graceful path is taken, and the default action ends the children where tokio leaves it.
//!
//! tokio's handlers are those of signal-hook's registry. The program is this test binary again, with
//! [`ROLE`] set to the order.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use procession::end_children_with_program;
use procession::prelude::Fd;
use procession::process_transport::{Command as Program, Spawned};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

const ROLE: &str = "PROCESSION_TEST_TOKIO";

/// A child that holds the program's output as long as it lives.
fn own() -> Spawned {
    end_children_with_program();
    let fds = [(0, Fd::null()), (1, Fd::inherit(std::io::stdout())), (2, Fd::null())];
    let sleep = Program::new("sleep").arg("600").child_fds(fds).owned(true);
    sleep.spawn().expect("it starts")
}

fn watch(runtime: &Runtime) -> Stream {
    let _entered = runtime.enter();
    signal(SignalKind::terminate()).expect("it can be watched")
}

/// The program: waits for TERM by tokio, and says so.
fn program(tokio_first: bool) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut stream, child) = if tokio_first {
        let stream = watch(&runtime);
        (stream, own())
    } else {
        let child = own();
        (watch(&runtime), child)
    };
    println!("\nready");
    runtime.block_on(stream.recv()).expect("it comes");
    println!("graceful");
    drop(child);
    std::process::exit(3);
}

/// Starts the program, as the test `name`, and waits until it is ready.
fn start(name: &str, order: &str) -> (Child, BufReader<ChildStdout>) {
    let this = env::current_exe().expect("the path of this test binary");
    let mut command = Command::new(this);
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, order);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it runs again");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while line != "ready\n" {
        line.clear();
        assert_ne!(output.read_line(&mut line).expect("text"), 0, "it has ended");
    }
    (child, output)
}

/// Sends both orders of the program a signal: how each ended, and what it said, once nobody holds its
/// output.
fn each(name: &str, signal: Signal) -> Vec<(Option<i32>, Option<i32>, String)> {
    if let Ok(order) = env::var(ROLE) {
        program(order == "tokio first");
    }
    let ended = |order| {
        let (mut child, mut output) = start(name, order);
        kill_process(Pid::from_child(&child), signal).expect("it is our child");
        let mut said = String::new();
        output.read_to_string(&mut said).expect("text");
        let status = child.wait().expect("our child");
        (status.code(), status.signal(), said)
    };
    ["tokio first", "tokio second"].into_iter().map(ended).collect()
}

#[test]
fn a_signal_that_tokio_watches_is_tokios() {
    let graceful = (Some(3), None, "graceful\n".to_owned());
    let name = "a_signal_that_tokio_watches_is_tokios";
    assert_eq!(each(name, Signal::TERM), [graceful.clone(), graceful]);
}

#[test]
fn a_signal_that_tokio_does_not_watch_ends_the_children() {
    let killed = (None, Some(Signal::HUP.as_raw()), String::new());
    let name = "a_signal_that_tokio_does_not_watch_ends_the_children";
    assert_eq!(each(name, Signal::HUP), [killed.clone(), killed]);
}

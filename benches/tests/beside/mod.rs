//! A program that uses another library for signals, beside children that end with the program, in
//! either order.
//!
//! The program is the test binary again, with [`ROLE`] set to the order.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use procession::{Command as Program, Fd, Spawned, end_children_with_program};
use procession_test_support::sys;
use rustix::process::{Pid, Signal, kill_process};

const ROLE: &str = "PROCESSION_TEST_BESIDE";

/// The library's part of the program: watches the signals, and returns a function that waits for
/// one.
pub(crate) type Watch = fn() -> Box<dyn FnOnce()>;

/// Starts a child that holds the program's output as long as it lives.
fn own() -> Spawned {
    end_children_with_program();
    let fds = [(0, Fd::null()), (1, Fd::inherit(std::io::stdout())), (2, Fd::null())];
    let sleep = Program::new("sleep").arg("600").child_fds(fds).owned(true);
    sleep.spawn().expect("it starts")
}

/// The program: waits for a signal with the library, and reports it.
fn program(library_first: bool, watch: Watch) {
    // Programs in the background inherit that these are ignored, by nohup(1) for example.
    for signal in [Signal::HUP, Signal::INT, Signal::QUIT] {
        sys::default_action(signal.as_raw());
    }
    let (wait, child) = if library_first {
        let wait = watch();
        (wait, own())
    } else {
        let child = own();
        (watch(), child)
    };
    println!("\nready");
    wait();
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

/// How a program ended, and its output.
pub(crate) type End = (Option<i32>, Option<i32>, String);

/// Returns the end of the library's path.
pub(crate) fn graceful() -> End {
    (Some(3), None, "graceful\n".to_owned())
}

/// Returns the end by the default action.
pub(crate) fn killed_by(signal: Signal) -> End {
    (None, Some(signal.as_raw()), String::new())
}

/// Sends a signal to the program, in both orders. Returns how each ended, after its output is
/// closed.
pub(crate) fn each(name: &str, signal: Signal, watch: Watch) -> Vec<End> {
    if let Ok(order) = env::var(ROLE) {
        program(order == "library first", watch);
    }
    let ended = |order| {
        let (mut child, mut output) = start(name, order);
        kill_process(Pid::from_child(&child), signal).expect("it is our child");
        let mut said = String::new();
        output.read_to_string(&mut said).expect("text");
        let status = child.wait().expect("our child");
        (status.code(), status.signal(), said)
    };
    ["library first", "library second"].into_iter().map(ended).collect()
}

//! What is in a scope ends with the program, also what has left every group.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

use std::io::{BufRead, BufReader, Write, stdout};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{self, Stdio};
use std::{env, fs, thread};

use procession_process_transport::Fd;
use rustix::process::{Pid, Signal, kill_process};

use crate::util::scopes::{cgroup_or_skip, until};
use crate::util::{isolated, sh, without_leak_check};

/// The variable that tells the program how to end.
const ENDS: &str = "PROCESSION_SCOPE_ENDS";
const PROGRAM: &str = "a_program_with_a_scope";

/// The program of the next test; it does nothing without its variable.
#[test]
fn a_program_with_a_scope() {
    let Some(ends) = env::var_os(ENDS) else { return };
    let Some(scope) = cgroup_or_skip("scope-ends") else { return };
    let output = stdout().as_fd().try_clone_to_owned().expect("a copy");
    let child = sh("setsid sleep 60 & echo; echo member; exec sleep 60").scope(&scope);
    let child = child.child_fd(1, Fd::inherit(output)).spawn().expect("sh starts");
    println!("\nfolder={}", scope.path().expect("it is a cgroup").display());
    stdout().flush().expect("a pipe");
    if ends == "exit" {
        process::exit(3);
    }
    thread::park(); // a signal ends the program
    drop((child, scope));
}

/// Case SC-20. Neither `setsid` nor a missing owner saves a member.
#[test]
fn what_is_in_a_scope_ends_with_the_program() {
    const NAME: &str = "what_is_in_a_scope_ends_with_the_program";
    isolated(NAME, || {
        let Some(scope) = cgroup_or_skip(NAME) else { return };
        drop(scope);
        for signal in [Some(Signal::TERM), Some(Signal::HUP), None] {
            let this = env::current_exe().expect("a path");
            let mut program = without_leak_check(&mut process::Command::new(this))
                .args([PROGRAM, "--exact", "--nocapture", "--test-threads=1"])
                .env(ENDS, if signal.is_some() { "signal" } else { "exit" })
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .expect("it starts");
            let mut lines = BufReader::new(program.stdout.take().expect("a pipe")).lines();
            let folder = lines
                .find_map(|line| line.expect("text").strip_prefix("folder=").map(PathBuf::from));
            let folder = folder.expect("it says where");
            if let Some(signal) = signal {
                kill_process(Pid::from_child(&program), signal).expect("it is our child");
            }
            let status = program.wait().expect("it ends");
            let expected = (signal.map(Signal::as_raw), signal.is_none().then_some(3));
            assert_eq!((status.signal(), status.code()), expected);
            let events = folder.join("cgroup.events");
            until("nobody is left", || {
                fs::read_to_string(&events).is_ok_and(|text| text.contains("populated 0"))
            });
            fs::remove_dir(&folder).expect("it is empty");
        }
    });
}

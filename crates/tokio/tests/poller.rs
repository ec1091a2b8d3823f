//! How often a child changes the poller, counted by strace.

mod util;

use std::fs;
use std::process::{Command as Plain, Output};

use procession_test_support::{VARIABLE, is_isolated, skip_here};
use procession_tokio::{Child, Command, Stdio};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Access, access};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::util::{current_thread, within};

/// Writes a line into the log of strace.
fn mark(text: &str) {
    access(format!("/procession/{text}"), Access::EXISTS).expect_err("there is no such file");
}

/// Starts `cat` with two pipes.
fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat")
}

/// Counts the changes of the poller between a mark and the next one.
fn changes(log: &str, text: &str) -> usize {
    let mark = format!("/procession/{text}\"");
    let after = log.lines().skip_while(|line| !line.contains(&mark)).skip(1);
    let until = after.take_while(|line| !line.contains("/procession/"));
    until.filter(|line| line.contains("epoll_ctl(")).count()
}

/// Case TO-03.
#[test]
fn only_what_blocks_changes_the_poller() {
    let name = "only_what_blocks_changes_the_poller";
    if is_isolated(name) {
        return current_thread().block_on(within(async {
            mark("unused");
            let mut command = Command::new("true");
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let pid = rustix::process::Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
            let pidfd =
                rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
            poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None).unwrap();
            assert!(child.wait().await.unwrap().success());
            drop(child);

            mark("ready");
            let mut child = cat();
            let (mut stdin, mut stdout) =
                (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            stdin.write_all(b"hello").await.unwrap();
            let output = stdout.into_owned_fd().unwrap();
            poll(&mut [PollFd::new(&output, PollFlags::IN)], None).unwrap();
            drop((output, stdin, child));

            mark("wait");
            let mut child = cat();
            let stdin = child.stdin.take().unwrap();
            for _ in 0..5 {
                tokio::select! {
                    biased;
                    _ = child.wait() => panic!("it lives"),
                    () = tokio::task::yield_now() => {}
                }
                assert!(child.try_wait().unwrap().is_none());
            }
            drop(stdin);
            child.wait().await.unwrap();

            mark("read");
            let mut child = cat();
            let (mut stdin, mut byte) = (child.stdin.take().unwrap(), [0]);
            stdout = child.stdout.take().unwrap();
            tokio::select! {
                biased;
                _ = stdout.read(&mut byte) => panic!("it has written nothing"),
                () = tokio::task::yield_now() => {}
            }
            for _ in 0..100 {
                stdin.write_all(b"x").await.unwrap();
                stdout.read_exact(&mut byte).await.unwrap();
            }
            drop((stdin, stdout));
            mark("end");
            child.wait().await.unwrap();
        }));
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut strace = Plain::new("strace");
    strace.args(["-f", "-e", "trace=epoll_ctl,?access,faccessat,faccessat2", "-o"]).arg(&log);
    strace.arg(std::env::current_exe().unwrap()).args([name, "--exact", "--nocapture"]);
    let output: Output = match strace.env(VARIABLE, name).output() {
        Ok(output) => output,
        Err(_) => return skip_here(name, "strace is absent"),
    };
    assert!(output.status.success(), "{output:?}");
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(changes(&log, "unused"), 0, "a child that has ended, with three pipes\n{log}");
    assert_eq!(changes(&log, "ready"), 0, "ends that never block\n{log}");
    assert_eq!(changes(&log, "wait"), 2, "one wait, polled many times, with looks between\n{log}");
    assert_eq!(changes(&log, "read"), 2, "one output, read many times\n{log}");
}

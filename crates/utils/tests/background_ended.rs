//! A child of a background: the wait for its end, and its lines.
#![cfg(all(target_os = "linux", feature = "reactor"))]

#[path = "background/executors.rs"]
mod executors;

use std::fs;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use futures_lite::future::zip;
use procession_core::Signal;
use procession_process_transport::{Command, Fd};
use procession_test_support::process_state;

use crate::executors::{check_on_every_executor, until};

const MIB: usize = 1 << 20;
/// The most bytes of one output that are kept for a program that does not take them.
const KEPT: usize = 3 * (MIB / 2);

fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script]).owned(true)
}

/// Case BG-19.
#[test]
fn the_end_of_a_child_does_not_wait_for_a_reader() {
    check_on_every_executor(
        "the_end_of_a_child_does_not_wait_for_a_reader",
        |background| async move {
            let flood = "head -c 8000000 /dev/zero";
            let script =
                format!("echo begun; {flood}; {flood} >&4; echo too >&2; echo late >&2; exit 3");
            let mut child =
                background.spawn_child(sh(&script).child_fd(4, Fd::from_child())).await.unwrap();
            assert!(child.stdout().next().await.unwrap().starts_with(b"begun\n"));
            let error = child.ended().await.unwrap_err();
            assert_eq!(error.to_string(), r#""sh" exited with status 3: late"#);
            for fd in [1, 4] {
                let left = child.output(fd).collect().await.len();
                assert!((1..=KEPT).contains(&left), "{left} bytes of {fd}");
            }
        },
    );
}

/// Case BG-19.
#[test]
fn a_wait_for_the_end_that_is_dropped_discards_nothing() {
    const NAME: &str = "a_wait_for_the_end_that_is_dropped_discards_nothing";
    check_on_every_executor(NAME, |background| async move {
        let flood = "head -c 8000000 /dev/zero";
        let script = format!("echo begun; read line; {flood}; {flood} >&4");
        let command = sh(&script).child_fd(4, Fd::from_child());
        let mut child = background.spawn_child(command).await.unwrap();
        let mut input = child.take_input(0).unwrap();
        // The loop moves this one from now on; the other one stays there.
        assert_eq!(child.stdout().next().await.unwrap(), "begun\n");
        {
            let mut ended = pin!(child.ended());
            let first = ended.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(first.is_pending());
        }
        // The loop has done everything before when it has sent this.
        child.signal(Signal::CONT).await.unwrap();
        input.write("go on\n").await.unwrap();
        let mut other = child.take_output(4).unwrap();
        let (first, second) = zip(child.stdout().collect(), other.collect()).await;
        assert_eq!((first.len(), second.len()), (8_000_000, 8_000_000));
        child.ended().await.unwrap();
    });
}

/// Case BG-20.
#[test]
fn outputs_are_streams_of_lines() {
    check_on_every_executor("outputs_are_streams_of_lines", |background| async move {
        let script = "seq 100000; head -c 20000 /dev/zero; echo; printf 'one\\ntwo\\nthr'";
        let mut child = background.spawn_child(sh(script)).await.unwrap();
        let mut lines = child.stdout().lines();
        for number in 1..=100_000 {
            assert_eq!(lines.next().await.unwrap(), number.to_string().as_str());
        }
        let long = lines.next().await.unwrap();
        assert!(long.is_cut() && long.len() == 16_384);
        assert_eq!(lines.next().await.unwrap(), "one");
        drop(lines);
        assert_eq!(child.stdout().collect().await, b"two\nthr");
        child.ended().await.unwrap();
    });
}

/// Case BG-20.
#[test]
fn a_slow_reader_of_lines_slows_the_child_down() {
    check_on_every_executor(
        "a_slow_reader_of_lines_slows_the_child_down",
        |background| async move {
            let mut child =
                background.spawn_child(sh("exec yes").kill_on_drop(true)).await.unwrap();
            let pid = child.pid().unwrap();
            assert_eq!(child.stdout().lines().next().await.unwrap(), "y");
            let mut before = usize::MAX;
            until("the child stands still", || {
                let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
                let line = io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap();
                let now: usize = line.parse().unwrap();
                assert!(now <= KEPT + MIB, "{now} bytes written");
                let stands = now == before && process_state(pid) == 'S';
                before = now;
                stands && now > 256 << 10
            });
        },
    );
}

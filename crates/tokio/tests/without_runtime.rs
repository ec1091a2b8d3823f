//! Children that are polled outside of a runtime: errors, and no panics.

mod util;

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use procession_tokio::{Child, Command, Signal, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::util::{current_thread, within};

const GRACE: Duration = Duration::from_secs(60);

/// Starts `cat` with two pipes.
fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat")
}

#[test]
fn without_a_runtime_a_wait_is_an_error_and_no_panic() {
    let mut child = cat();
    let mut wait = Box::pin(child.wait());
    let polled = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    // The input is closed, so the child may have ended in the meantime.
    if let Poll::Ready(Err(error)) = polled {
        assert!(error.to_string().contains("runtime"), "{error}");
    }
    drop(wait);
    current_thread().block_on(within(child.wait())).unwrap();
}

#[test]
fn without_a_runtime_a_termination_is_an_error_and_sends_nothing() {
    for has_pidfd in [true, false] {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        if !has_pidfd {
            command.configure(|command| command.without_pidfd());
        }
        let mut child = command.spawn().unwrap();
        {
            let mut ends = pin!(child.terminate(Signal::TERM, GRACE));
            let mut context = Context::from_waker(Waker::noop());
            let Poll::Ready(Err(error)) = ends.as_mut().poll(&mut context) else {
                panic!("an error at once");
            };
            assert!(error.to_string().contains("runtime"), "{error}");
        }
        current_thread().block_on(within(async {
            let mut text = String::new();
            child.stdin.take().unwrap().write_all(b"alive").await.unwrap();
            child.stdout.as_mut().unwrap().read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "alive");
            assert!(child.wait().await.unwrap().success());
        }));
    }
}

#[test]
fn without_a_runtime_and_a_pidfd_a_wait_is_an_error() {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).configure(|command| command.without_pidfd());
    let mut child = command.spawn().unwrap();
    let stdin = child.stdin.take();
    {
        let mut wait = pin!(child.wait());
        let polled = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Err(error)) if error.to_string().contains("runtime")));
    }
    drop(stdin);
    current_thread().block_on(within(child.wait())).unwrap();
}

//! What tokio's own tests of `tokio::process` ask for. TOKIO-TESTS.md has the list.

mod util;

use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::Poll;

use procession_test_support::{process_state, skip};
use procession_tokio::{Child, ChildStdin, ChildStdout, Command, Signal, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::coop::unconstrained;

use crate::util::{current_thread, multi_thread, on_both, sh, until, within};

#[test]
fn a_wait_gives_the_status_again_and_again_and_the_id_is_gone() {
    on_both(|| async {
        let mut child = sh("exit 2").spawn().unwrap();
        assert!(child.id().unwrap() > 0);
        for _ in 0..2 {
            assert_eq!(child.wait().await.unwrap().code(), Some(2));
            assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(2));
        }
        assert_eq!(child.id(), None);
        drop(child.kill());
    });
}

#[test]
fn the_zeroth_argument_is_its_own() {
    on_both(|| async {
        let mut command = Command::new("sh");
        command.arg0("test_string").arg("-c").arg("echo $0");
        assert_eq!(command.output().await.unwrap().stdout, b"test_string\n");
    });
}

#[test]
fn a_kill_after_a_wait_is_no_error() {
    on_both(|| async {
        let mut child = sh("exit 2").spawn().unwrap();
        child.start_kill().unwrap();
        child.wait().await.unwrap();
        child.start_kill().unwrap();
        child.kill().await.unwrap();
    });
}

/// The pipe is full, and the writer waits for room, which will never be.
#[test]
fn a_writer_that_waits_for_room_hears_that_the_child_was_killed() {
    on_both(|| async {
        let mut sleep = Command::new("sleep");
        let mut child =
            sleep.arg("600").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        fill(&mut input).await;
        let (written, killed) =
            tokio::join!(async { input.write_all(&[0; 8192]).await }, async { child.kill().await });
        killed.unwrap();
        assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    });
}

/// Writes until the pipe is full; returns the number of bytes.
async fn fill(input: &mut ChildStdin) -> usize {
    let mut bytes = 0;
    // Without cooperative yielding, pending means that the pipe is full.
    unconstrained(poll_fn(|context| {
        loop {
            match Pin::new(&mut *input).poll_write(context, &[b'x'; 8192]) {
                Poll::Ready(written) => bytes += written.expect("the child lives"),
                Poll::Pending => return Poll::Ready(()),
            }
        }
    }))
    .await;
    bytes
}

#[test]
fn children_that_end_together_are_all_reaped() {
    on_both(|| async {
        let batch = || async {
            let mut children: Vec<Child> = (0..10)
                .map(|number| {
                    let mut command = Command::new("echo");
                    command.arg(format!("child {number}")).stdin(Stdio::null());
                    command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
                    command.spawn().unwrap()
                })
                .collect();
            for child in &mut children {
                assert!(child.wait().await.unwrap().success());
            }
        };
        let batches: Vec<_> = (0..10).map(|_| tokio::spawn(batch())).collect();
        for batch in batches {
            batch.await.unwrap();
        }
    });
}

async fn read_chunks(
    reader: &mut (impl AsyncRead + Unpin),
    stdin: &mut ChildStdin,
    [first, second]: [&[u8]; 2],
) {
    let mut buffer = vec![0; first.len()];
    reader.read_exact(&mut buffer).await.expect("the child lives");
    assert_eq!(buffer, first);
    // The child waits for an answer, so this read has nothing yet.
    poll_fn(|context| {
        let mut bytes = [0; 1];
        let read = Pin::new(&mut *reader).poll_read(context, &mut ReadBuf::new(&mut bytes));
        assert!(read.is_pending());
        Poll::Ready(())
    })
    .await;
    stdin.write_all(b"continue\n").await.expect("the child lives");
    buffer.resize(second.len(), 0);
    reader.read_exact(&mut buffer).await.expect("the child lives");
    assert_eq!(buffer, second);
    stdin.write_all(b"exit\n").await.expect("the child lives");
    assert_eq!(reader.read(&mut buffer).await.expect("the child lives"), 0);
}

/// A read that got less than it asked for must not miss what comes later.
#[test]
fn the_second_chunk_of_an_output_arrives_while_the_child_lives() {
    on_both(|| async {
        for number in [1, 2] {
            let script = "printf 'one\\n' >&N; read gate; printf 'two\\n' >&N; read gate";
            let mut command = sh(&script.replace('N', &number.to_string()));
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.kill_on_drop(true).spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            let mut reader = child.take_reader(number).unwrap();
            read_chunks(&mut reader, &mut stdin, [b"one\n", b"two\n"]).await;
            assert!(child.wait().await.unwrap().success());
        }
    });
}

#[test]
fn a_full_pipe_takes_more_once_the_child_reads() {
    on_both(|| async {
        let (gate, child_gate) = UnixStream::pair().unwrap();
        let mut command = sh("read gate <&2; wc -c");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(OwnedFd::from(child_gate));
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let written = fill(&mut stdin).await;
        std::io::Write::write_all(&mut &gate, b"continue\n").unwrap();
        stdin.write_all(b"x").await.unwrap();
        drop(stdin);
        let mut output = String::new();
        stdout.read_to_string(&mut output).await.unwrap();
        assert_eq!(output.trim().parse::<usize>().unwrap(), written + 1);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn a_child_is_awaited_in_another_runtime_than_it_began() {
    for [first, second] in [[current_thread, multi_thread], [multi_thread, current_thread]] {
        let mut child = first().block_on(async {
            Command::new("true").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
        });
        assert!(second().block_on(within(child.wait())).unwrap().success());
    }
}

/// tokio panics here.
///
/// Case TO-02.
#[test]
fn a_child_starts_without_a_runtime() {
    let mut command = Command::new("cat");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    assert!(child.try_wait().unwrap().is_none());
    let output = current_thread().block_on(within(async {
        child.stdin.take().unwrap().write_all(b"hello").await.unwrap();
        child.wait_with_output().await.unwrap()
    }));
    assert_eq!(output.stdout, b"hello");
}

/// The shell is killed; the child that it left alone is not, because it leads no group.
///
/// Case TO-04.
#[test]
fn kill_on_drop_kills_the_child_alone() {
    on_both(|| async {
        let script = "sh -c 'read gate; echo child ran' <&3 & echo ready; read never; echo beyond";
        let mut command = sh(script);
        let (gate, child_gate) = UnixStream::pair().unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.child_fd(3, OwnedFd::from(child_gate)).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut output = child.stdout.take().unwrap();
        let mut ready = [0; 6];
        output.read_exact(&mut ready).await.unwrap();
        drop(child);
        std::io::Write::write_all(&mut &gate, b"go\n").unwrap();
        let mut rest = String::new();
        output.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "child ran\n");
    });
}

#[test]
fn a_dropped_child_runs_on_and_is_reaped_by_its_runtime() {
    on_both(|| async {
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (pid, mut stdin, mut stdout) =
            (child.id().unwrap(), child.stdin.take().unwrap(), child.stdout.take().unwrap());
        drop(child);
        stdin.write_all(b"alive").await.unwrap();
        let mut alive = [0; 5];
        stdout.read_exact(&mut alive).await.unwrap();
        drop(stdin);
        until(|| process_state(pid) == 'X').await;
    });
}

#[test]
fn a_child_that_was_killed_or_reaped_is_not_killed_by_its_drop() {
    on_both(|| async {
        let mut child = sh("exit 0").kill_on_drop(true).spawn().unwrap();
        child.wait().await.unwrap();
        let reason = child.reason().cloned();
        assert!(reason.unwrap().is_ok());
        let mut child = Command::new("sleep").arg("600").kill_on_drop(true).spawn().unwrap();
        child.kill().await.unwrap();
        assert_eq!(child.reason().unwrap().as_ref().unwrap_err().signal(), Some(Signal::KILL));
        drop(child);
    });
}

#[test]
fn a_debugger_that_forks_does_not_hide_the_end_of_the_child() {
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        return skip("a_debugger_that_forks_does_not_hide_the_end_of_the_child", "no strace");
    }
    on_both(|| async {
        let mut strace = Command::new("strace");
        strace.args(["-o", "/dev/null", "-D", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut traced = strace.spawn().unwrap();
        let mut stdin = traced.stdin.take().unwrap();
        stdin.write_all(b"x").await.unwrap();
        traced.stdout.as_mut().unwrap().read_exact(&mut [0]).await.unwrap();
        traced.signal(Signal::INT).unwrap();
        traced.wait().await.unwrap();
    });
}

/// Case TO-09.
#[test]
fn fields_are_moved_out_of_a_child_and_the_rest_is_dropped() {
    fn streams(command: &mut Command) -> (u32, ChildStdin, ChildStdout) {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let pid = child.id().unwrap();
        let stdin = child.stdin.unwrap();
        let stdout = child.stdout.unwrap();
        (pid, stdin, stdout)
    }
    on_both(|| async {
        let (pid, mut stdin, mut stdout) = streams(&mut Command::new("cat"));
        stdin.write_all(b"abc").await.unwrap();
        drop(stdin);
        let mut text = String::new();
        stdout.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "abc");
        until(|| process_state(pid) == 'X').await;
        // The input is open, so only the kill ends the child.
        let (pid, _stdin, mut stdout) = streams(Command::new("cat").kill_on_drop(true));
        assert_eq!(stdout.read(&mut [0]).await.unwrap(), 0);
        until(|| process_state(pid) == 'X').await;
    });
}

//! The child of a background: bytes cross the threads whole, in order and in bounded memory.
#![cfg(all(target_os = "linux", feature = "reactor"))]

#[path = "background/executors.rs"]
mod executors;

use std::fs;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_lite::future::zip;
use procession_core::driver::Answer;
use procession_core::{Signal, WriteError};
use procession_process_transport::{ChildError, Command, Fd};
use procession_protocol::SignalError;
use procession_test_support::process_state;
use procession_utils::{BackgroundChild, BackgroundInput, BackgroundOutput, InBackground};

use crate::executors::{check_on_every_executor, until};

const fn can_be_sent<T: Send + Sync + 'static>() {}
const _: () = can_be_sent::<(BackgroundChild, BackgroundInput, BackgroundOutput)>();
const _: () = can_be_sent::<InBackground<(), ChildError>>();

const MIB: usize = 1 << 20;

/// The most bytes of one output that are on their way while nobody takes them. Three places keep
/// 256 KiB and what one read of 256 KiB adds: what was taken out of the queue, the queue, and the
/// child on the loop. The loop may have grown the pipe to a mebibyte.
const IN_FLIGHT: usize = 3 * (MIB / 2) + MIB;

fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script]).owned(true)
}

/// Returns how many bytes a process has written, while it is there.
fn written(pid: u32) -> Option<usize> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    Some(line.expect("Linux has this line").parse().expect("it is a number"))
}

/// A sequence of bytes in which no piece of up to 65,521 bytes looks like its neighbour.
struct Pattern {
    period: Bytes,
    at: usize,
}

impl Pattern {
    fn new() -> Self {
        let period = (0..65_521_usize)
            .map(|at| u8::try_from(at * at / 7 % 251).expect("it is below 256"))
            .collect();
        Self { period, at: 0 }
    }

    /// Returns the next bytes, at most `most`.
    fn next(&mut self, most: usize) -> Bytes {
        let from = self.at % self.period.len();
        let piece = self.period.slice(from..self.period.len().min(from + most));
        self.at += piece.len();
        piece
    }

    fn check(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let expected = self.next(data.len());
            assert!(data.starts_with(&expected), "other bytes before {}", self.at);
            data = &data[expected.len()..];
        }
    }
}

/// Case BG-12.
#[test]
fn sixty_four_mebibytes_go_both_ways() {
    check_on_every_executor("sixty_four_mebibytes_go_both_ways", |background| async move {
        let mut child = background.spawn_child(Command::new("cat")).await.unwrap();
        let mut input = child.take_input(0).unwrap();
        let mut output = child.take_output(1).unwrap();
        assert!(child.take_input(0).is_none() && child.take_output(1).is_none());
        let writes = async move {
            let mut pattern = Pattern::new();
            while pattern.at < 64 * MIB {
                input.write(pattern.next(48 << 10)).await.unwrap();
            }
            input.close().await.unwrap();
            pattern.at
        };
        let reads = async move {
            let mut pattern = Pattern::new();
            while let Some(chunk) = output.next().await {
                pattern.check(&chunk);
            }
            pattern.at
        };
        let (written, read) = zip(writes, reads).await;
        assert_eq!(written, read);
        child.wait().await.unwrap();
    });
}

/// Case BG-13.
#[test]
fn a_consumer_that_does_not_take_stops_the_child_in_bounded_memory() {
    const NAME: &str = "a_consumer_that_does_not_take_stops_the_child_in_bounded_memory";
    check_on_every_executor(NAME, |background| async move {
        let zeros = Command::new("head").args(["-c", "67108864", "/dev/zero"]);
        let mut child = background.spawn_child(zeros.kill_on_drop(true)).await.unwrap();
        let pid = child.pid().unwrap();
        let mut taken = child.stdout().next().await.unwrap().len();
        // It writes until everything between is full, and no further.
        let mut before = usize::MAX;
        until("the child stands still", || {
            let now = written(pid).unwrap();
            let stands = now == before && process_state(pid) == 'S';
            before = now;
            assert!(now <= taken + IN_FLIGHT, "{now} bytes written, {taken} taken");
            stands && now > 256 << 10
        });
        while let Some(chunk) = child.stdout().next().await {
            taken += chunk.len();
            let now = written(pid).unwrap_or(64 * MIB);
            assert!(now <= taken + IN_FLIGHT, "{now} bytes written, {taken} taken");
        }
        assert_eq!(taken, 64 * MIB);
        child.wait().await.unwrap();
    });
}

/// Case BG-13.
#[test]
fn a_writer_waits_while_the_child_does_not_read() {
    check_on_every_executor(
        "a_writer_waits_while_the_child_does_not_read",
        |background| async move {
            let mut child =
                background.spawn_child(sh("read x; wc -c").kill_on_drop(true)).await.unwrap();
            let mut input = child.take_input(0).unwrap();
            let chunk = Bytes::from(vec![b'x'; 64 << 10]);
            let mut queued = 0;
            // Polled by hand until it waits: the child reads a line that has no end.
            let polls = |input: &mut BackgroundInput| {
                let mut write = pin!(input.write(chunk.clone()));
                write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
            };
            while polls(&mut input) {
                queued += chunk.len();
            }
            assert!(queued <= 64 * MIB, "{queued} bytes fit without a wait");
            queued += chunk.len();
            input.write("\nabc").await.unwrap();
            input.close().await.unwrap();
            assert!(queued > 256 << 10);
            assert_eq!(child.stdout().collect().await, b"3\n");
            child.wait().await.unwrap();
        },
    );
}

/// Counts how often a consumer is woken.
#[derive(Default)]
struct Woken(AtomicUsize, std::sync::Mutex<Option<Waker>>);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
        if let Some(waker) = self.1.lock().expect("no panic").take() {
            waker.wake();
        }
    }
}

/// Case BG-14.
#[test]
fn chunks_that_are_there_at_once_wake_their_consumer_once() {
    const NAME: &str = "chunks_that_are_there_at_once_wake_their_consumer_once";
    check_on_every_executor(NAME, |background| async move {
        let mut child =
            background.spawn_child(sh("echo one; read x; echo two").stdin(Fd::to_child()));
        let mut child = Pin::new(&mut child).await.unwrap();
        let mut output = child.take_output(1).unwrap();
        let woken = Arc::new(Woken::default());
        let mut lines = Vec::new();
        // Asks again only after a wake-up.
        let next = std::future::poll_fn(|context| {
            *woken.1.lock().unwrap() = Some(context.waker().clone());
            let waker = Waker::from(Arc::clone(&woken));
            loop {
                match Pin::new(&mut output).poll_next(&mut Context::from_waker(&waker)) {
                    Poll::Ready(Some(chunk)) => lines.push(chunk),
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        let write = async {
            child.write("go\n").await.unwrap();
            child.wait().await.unwrap();
        };
        zip(next, write).await;
        assert_eq!(lines.concat(), b"one\ntwo\n");
        assert!(woken.0.load(SeqCst) <= 3, "two lines and the end: {woken:?}", woken = woken.0);
    });
}

/// Case BG-15.
#[test]
fn inputs_on_any_number_are_written_and_closed_and_say_when_they_are_lost() {
    const NAME: &str = "inputs_on_any_number_are_written_and_closed_and_say_when_they_are_lost";
    check_on_every_executor(NAME, |background| async move {
        let both = sh("cat; cat <&3; echo end >&4");
        let both = both.child_fd(3, Fd::to_child()).child_fd(4, Fd::from_child());
        let mut child = background.spawn_child(both).await.unwrap();
        child.write("on 0\n").await.unwrap();
        child.write_to(3, "on 3\n").await.unwrap();
        let unknown = child.write_to(7, "on 7\n").await.unwrap_err();
        let error = WriteError::UnknownFd;
        assert!(matches!(unknown, ChildError::Write { error: e, .. } if e == error), "{unknown:?}");
        // A wait closes what was not taken, once it is written.
        child.wait().await.unwrap();
        assert_eq!(child.stdout().collect().await, b"on 0\non 3\n");
        assert_eq!(child.output(4).collect().await, b"end\n");
        assert_eq!(child.output(9).next().await, None);
        let closed = child.write("late").await.unwrap_err();
        assert!(matches!(closed, ChildError::Write { error: WriteError::Closed, .. }));

        let mut child = background.spawn_child(sh("exec <&-; echo deaf; sleep 600")).await.unwrap();
        assert_eq!(child.stdout().next().await.unwrap(), "deaf\n");
        let mut input = child.take_input(0).unwrap();
        let lost = loop {
            if let Err(lost) = input.write("x").await {
                break lost;
            }
        };
        assert_eq!(
            lost.to_string(),
            r#"cannot write to "sh": the descriptor is closed for writing"#
        );
        input.close().await.unwrap_err();
    });
}

/// Case BG-16.
#[test]
fn signals_terminations_and_the_exit_reach_a_child_and_its_handle() {
    const NAME: &str = "signals_terminations_and_the_exit_reach_a_child_and_its_handle";
    check_on_every_executor(NAME, |background| async move {
        let ready = "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done";
        let mut child = background.spawn_child(sh(ready)).await.unwrap();
        assert_eq!(child.stdout().next().await.unwrap(), "ready\n");
        child.signal(Signal::USR1).await.unwrap();
        assert_eq!(child.stdout().next().await.unwrap(), "usr1\n");
        // A wait that is given up is no wait.
        {
            let mut wait = pin!(child.wait());
            assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        let ended = child.terminate(Signal::TERM, Duration::from_secs(5)).await.unwrap();
        assert_eq!(ended.signal(), Some(Signal::TERM));
        let terminated = child.wait().await.unwrap_err();
        assert_eq!(terminated.to_string(), r#""sh" ended by signal 15 (SIGTERM)"#);
        let late = child.signal(Signal::TERM).await.unwrap_err();
        assert!(matches!(late, SignalError::ProcessExitedAlready), "{late:?}");
        let alone = background.spawn_child(Command::new("sleep").arg("600")).await.unwrap();
        let no_group = alone.signal_group(Signal::TERM).await.unwrap_err();
        assert!(matches!(no_group, SignalError::NoGroup), "{no_group:?}");
        alone.terminate(Signal::KILL, Duration::ZERO).await.unwrap();
        let missing = background.spawn_child(Command::new("/no/such")).await.unwrap_err();
        assert!(matches!(missing, ChildError::Spawn(_)), "{missing:?}");
    });
}

/// Case BG-17.
#[test]
fn a_drop_ends_the_child_that_is_killed_on_drop_and_leaves_its_streams_to_their_owners() {
    let name =
        "a_drop_ends_the_child_that_is_killed_on_drop_and_leaves_its_streams_to_their_owners";
    check_on_every_executor(name, |background| async move {
        let mut child = background.spawn_child(sh("echo $$; exec sleep 600")).await.unwrap();
        let mut output = child.take_output(1).unwrap();
        let pid = child.pid().unwrap();
        assert_eq!(output.next().await.unwrap(), format!("{pid}\n"));
        drop(child);
        assert_eq!(output.next().await, None, "the end of the child ended it");
        until("the child is reaped", || process_state(pid) == 'X');

        // Not killed on drop: it reads to the end, although its output is thrown away.
        let lives = Command::new("sh").args(["-c", "yes | head -n 500000; wc -c >&2"]);
        let mut child = background.spawn_child(lives).await.unwrap();
        let (mut input, mut stderr) = (child.take_input(0).unwrap(), child.take_output(2).unwrap());
        assert!(child.stdout().next().await.is_some());
        drop(child);
        input.write("abc").await.unwrap();
        input.close().await.unwrap();
        assert_eq!(stderr.collect().await, b"3\n");
        until("the child is reaped", || procession_test_support::children().is_empty());
    });
}

/// Case BG-05.
#[test]
fn a_stop_in_the_middle_ends_every_stream_and_every_wait() {
    const NAME: &str = "a_stop_in_the_middle_ends_every_stream_and_every_wait";
    check_on_every_executor(NAME, |background| async move {
        // The end of the background gives a termination no more than this, whatever was asked for.
        let waits = sh("echo on; exec sleep 600").kill_grace(Duration::from_millis(200));
        let mut child = background.spawn_child(waits).await.unwrap();
        let (mut input, mut output) = (child.take_input(0).unwrap(), child.take_output(1).unwrap());
        assert_eq!(output.next().await.unwrap(), "on\n");
        let ends = child.terminate(Signal::WINCH, Duration::from_secs(600));
        let mut unused = background.spawn_child(sh("exec sleep 600")).await.unwrap();
        let (begun, has_begun) = Answer::new();
        let waits = async {
            {
                let mut wait = pin!(child.wait());
                let first = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(first.is_pending());
                begun.send(()).unwrap();
                wait.await.unwrap_err()
            }
        };
        let stops = async {
            has_begun.await.unwrap();
            background.call(|handle| async move { handle.stop() }).await.unwrap();
        };
        let (gone, ()) = zip(waits, stops).await;
        assert_eq!(gone.to_string(), r#"cannot wait for "sh": the reactor is gone"#);
        assert!(output.next().await.is_none());
        let chunk = Bytes::from(vec![b'x'; MIB]);
        let lost = input.write(chunk).await.unwrap_err();
        assert!(matches!(lost, ChildError::Write { error: WriteError::ReactorGone, .. }), "{lost}");
        assert!(matches!(ends.await.unwrap_err(), SignalError::ReactorGone));
        let later = child.signal(Signal::TERM).await.unwrap_err();
        assert!(matches!(later, SignalError::ReactorGone), "{later:?}");
        // What is used for the first time now ends as well.
        assert!(unused.stdout().next().await.is_none());
        let input = unused.take_input(0).unwrap();
        let lost = input.close().await.unwrap_err();
        assert!(matches!(lost, ChildError::Write { error: WriteError::ReactorGone, .. }), "{lost}");
        background.shutdown().await;
    });
}

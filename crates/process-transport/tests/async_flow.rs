//! A child as async code: back-pressure in both directions, with bounded memory and without loss.
#![cfg(feature = "reactor")]

mod dialogue;
mod util;

use std::fs;
use std::pin::pin;

use procession_core::{Signal, WriteError};
use procession_process_transport::{ChildError, ChildOutput, Fd};
use procession_protocol::Process;
use procession_reactor::Handle;

use crate::dialogue::{block_on, is_pending, start};
use crate::util::{behaviour, command, ms, probe, process_state, sanitizer, sh};

/// Returns how many bytes of this process are resident, without the pages of files: those of its
/// program are read when their code first runs.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line =
        text.lines().find(|line| line.starts_with("RssAnon:")).expect("the kernel prints it");
    let kib = line.split_whitespace().nth(1).expect("a field");
    kib.parse::<usize>().expect("a number") << 10
}

/// An output that was taken can be read in another task, beside the others.
#[test]
fn outputs_can_be_read_at_the_same_time() {
    behaviour("outputs_can_be_read_at_the_same_time", |driver| {
        block_on(driver, async {
            // Each output is more than both pipes hold. Reading one after the other would hang.
            let script = "for i in 1 2 3 4 5 6 7 8; do head -c 131072 /dev/zero; \
                          head -c 131072 /dev/zero >&2; done";
            let mut child = start(sh(script));
            let mut err = child.take_output(2).unwrap();
            assert!(child.take_output(2).is_none());
            assert_eq!(child.stderr().next().await, None, "it was taken");
            let err = Handle::current().spawn_local(async move { err.collect().await.len() });
            assert_eq!(child.stdout().collect().await.len(), 1 << 20);
            assert_eq!(err.await, 1 << 20);
            child.ended().await.unwrap();
        });
    });
}

/// A slow reader slows the child down instead of filling memory. Nothing is lost.
#[test]
fn a_slow_reader_slows_the_child_and_fills_no_memory() {
    behaviour("a_slow_reader_slows_the_child_and_fills_no_memory", |driver| {
        block_on(driver, async {
            let total = 64 << 20;
            let mut child = start(command("/bin/head").args(["-c", "67108864", "/dev/zero"]));
            let before = resident();
            Handle::current().sleep(ms(300)).await;
            let grown = resident().saturating_sub(before);
            // One read of 64 KiB may come on top, and so may the memory that the loop itself keeps.
            assert!(grown < 4 * ChildOutput::HIGH_BYTES, "{grown} bytes were kept for nobody");
            let mut read = 0;
            let mut largest = 0;
            while let Some(chunk) = child.stdout().next().await {
                assert!(!chunk.is_empty());
                read += chunk.len();
                largest = largest.max(resident().saturating_sub(before));
            }
            assert_eq!(read, total);
            assert!(largest < 16 << 20, "{largest} bytes more than before");
            child.ended().await.unwrap();
        });
    });
}

/// A slow child slows the writer down. Nothing is lost.
#[test]
fn a_slow_child_slows_the_writer() {
    behaviour("a_slow_child_slows_the_writer", |driver| {
        block_on(driver, async {
            let mut child = start(probe(["length"]));
            stop(child.process()).await;
            let mut written = 0;
            let stuck = loop {
                let mut write = pin!(child.write(vec![b'x'; 16 << 10]));
                written += 16 << 10;
                if is_pending(&mut write).await {
                    Handle::current().sleep(ms(50)).await;
                    if is_pending(&mut write).await {
                        break written;
                    }
                }
            };
            // One pipe, the queue up to its mark, and the write that exceeded it.
            assert!(stuck <= (64 << 10) * 2 + (16 << 10) * 2, "{stuck} bytes were taken");
            assert!(child.process().write_buffered(0) > 64 << 10);
            child.process().signal(Signal::CONT).unwrap();
            for _ in 0..256 {
                child.write(vec![b'y'; 64 << 10]).await.unwrap();
                assert!(child.process().write_buffered(0) <= 64 << 10);
                written += 64 << 10;
            }
            child.close_stdin();
            let text = child.stdout().collect().await;
            assert_eq!(String::from_utf8_lossy(&text), format!("{written}\n"));
            child.ended().await.unwrap();
        });
    });
}

/// A write waits by the limits of its queue. A write below them does not wait. A write above them
/// waits only until the queue has drained.
#[test]
fn a_write_waits_by_the_limits_of_its_queue() {
    behaviour("a_write_waits_by_the_limits_of_its_queue", |driver| {
        block_on(driver, async {
            let mut child = start(probe(["length"]));
            let process = child.process().clone();
            stop(&process).await;
            process.set_write_limits(0, 1 << 20, 512 << 10).unwrap();
            child.write(vec![0; 900 << 10]).await.unwrap();
            assert_eq!(process.write_buffered(0), 900 << 10, "it returned at once");
            {
                let mut write = pin!(child.write(vec![0; 512 << 10]));
                assert!(is_pending(&mut write).await, "that is more than the high limit");
                process.signal(Signal::CONT).unwrap();
                write.await.unwrap();
            }
            assert!(process.write_buffered(0) <= 1 << 20);

            process.set_write_limits(0, 100, 10).unwrap();
            {
                let mut write = pin!(child.write(vec![0; 32 << 10]));
                assert!(is_pending(&mut write).await, "that is more than the new one");
                write.await.unwrap();
            }
            assert!(process.write_buffered(0) <= 100);
            child.close_stdin();
            let total = (900 << 10) + (512 << 10) + (32 << 10);
            assert_eq!(child.stdout().collect().await, format!("{total}\n").as_bytes());
            child.ended().await.unwrap();
        });
    });
}

/// A queue that is refilled before it is empty still wakes its writer.
#[test]
fn many_writes_over_a_low_limit_all_return() {
    behaviour("many_writes_over_a_low_limit_all_return", |driver| {
        block_on(driver, async {
            let mut child = start(probe(["length"]));
            child.process().set_write_limits(0, 1 << 20, 512 << 10).unwrap();
            for _ in 0..16 {
                child.write(vec![0; 900 << 10]).await.unwrap();
                assert!(child.process().write_buffered(0) <= 1 << 20);
            }
            child.close_stdin();
            let total = 16 * (900 << 10);
            assert_eq!(child.stdout().collect().await, format!("{total}\n").as_bytes());
            child.ended().await.unwrap();
        });
    });
}

/// Stops a child, and returns when it has stopped.
async fn stop(process: &Process) {
    process.signal(Signal::STOP).expect("it runs");
    let pid = process.pid().expect("it runs");
    while process_state(pid) != 'T' {
        Handle::current().sleep(ms(2)).await;
    }
}

/// A round trip of much more than the pipes hold, with the reader and the writer at work at once.
#[test]
fn both_directions_flow_at_once() {
    behaviour("both_directions_flow_at_once", |driver| {
        block_on(driver, async {
            let mut child = start(command("/bin/cat"));
            let mut output = child.take_output(1).unwrap();
            let reader = Handle::current().spawn_local(async move {
                let mut sum = (0_usize, 0_u64);
                while let Some(chunk) = output.next().await {
                    sum.0 += chunk.len();
                    sum.1 += chunk.iter().copied().map(u64::from).sum::<u64>();
                }
                sum
            });
            let mut sum = 0;
            for number in 0..512_u32 {
                let byte = number.to_le_bytes()[0];
                sum += u64::from(byte) * (32 << 10);
                child.write(vec![byte; 32 << 10]).await.unwrap();
            }
            child.close_stdin();
            assert_eq!(reader.await, (512 * (32 << 10), sum));
            child.ended().await.unwrap();
        });
    });
}

/// A write that waits for room fails when the pipe is gone.
#[test]
fn a_write_that_waits_ends_with_its_pipe() {
    behaviour("a_write_that_waits_ends_with_its_pipe", |driver| {
        block_on(driver, async {
            let mut child = start(sh("sleep 0.2; exec <&-; sleep 0.2; exit 0"));
            let written = child.write(vec![0; 1 << 20]).await;
            assert!(matches!(written, Err(ChildError::Write { error: WriteError::Closed, .. })));
            assert!(
                matches!(
                    child.write("x").await,
                    Err(ChildError::Write { error: WriteError::Closed, .. })
                ),
                "and from then on"
            );
            child.ended().await.unwrap();
            assert!(matches!(
                child.write("x").await,
                Err(ChildError::Write { error: WriteError::Closed, .. })
            ));

            let mut child = start(command("/bin/true").child_fd(3, Fd::from_child()));
            assert!(matches!(
                child.write_to_child(1, "x").await,
                Err(ChildError::Write { error: WriteError::NotWritable, .. })
            ));
            assert!(matches!(
                child.write_to_child(8, "x").await,
                Err(ChildError::Write { error: WriteError::UnknownFd, .. })
            ));
            child.ended().await.unwrap();
        });
    });
}

/// Unread output does not hold up a child whose end is awaited.
#[test]
fn an_end_that_is_awaited_comes_although_nobody_reads() {
    behaviour("an_end_that_is_awaited_comes_although_nobody_reads", |driver| {
        block_on(driver, async {
            let flood = "head -c 8388608 /dev/zero; head -c 8388608 /dev/zero >&2; exit 4";
            let mut child = start(sh(flood));
            let before = resident();
            let Err(ChildError::Terminated { reason, .. }) = child.ended().await else { panic!() };
            assert_eq!(reason.exit_code(), Some(4));
            let grown = resident().saturating_sub(before);
            // AddressSanitizer keeps freed memory for a while.
            let counts = sanitizer().as_deref() != Some("address");
            assert!(!counts || grown < 4 << 20, "{grown} bytes were kept");
            let kept = child.stdout().collect().await.len();
            // At the mark the reader reads once more, and one bulk read takes up to 256 KiB.
            let wanted = ChildOutput::HIGH_BYTES..=ChildOutput::HIGH_BYTES + (256 << 10);
            assert!(wanted.contains(&kept), "{kept} are there");
        });
    });
}

/// An `ended` that is given up, for example by a timeout, discards no output from then on.
#[test]
fn an_end_that_is_given_up_keeps_the_output_that_comes() {
    behaviour("an_end_that_is_given_up_keeps_the_output_that_comes", |driver| {
        block_on(driver, async {
            // The child floods only when it is asked to, after the wait was given up.
            let mut child = start(sh("read x; head -c 3000000 /dev/zero"));
            let mut input = child.take_input(0).unwrap();
            assert!(is_pending(&mut pin!(child.ended())).await);
            input.write("go\n").await.unwrap();
            let mut read = 0;
            while let Some(chunk) = child.stdout().next().await {
                read += chunk.len();
                Handle::current().sleep(ms(2)).await; // slower than the child
            }
            assert_eq!(read, 3_000_000);
            child.ended().await.unwrap();
        });
    });
}

/// The output of a dropped stream is discarded as it arrives.
#[test]
fn an_output_that_is_dropped_does_not_hold_the_child() {
    behaviour("an_output_that_is_dropped_does_not_hold_the_child", |driver| {
        block_on(driver, async {
            let mut child = start(sh("head -c 8388608 /dev/zero >&2; echo done"));
            drop(child.take_output(2));
            assert_eq!(child.stdout().collect().await, b"done\n");
            child.wait().await.unwrap();

            // The stream is dropped while it is paused, full of unread data.
            let mut child = start(sh("head -c 8388608 /dev/zero >&2; echo done"));
            Handle::current().sleep(ms(100)).await;
            drop(child.take_output(2));
            assert_eq!(child.stdout().collect().await, b"done\n");
            child.ended().await.unwrap();
        });
    });
}

/// Dropping the future of a write does not take back the queued bytes.
#[test]
fn a_write_whose_future_is_dropped_is_sent() {
    behaviour("a_write_whose_future_is_dropped_is_sent", |driver| {
        block_on(driver, async {
            let mut child = start(probe(["length"]));
            {
                let mut write = pin!(child.write(vec![0; 1 << 20]));
                assert!(is_pending(&mut write).await);
            }
            child.close_stdin();
            assert_eq!(child.stdout().collect().await, b"1048576\n");
            child.ended().await.unwrap();
        });
    });
}

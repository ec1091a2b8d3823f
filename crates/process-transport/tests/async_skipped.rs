//! Output of an async child that nobody read: the kept tail of stderr, and the count of discarded
//! bytes.
#![cfg(feature = "reactor")]

mod dialogue;
mod util;

use std::pin::pin;

use procession_process_transport::{ChildError, ChildOutput, Fd, Pty};
use procession_protocol::ProcessTerminated;
use procession_reactor::Handle;

use crate::dialogue::{block_on, is_pending, start};
use crate::util::{behaviour, command, ms, sh};

/// The length of the output of `seq 1000000`, in bytes.
const SEQ_BYTES: u64 = 6_888_896;

fn len(bytes: &[u8]) -> u64 {
    bytes.len().try_into().expect("64 bits")
}

async fn reason(child: &mut procession_process_transport::Child) -> ProcessTerminated {
    let Err(ChildError::Terminated { reason, .. }) = child.ended().await else { panic!() };
    reason
}

/// Case AC-07.
#[test]
fn bytes_missing_after_the_end_are_counted() {
    behaviour("bytes_missing_after_the_end_are_counted", |driver| {
        block_on(driver, async {
            let mut child = start(command("/usr/bin/seq").arg("1000000"));
            assert_eq!((child.skipped_bytes(), child.stdout().skipped_bytes()), (0, 0));
            child.ended().await.unwrap();
            let skipped = child.stdout().skipped_bytes();
            assert_eq!(child.skipped_bytes(), skipped);
            let read = child.stdout().collect().await;
            assert!(read.starts_with(b"1\n2\n3\n") && read.len() > ChildOutput::HIGH_BYTES);
            assert_eq!(len(&read) + skipped, SEQ_BYTES);
            assert_eq!(child.stdout().skipped_bytes(), skipped, "also afterwards");
            // An output that fits is kept whole.
            let mut child = start(command("/usr/bin/seq").arg("1000"));
            child.ended().await.unwrap();
            assert_eq!(child.skipped_bytes(), 0);
            assert_eq!(child.stdout().collect().await.len(), 3893);
        });
    });
}

/// Case AC-07. Each descriptor has its own count, also on a terminal, and also when the wait is
/// given up.
#[test]
fn every_output_counts_for_itself() {
    behaviour("every_output_counts_for_itself", |driver| {
        block_on(driver, async {
            let script = "head -c 1000000 /dev/zero >&3; head -c 2000000 /dev/zero >&4; echo few";
            let child = sh(script).child_fd(3, Fd::from_child()).child_fd(4, Fd::socketpair());
            let mut child = start(child);
            child.ended().await.unwrap();
            let mut sum = 0;
            for (fd, written) in [(1, 4), (3, 1_000_000), (4, 2_000_000)] {
                let skipped = child.output(fd).skipped_bytes();
                assert_eq!(len(&child.output(fd).collect().await) + skipped, written);
                assert_eq!(skipped > 0, fd != 1);
                sum += skipped;
            }
            assert_eq!(child.skipped_bytes(), sum);
            assert_eq!(child.output(9).skipped_bytes(), 0, "there is none");

            let mut child = start(sh("head -c 1000000 /dev/zero").pty(Pty::new()));
            child.ended().await.unwrap();
            let skipped = child.stdout().skipped_bytes();
            assert_eq!(len(&child.stdout().collect().await) + skipped, 1_000_000);

            // An `ended` that is given up discards nothing, before or after.
            let mut child = start(sh("read x; head -c 1000000 /dev/zero"));
            let mut input = child.take_input(0).unwrap();
            assert!(is_pending(&mut pin!(child.ended())).await);
            input.write("\n").await.unwrap();
            assert_eq!(child.stdout().collect().await.len(), 1_000_000);
            assert_eq!(child.skipped_bytes(), 0);
            child.ended().await.unwrap();
            // An output that is read meanwhile lacks nothing. The bytes of a dropped output are not
            // counted.
            let mut child = start(sh("head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero"));
            let mut output = child.take_output(1).unwrap();
            drop(child.take_output(2));
            let read = Handle::current().spawn_local(async move {
                let read = output.collect().await.len();
                (read, output.skipped_bytes())
            });
            child.ended().await.unwrap();
            assert_eq!(read.await, (1_000_000, 0));
            assert_eq!(child.skipped_bytes(), 0);
        });
    });
}

/// Case AC-08.
#[test]
fn a_stderr_that_nobody_asked_for_does_not_block_the_child() {
    behaviour("a_stderr_that_nobody_asked_for_does_not_block_the_child", |driver| {
        block_on(driver, async {
            let mut child = start(sh("head -c 10000000 /dev/zero >&2; echo done; exit 3"));
            assert_eq!(child.stdout().collect().await, b"done\n");
            assert!(reason(&mut child).await.exit_code() == Some(3));
            let tail = child.stderr_tail();
            assert_eq!(tail.len(), ChildOutput::HIGH_BYTES);
            assert_eq!(child.skipped_bytes(), 10_000_000 - len(&tail));
            // Other outputs keep their back-pressure.
            let script = "head -c 10000000 /dev/zero >&3; echo done";
            let mut child = start(sh(script).child_fd(3, Fd::from_child()));
            {
                let mut done = pin!(child.stdout().next());
                assert!(is_pending(&mut done).await);
                Handle::current().sleep(ms(200)).await;
                assert!(is_pending(&mut done).await, "nobody has read 3");
            }
            assert_eq!(child.output(3).collect().await.len(), 10_000_000);
            child.ended().await.unwrap();
            assert_eq!((child.stderr_tail(), child.skipped_bytes()), (vec![], 0));
        });
    });
}

/// Case AC-08.
#[test]
fn a_stderr_that_is_asked_for_late_begins_with_the_kept_tail() {
    behaviour("a_stderr_that_is_asked_for_late_begins_with_the_kept_tail", |driver| {
        block_on(driver, async {
            let script = "seq 1000000 >&2; echo now; read x; seq 1000000 >&2";
            for taken in [false, true] {
                let mut child = start(sh(script));
                let mut input = child.take_input(0).unwrap();
                assert_eq!(child.stdout().next().await.as_deref(), Some(&b"now\n"[..]));
                // The pipe is emptied before the child continues, so the bytes are read in the
                // order of writing.
                while !child.stderr_tail().ends_with(b"1000000\n") {
                    Handle::current().sleep(ms(2)).await;
                }
                let tail = child.stderr_tail();
                assert_eq!(tail, child.stderr_tail(), "looking does not ask for it");
                let mut out = if taken { child.take_output(2) } else { None };
                let err = out.as_mut().unwrap_or_else(|| child.stderr());
                assert_eq!(err.skipped_bytes(), SEQ_BYTES - len(&tail));
                input.write("\n").await.unwrap();
                let mut all = Vec::new();
                while let Some(chunk) = err.next().await {
                    all.extend_from_slice(&chunk);
                    Handle::current().sleep(ms(1)).await; // slower than the child
                }
                assert_eq!(len(&all), len(&tail) + SEQ_BYTES, "nothing more is gone");
                assert!(all.starts_with(&tail) && all.ends_with(b"999999\n1000000\n"));
                assert_eq!(err.skipped_bytes(), SEQ_BYTES - len(&tail));
                drop(out);
                assert_eq!(child.stderr_tail(), b"");
                child.ended().await.unwrap();
            }
        });
    });
}

/// Case AC-09.
#[test]
fn the_error_of_the_end_shows_the_last_line() {
    behaviour("the_error_of_the_end_shows_the_last_line", |driver| {
        block_on(driver, async {
            let script = "echo first >&2; printf 'fatal: \\033no\\n\\n' >&2; exit 2";
            let mut child = start(sh(script));
            let first = reason(&mut child).await;
            assert_eq!(
                (first.exit_code(), first.stderr_line()),
                (Some(2), Some("fatal: \u{1b}no"))
            );
            let error = child.ended().await.unwrap_err();
            let text = r#""/bin/sh" exited with status 2: fatal: \u{1b}no"#;
            assert_eq!(error.to_string(), text);
            assert!(child.stderr_tail().starts_with(b"first\n"));
            assert_eq!(reason(&mut child).await, first, "also the second time");
            // Output that the caller has read is not repeated in the error. A death by signal shows
            // the line too.
            let mut child = start(sh(script));
            child.stderr().collect().await;
            assert_eq!(reason(&mut child).await.stderr_line(), None);
            let mut child = start(sh("echo killed >&2; kill -9 $$"));
            assert_eq!(reason(&mut child).await.to_string(), "ended by signal 9 (SIGKILL): killed");
            let mut child = start(sh("exit 1"));
            assert_eq!(reason(&mut child).await.to_string(), "exited with status 1");
            // Without a pipe there is no line.
            let mut child = start(sh(script).child_fd(2, Fd::null()));
            assert_eq!(reason(&mut child).await.stderr_line(), None);
            assert_eq!(child.stderr_tail(), b"");
        });
    });
}

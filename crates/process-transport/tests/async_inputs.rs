//! The inputs of an async child: a wait closes the inputs that nobody has taken.
#![cfg(feature = "reactor")]

mod dialogue;
mod util;

use std::io::Read;
use std::pin::pin;

use procession_core::WriteError;
use procession_process_transport::{ChildError, Fd, Pty};
use procession_protocol::{Pace, ReadProducer, Target};
use procession_reactor::Handle;

use crate::dialogue::{block_on, is_pending, start};
use crate::util::{behaviour, command, ms, probe, sh};

/// Case AC-01.
#[test]
fn a_wait_closes_the_inputs_that_nobody_has_taken() {
    behaviour("a_wait_closes_the_inputs_that_nobody_has_taken", |driver| {
        block_on(driver, async {
            start(command("/bin/cat")).ended().await.unwrap();
            start(command("/bin/cat")).wait().await.unwrap();
            // Every input, whatever its number.
            let all = || sh("cat; cat <&3; cat <&4").child_fd(3, Fd::to_child());
            start(all().child_fd(4, Fd::to_child())).ended().await.unwrap();
            start(all().child_fd(4, Fd::socketpair())).wait().await.unwrap();
            // An input that was closed or lost before makes no difference.
            let mut child = start(sh("exec <&-; sleep 0.1; exit 5"));
            child.close_stdin();
            let Err(ChildError::Terminated { reason, .. }) = child.ended().await else { panic!() };
            assert_eq!(reason.exit_code(), Some(5));
        });
    });
}

/// Case AC-01. A socketpair is closed only for writing; the answer is still read.
#[test]
fn a_socketpair_is_closed_for_writing_and_read_on() {
    behaviour("a_socketpair_is_closed_for_writing_and_read_on", |driver| {
        block_on(driver, async {
            let mut child = start(sh("cat <&3; echo end >&3").child_fd(3, Fd::socketpair()));
            child.write_to_child(3, "text, ").await.unwrap();
            child.wait().await.unwrap();
            assert_eq!(child.output(3).collect().await, b"end\n");
            assert_eq!(child.stdout().collect().await, b"text, ");
            child.ended().await.unwrap();
        });
    });
}

/// Case AC-02.
#[test]
fn queued_bytes_are_sent_before_the_close() {
    behaviour("queued_bytes_are_sent_before_the_close", |driver| {
        block_on(driver, async {
            let mut child = start(probe(["length"]));
            assert!(is_pending(&mut pin!(child.write(vec![0; 1 << 20]))).await);
            child.ended().await.unwrap();
            assert_eq!(child.stdout().collect().await, b"1048576\n");
            assert!(matches!(
                child.write("x").await,
                Err(ChildError::Write { error: WriteError::Closed, .. })
            ));
        });
    });
}

/// Case AC-02. A wait that is given up has already closed them.
#[test]
fn a_wait_that_is_given_up_has_closed_the_inputs() {
    behaviour("a_wait_that_is_given_up_has_closed_the_inputs", |driver| {
        block_on(driver, async {
            let mut child = start(sh("cat; sleep 0.2; echo done"));
            assert!(is_pending(&mut pin!(child.wait())).await);
            Handle::current().sleep(ms(1)).await; // in the same turn it would still be sent
            assert!(matches!(
                child.write("x").await,
                Err(ChildError::Write { error: WriteError::Closed, .. })
            ));
            assert_eq!(child.stdout().collect().await, b"done\n");
            child.wait().await.unwrap();
        });
    });
}

/// Case AC-03.
#[test]
fn an_input_that_was_taken_stays_open_until_it_is_dropped() {
    behaviour("an_input_that_was_taken_stays_open_until_it_is_dropped", |driver| {
        block_on(driver, async {
            let mut child = start(command("/bin/cat"));
            assert!(child.take_input(1).is_none() && child.take_input(7).is_none());
            let mut input = child.take_input(0).unwrap();
            assert!(child.take_input(0).is_none());
            let mut output = child.take_output(1).unwrap();
            {
                let mut ended = pin!(child.ended());
                assert!(is_pending(&mut ended).await);
                for _ in 0..3 {
                    input.write("still\n").await.unwrap();
                    assert_eq!(output.next().await.as_deref(), Some(&b"still\n"[..]));
                }
                Handle::current().sleep(ms(100)).await;
                assert!(is_pending(&mut ended).await);
                // The input is dropped while bytes are still queued.
                {
                    let mut write = pin!(input.write(vec![b'x'; 1 << 20]));
                    assert!(is_pending(&mut write).await);
                }
                drop(input);
                let output = Handle::current().spawn_local(async move { output.collect().await });
                ended.await.unwrap();
                assert_eq!(output.await.len(), 1 << 20);
            }
        });
    });
}

/// Case AC-03. The task that writes and the task that waits are both woken.
#[test]
fn a_taken_input_is_written_while_the_child_is_waited_for_and_after_it_is_dropped() {
    let name = "a_taken_input_is_written_while_the_child_is_waited_for_and_after_it_is_dropped";
    behaviour(name, |driver| {
        block_on(driver, async {
            let pour = |mut input: procession_process_transport::ChildInput| {
                Handle::current().spawn_local(async move {
                    for _ in 0..64 {
                        input.write(vec![0; 64 << 10]).await?;
                    }
                    Ok::<_, ChildError>(())
                })
            };
            let mut child = start(probe(["length"]));
            let poured = pour(child.take_input(0).unwrap());
            child.ended().await.unwrap();
            poured.await.unwrap();
            assert_eq!(child.stdout().collect().await, b"4194304\n");

            let mut child = start(probe(["length"]));
            let (input, mut output) = (child.take_input(0).unwrap(), child.take_output(1).unwrap());
            drop(child);
            pour(input).await.unwrap();
            assert_eq!(output.collect().await, b"4194304\n");

            // A child that ends before it has read everything.
            let mut child = start(sh("exit 0"));
            let poured = pour(child.take_input(0).unwrap());
            child.ended().await.unwrap();
            assert!(matches!(
                poured.await,
                Err(ChildError::Write { error: WriteError::Closed, .. })
            ));
        });
    });
}

/// Case AC-04. The forwarder or the producer that feeds an input closes it.
#[test]
fn a_wait_leaves_an_input_that_is_fed_to_its_feeder() {
    behaviour("a_wait_leaves_an_input_that_is_fed_to_its_feeder", |driver| {
        block_on(driver, async {
            let mut source = start(command("/bin/head").args(["-c", "4194304", "/dev/zero"]));
            let mut child = start(probe(["length"]));
            let moved = source.process().forward(1, Target::child(child.process(), 0));
            child.ended().await.unwrap();
            assert_eq!(child.stdout().collect().await, b"4194304\n");
            assert_eq!(moved.await.unwrap(), 4 << 20);
            source.ended().await.unwrap();

            let mut child = start(probe(["length"]));
            let (producer, sent) = ReadProducer::new(std::io::repeat(7).take(1_000_000));
            child.process().register_producer(0, Pace::Pull, producer).unwrap();
            child.ended().await.unwrap();
            assert_eq!(child.stdout().collect().await, b"1000000\n");
            assert_eq!(sent.await.unwrap(), 1_000_000);
        });
    });
}

/// Case AC-04. Closing the terminal would hang up the child.
#[test]
fn a_terminals_input_stays_open() {
    behaviour("a_terminals_input_stays_open", |driver| {
        block_on(driver, async {
            let mut child = start(command("/bin/cat").pty(Pty::new()));
            let mut input = child.take_input(0).unwrap();
            assert!(is_pending(&mut pin!(child.wait())).await);
            input.write("hi\n").await.unwrap();
            drop(input);
            child.write("ho\n").await.unwrap();
            child.process().send_eof().unwrap();
            let output = child.stdout().collect().await;
            assert_eq!(output.len(), 16, "both lines, each echoed: {output:?}");
            child.ended().await.unwrap();
        });
    });
}

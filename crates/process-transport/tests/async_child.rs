//! A child as async code: output streams, awaiting the end, and dropping the child.
#![cfg(feature = "reactor")]

mod dialogue;
mod util;

use std::cell::{Cell, RefCell};
use std::fs;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_core::Stream;
use procession_core::WriteError;
use procession_process_transport::{ChildError, Command, Fd, Pty, SpawnProcess, Step};
use procession_protocol::ExitReasonExt;
use procession_reactor::{Handle, Reactor};

use crate::dialogue::{block_on, is_pending, start};
use crate::util::{behaviour, command, isolated, ms, process_state, sh, sys};

/// Waits until the process is gone or a zombie.
async fn until_dead(pid: u32) {
    while !"ZX".contains(process_state(pid)) {
        Handle::current().sleep(ms(2)).await;
    }
}

/// The example of the guide: a dialogue without a protocol.
#[test]
fn a_dialogue_is_written_as_it_is_read() {
    isolated("a_dialogue_is_written_as_it_is_read", || {
        let mut reactor = Reactor::new().unwrap();
        let done = reactor
            .block_on(async {
                let mut child = Handle::current().spawn_child(Command::new("cat"))?;
                child.write(b"hello\n").await?;
                child.close_stdin();
                while let Some(chunk) = child.stdout().next().await {
                    print!("{}", chunk.escape_ascii());
                }
                child.ended().await
            })
            .unwrap();
        assert_eq!(done.to_string(), "exited with status 0");
    });
}

#[test]
fn both_outputs_are_streams_of_their_own() {
    behaviour("both_outputs_are_streams_of_their_own", |driver| {
        block_on(driver, async {
            let mut child = start(
                sh("echo out; echo err >&2; echo extra >&5; exit 3").child_fd(5, Fd::from_child()),
            );
            assert_eq!(child.output(5).collect().await, b"extra\n");
            assert_eq!(child.stderr().collect().await, b"err\n");
            assert_eq!(child.stdout().collect().await, b"out\n");
            assert_eq!(child.stdout().next().await, None, "and again");
            assert_eq!(child.output(9).next().await, None, "there is none");
            let Err(ChildError::Terminated { reason, .. }) = child.ended().await else { panic!() };
            assert_eq!(reason.exit_code(), Some(3));
            assert!(child.ended().await.is_err(), "it can be asked again");
        });
    });
}

/// Case AC-11.
#[test]
fn the_end_can_be_looked_at_without_a_wait_and_closes_nothing() {
    behaviour("the_end_can_be_looked_at_without_a_wait_and_closes_nothing", |driver| {
        block_on(driver, async {
            let script = "cat <&3 & exec 3<&-; read word; exit 3";
            let mut child = start(sh(script).child_fd(3, Fd::to_child()));
            assert_eq!(child.try_wait(), None);
            child.write("go\n").await.unwrap();
            let reason = loop {
                match child.try_wait() {
                    Some(reason) => break reason,
                    None => Handle::current().sleep(ms(2)).await,
                }
            };
            assert_eq!(reason.exit_code(), Some(3));
            // Its child lives on, and the input of that is open.
            child.write_to_child(3, "more").await.unwrap();
            assert_eq!(child.stdout().next().await.unwrap(), "more");
            child.ended().await.unwrap_err();
            assert_eq!(child.try_wait(), Some(reason));
        });
    });
}

/// An output implements `Stream`.
#[test]
fn an_output_is_a_stream() {
    behaviour("an_output_is_a_stream", |driver| {
        block_on(driver, async {
            let mut child = start(sh("printf abc"));
            let mut output = child.take_output(1).unwrap();
            let next = poll_fn(|cx| Pin::new(&mut output).poll_next(cx)).await;
            assert_eq!(next.as_deref(), Some(&b"abc"[..]));
            assert_eq!(poll_fn(|cx| Pin::new(&mut output).poll_next(cx)).await, None);
            child.ended().await.unwrap();
        });
    });
}

/// `wait` waits for the process alone; `ended` also waits for its pipes.
#[test]
fn wait_is_for_the_process_and_ended_for_its_pipes() {
    behaviour("wait_is_for_the_process_and_ended_for_its_pipes", |driver| {
        block_on(driver, async {
            let clock = Handle::current();
            let mut child = start(sh("(sleep 0.5; echo late) & echo early"));
            let from = clock.now();
            child.wait().await.unwrap();
            let waited = clock.now() - from;
            let mut output = child.take_output(1).unwrap();
            let output = Handle::current().spawn_local(async move { output.collect().await });
            child.ended().await.unwrap();
            let ended = clock.now() - from;
            assert!(waited < ms(450) && ended > ms(450), "{waited:?}, {ended:?}");
            assert_eq!(output.await, b"early\nlate\n");
            child.wait().await.unwrap();
        });
    });
}

/// Dropping the handle leaves the child alone. The child runs to its end and is reaped.
#[test]
fn a_child_that_is_dropped_runs_on_and_is_reaped() {
    behaviour("a_child_that_is_dropped_runs_on_and_is_reaped", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("written");
        let script = "head -c 1048576 /dev/zero; sleep 0.1; echo done >written";
        let pid = block_on(driver, async {
            let child = start(sh(script).current_dir(dir.path()));
            child.process().pid().unwrap()
        });
        let is_gone = || process_state(pid) == 'X';
        driver.until_seen("it is reaped", util::WATCHDOG, is_gone);
        assert_eq!(fs::read_to_string(file).unwrap(), "done\n");
    });
}

/// The count of its `Arc` shows whether the waker is still kept.
struct CountedWaker;

impl Wake for CountedWaker {
    fn wake(self: Arc<Self>) {}
}

/// Waits that were given up, each in its own task, leave only the waker of the last one.
#[test]
fn waits_that_are_given_up_leave_one_waker() {
    behaviour("waits_that_are_given_up_leave_one_waker", |driver| {
        block_on(driver, async {
            let mut child = start(command("/bin/cat"));
            let input = child.take_input(0);
            let mut wakers = Vec::new();
            for round in 0..100 {
                let kept = Arc::new(CountedWaker);
                wakers.push(Arc::downgrade(&kept));
                let waker = Waker::from(kept);
                let mut cx = Context::from_waker(&waker);
                let is_pending = match round % 2 {
                    0 => pin!(child.wait()).poll(&mut cx).is_pending(),
                    _ => pin!(child.ended()).poll(&mut cx).is_pending(),
                };
                assert!(is_pending);
            }
            let kept = wakers.iter().filter(|waker| waker.strong_count() > 0).count();
            assert_eq!(kept, 1);
            // The task that waits now is woken.
            drop(input);
            child.ended().await.unwrap();
        });
    });
}

/// Every wait for a child of a dropped reactor returns an error.
#[test]
fn a_reactor_that_is_dropped_ends_every_wait() {
    isolated("a_reactor_that_is_dropped_ends_every_wait", || {
        let mut reactor = Reactor::new().unwrap();
        let mut child = reactor.block_on(async {
            let mut child = start(sh("echo kept; exec sleep 0.5"));
            // The output arrives before the reactor goes. A pending poll of each future leaves a
            // waker.
            Handle::current().sleep(ms(100)).await;
            assert!(is_pending(&mut pin!(child.stderr().next())).await);
            assert!(is_pending(&mut pin!(child.wait())).await);
            child
        });
        let pid = child.process().pid().unwrap();
        drop(reactor);
        let mut reactor = Reactor::new().unwrap();
        reactor.block_on(async {
            assert_eq!(child.stdout().next().await.as_deref(), Some(&b"kept\n"[..]));
            assert_eq!(child.stdout().next().await, None);
            assert_eq!(child.stderr().next().await, None);
            assert!(matches!(child.wait().await, Err(ChildError::ReactorGone { .. })));
            assert!(matches!(child.ended().await, Err(ChildError::ReactorGone { .. })));
            assert!(matches!(
                child.write("x").await,
                Err(ChildError::Write { error: WriteError::ReactorGone, .. })
            ));
            until_dead(pid).await;
        });
        drop(child);
        // The next reactor takes the child over and reaps it.
        while process_state(pid) != 'X' {
            reactor.turn(Some(Duration::from_millis(2))).unwrap();
        }
    });
}

/// A task that waits for a child is dropped with the reactor that runs it.
#[test]
fn a_task_that_waits_is_dropped_with_its_reactor() {
    struct SetOnDrop(Rc<Cell<bool>>);
    impl Drop for SetOnDrop {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    isolated("a_task_that_waits_is_dropped_with_its_reactor", || {
        let told = Rc::new(Cell::new(false));
        let guard = SetOnDrop(told.clone());
        let reactor = Reactor::new().unwrap();
        let result: Rc<RefCell<Option<bool>>> = Rc::default();
        let slot = result.clone();
        let pid = Rc::new(Cell::new(0));
        let number = pid.clone();
        let mut reactor = reactor;
        reactor.spawn_local(async move {
            let _guard = guard;
            let mut child = start(command("/bin/sleep").arg("100").kill_on_drop(true));
            number.set(child.process().pid().unwrap());
            let ended = child.ended().await;
            *slot.borrow_mut() = Some(ended.is_ok());
        });
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(pid.get() > 0 && !told.get());
        drop(reactor);
        assert!(told.get(), "the future is gone");
        assert_eq!(*result.borrow(), None);
        sys::wait_until_killed(pid.get());
    });
}

/// A terminal has one output, which ends with the child.
#[test]
fn a_terminals_output_ends_with_the_child() {
    behaviour("a_terminals_output_ends_with_the_child", |driver| {
        block_on(driver, async {
            let mut child = start(command("/bin/cat").pty(Pty::new()));
            child.write("hi\n").await.unwrap();
            child.process().send_eof().unwrap();
            assert_eq!(child.stdout().collect().await, b"hi\r\nhi\r\n");
            assert_eq!(child.stderr().next().await, None);
            child.ended().await.unwrap();
        });
    });
}

/// A failed spawn is an error of the dialogue.
#[test]
fn a_failed_spawn_is_an_error_of_the_dialogue() {
    behaviour("a_failed_spawn_is_an_error_of_the_dialogue", |driver| {
        let result: Result<(), ChildError> = block_on(driver, async {
            let mut child = Handle::current().spawn_child(command("/no/such/program"))?;
            child.ended().await?;
            Ok(())
        });
        let Err(ChildError::Spawn(error)) = result else { panic!("{result:?}") };
        assert_eq!((error.step(), error.raw_os_error()), (Step::Exec, Some(libc::ENOENT)));
    });
}

/// The output of a socketpair ends when the child no longer writes, although the child can still
/// read from it.
#[test]
fn a_socketpair_flows_both_ways() {
    behaviour("a_socketpair_flows_both_ways", |driver| {
        block_on(driver, async {
            let child = sh("read x <&3; echo \"got $x\" >&3").child_fd(3, Fd::socketpair());
            let mut child = start(child);
            child.write_to_child(3, "this\n").await.unwrap();
            assert_eq!(child.output(3).collect().await, b"got this\n");
            child.ended().await.unwrap();
        });
    });
}

/// A hundred dialogues run on one loop.
#[test]
fn many_dialogues_run_at_once() {
    behaviour("many_dialogues_run_at_once", |driver| {
        block_on(driver, async {
            let tasks: Vec<_> = (0..100)
                .map(|number: u32| {
                    Handle::current().spawn_local(async move {
                        let mut child = start(command("/bin/cat"));
                        child.write(number.to_string()).await?;
                        child.close_stdin();
                        let text = child.stdout().collect().await;
                        child.ended().await?;
                        Ok::<_, ChildError>(text)
                    })
                })
                .collect();
            for (number, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.await.unwrap(), number.to_string().as_bytes());
            }
        });
    });
}

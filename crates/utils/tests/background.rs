//! A background runs programs and calls for every executor and for threads that block.
#![cfg(target_os = "linux")]

#[path = "background/executors.rs"]
mod executors;

use std::error::Error;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::block_on;
use procession_core::Signal;
use procession_core::driver::Answer;
use procession_process_transport::{Command, end_children_with_program};
use procession_reactor::Handle;
use procession_test_support::sys::in_a_copy;
use procession_test_support::{children, isolated, isolated_without_leak_check, ms, process_state};
use procession_utils::{Background, BackgroundError, OutputError, OutputLine, Run};

use crate::executors::{Left, check_on_every_executor, until};

const fn can_be_sent_and_shared<T: Send + Sync + Clone + 'static>() {}
const _: () = can_be_sent_and_shared::<Background>();

fn sh(script: &str) -> Run {
    Run::new("sh").args(["-c", script])
}

fn sleeping() -> Run {
    Run::new("sleep").arg("600")
}

/// Returns a run, and its program's pid once the program has written it as a line.
fn with_pid(run: Run) -> (Run<impl FnMut(OutputLine) + Send>, Answer<u32>) {
    let (reply, pid) = Answer::new();
    let mut reply = Some(reply);
    let run = run.for_each_line(move |line| {
        let pid = String::from_utf8_lossy(&line.text).trim().parse().expect("a pid");
        reply.take().expect("one line").send(pid).ok();
    });
    (run, pid)
}

/// Awaits on the loop what no event reports.
async fn until_dead(background: &Background, pid: u32) {
    let dead = background.call(move |handle| async move {
        while !matches!(process_state(pid), 'X' | 'Z') {
            handle.sleep(ms(2)).await;
        }
    });
    dead.await.expect("it runs");
}

/// Case BG-01. The program of the documentation, with `cat`.
#[test]
fn a_handler_on_any_executor_runs_a_program_and_needs_no_bridge() {
    const NAME: &str = "a_handler_on_any_executor_runs_a_program_and_needs_no_bridge";
    check_on_every_executor(NAME, |children| async move {
        let handler = async |upload: Vec<u8>| {
            let cat = Run::new("cat").args(["-"]).stdin(upload);
            let thumbnail = children.run(cat.timeout(Duration::from_secs(5)).check()).await?;
            Ok::<_, Box<dyn Error + Send + Sync>>(thumbnail.stdout)
        };
        assert_eq!(handler(b"picture".to_vec()).await.unwrap(), "picture");
        // A thread of the executor may block as well.
        let blocking = children.run(Run::new("echo").arg("hi")).wait().unwrap();
        assert_eq!(blocking.stdout, "hi\n");
    });
}

/// Case BG-02.
#[test]
fn each_failure_of_a_run_is_one_typed_error() {
    check_on_every_executor("each_failure_of_a_run_is_one_typed_error", |children| async move {
        let missing = children.run(Run::new("/no/such")).await.unwrap_err();
        assert!(matches!(&missing, OutputError::Spawn(_)), "{missing:?}");
        assert_eq!(io::Error::from(missing).kind(), io::ErrorKind::NotFound);
        let failed = children.run(sh("exit 3").check()).await.unwrap_err();
        assert!(matches!(failed, OutputError::Failed { .. }), "{failed:?}");
        let late = children.run(sleeping().timeout(ms(50))).await.unwrap_err();
        assert!(matches!(late, OutputError::TimedOut { .. }), "{late:?}");
        assert_eq!(procession_test_support::children(), [], "its group has ended");
    });
}

/// Case BG-03.
#[test]
fn who_drops_a_result_cancels_the_work() {
    check_on_every_executor("who_drops_a_result_cancels_the_work", |children| async move {
        let (run, pid) = with_pid(sh("echo $$; exec sleep 600"));
        let running = children.run(run);
        let pid = pid.await.unwrap();
        drop(running);
        until_dead(&children, pid).await;
        // A call's future is dropped on the loop's thread, begun or not.
        let (begun, has_begun) = Answer::new();
        let (held, dropped) = Answer::<()>::new();
        let call = children.call(|_| async move {
            let (local, _held) = (Rc::new(()), held);
            begun.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(local);
        });
        has_begun.await.unwrap();
        drop(call);
        dropped.await.unwrap_err();
        let (held, dropped) = Answer::<()>::new();
        drop(children.call(|_| async move { drop(held) }));
        dropped.await.unwrap_err();
    });
}

/// Case BG-04.
#[test]
fn sixty_four_runs_at_once_give_sixty_four_outcomes() {
    const NAME: &str = "sixty_four_runs_at_once_give_sixty_four_outcomes";
    check_on_every_executor(NAME, |children| async move {
        // None of them ends before all of them have begun.
        let cats = |number: usize| Run::new("cat").stdin(format!("{number}"));
        let running: Vec<_> = (0..64).map(|number| children.run(cats(number))).collect();
        for (number, running) in running.into_iter().enumerate() {
            assert_eq!(running.await.unwrap().stdout, number.to_string());
        }
        let from_threads: Vec<_> = (0..8_usize)
            .map(|number| {
                let children = children.clone();
                std::thread::spawn(move || children.run(cats(number)).wait().unwrap().stdout)
            })
            .collect();
        for (number, one) in from_threads.into_iter().enumerate() {
            assert_eq!(one.join().unwrap(), number.to_string());
        }
    });
}

/// Case BG-05.
#[test]
fn a_stop_in_the_middle_fails_everything_that_waits_and_all_that_comes() {
    const NAME: &str = "a_stop_in_the_middle_fails_everything_that_waits_and_all_that_comes";
    check_on_every_executor(NAME, |children| async move {
        let (run, pid) = with_pid(sh("echo $$; exec sleep 600"));
        let running = children.run(run);
        let pid = pid.await.unwrap();
        let call = children.call(|_| std::future::pending::<()>());
        let stop = children.call(|handle| async move { handle.stop() });
        assert_eq!(stop.await, Ok(()));
        let stopped = running.await.unwrap_err();
        let gone = "the background loop has stopped";
        let text = format!("sh -c 'echo $$; exec sleep 600' gave no outcome: {gone}");
        assert_eq!(stopped.to_string(), text);
        assert_eq!(io::Error::from(stopped).kind(), io::ErrorKind::NotConnected);
        assert_eq!(call.await, Err(BackgroundError::Stopped));
        let later = children.call(|_| async { 1 });
        assert_eq!(later.await, Err(BackgroundError::Stopped));
        assert!(children.run(sleeping()).await.is_err());
        let later = children.spawn_child(Command::new("cat")).await.unwrap_err();
        assert_eq!(later.to_string(), r#"cannot wait for "cat": the reactor is gone"#);
        children.shutdown().await;
        assert_eq!(process_state(pid), 'X');
    });
}

/// Case BG-06.
#[test]
fn a_panic_fails_what_it_concerns_and_nothing_else() {
    const NAME: &str = "a_panic_fails_what_it_concerns_and_nothing_else";
    check_on_every_executor(NAME, |children| async move {
        let (go, stays) = Answer::new();
        let other = children.call(|_| stays);
        let message = "on purpose".to_owned();
        let panicked = Err(BackgroundError::Panicked { message });
        let call = children.call(|_| async { panic!("on purpose") });
        assert_eq!(call.await, panicked);
        #[expect(unreachable_code, reason = "it says the type")]
        let call = children.call(|_| {
            panic!("on purpose");
            std::future::ready(())
        });
        assert_eq!(call.await, panicked);
        // Panics that unwind out of the loop.
        let call = children.call(|handle| async move {
            handle.call_soon(|_| -> () { panic!("in a callback") });
            handle.spawn_local(async { panic!("in a task") });
        });
        assert_eq!(call.await, Ok(()));
        let lines = sh("echo line; exec sleep 600").for_each_line(|_| panic!("in a line"));
        let failed = children.run(lines).await.unwrap_err();
        let OutputError::Background { error: BackgroundError::Panicked { .. }, .. } = failed else {
            panic!("{failed:?}");
        };
        go.send(7).unwrap();
        assert_eq!(other.await.unwrap(), Ok(7));
        assert_eq!(children.run(Run::new("echo")).await.unwrap().stdout, "\n");
    });
}

/// Case BG-07.
#[test]
fn the_drop_of_the_last_handle_waits_until_the_groups_have_ended() {
    const NAME: &str = "the_drop_of_the_last_handle_waits_until_the_groups_have_ended";
    check_on_every_executor(NAME, |children| async move {
        let deaf = "trap '' TERM; echo $$; while :; do sleep 0.1; done";
        let (run, pid) = with_pid(sh(deaf).kill_grace(ms(300)));
        let running = children.run(run);
        let call = children.call(|_| std::future::pending::<()>());
        let pid = pid.await.unwrap();
        let clone = children.clone();
        drop(children);
        assert_eq!(clone.call(|_| async { 5 }).await, Ok(5));
        drop(clone);
        assert_eq!((process_state(pid), procession_test_support::children()), ('X', Vec::new()));
        assert!(matches!(running.await, Err(OutputError::Background { .. })));
        assert_eq!(call.await, Err(BackgroundError::Stopped));
    });
}

/// Case BG-07.
#[test]
fn a_shutdown_is_awaited_until_the_groups_have_ended() {
    const NAME: &str = "a_shutdown_is_awaited_until_the_groups_have_ended";
    check_on_every_executor(NAME, |children| async move {
        let (run, pid) = with_pid(sh("echo $$; exec sleep 600"));
        let running = children.run(run);
        let pid = pid.await.unwrap();
        let other = children.clone();
        children.shutdown().await;
        assert_eq!(process_state(pid), 'X');
        assert!(running.await.is_err() && other.run(sleeping()).await.is_err());
        other.shutdown().await;
    });
}

/// Case BG-08.
#[test]
fn on_the_loops_own_thread_a_wait_panics_and_the_last_drop_does_not_wait() {
    let name = "on_the_loops_own_thread_a_wait_panics_and_the_last_drop_does_not_wait";
    check_on_every_executor(name, |children| async move {
        let inner = children.clone();
        let call = children.call(|_| async move { inner.call(|_| async {}).wait() });
        let message = "`wait` would block the background's own loop for ever: \
                       await the value instead";
        let message = message.to_owned();
        assert_eq!(call.await, Err(BackgroundError::Panicked { message }));
        let (reply, told) = Answer::new();
        let (last, is_last) = Answer::<()>::new();
        let inner = children.clone();
        let call = children.call(|_| async move {
            is_last.await.unwrap();
            drop(inner);
            reply.send(()).unwrap();
        });
        drop(children);
        last.send(()).unwrap();
        told.await.unwrap();
        call.await.ok();
    });
}

/// Case BG-09.
#[test]
fn a_background_installs_no_handler_unless_the_program_asks_for_it() {
    const NAME: &str = "a_background_installs_no_handler_unless_the_program_asks_for_it";
    isolated(NAME, || {
        let caught = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            status.lines().find(|line| line.starts_with("SigCgt")).unwrap().to_owned()
        };
        let before = caught();
        let children = Background::start().unwrap();
        let (run, pid) = with_pid(sh("echo $$; exec sleep 600"));
        let running = children.run(run);
        pid.wait().unwrap();
        assert_eq!(caught(), before);
        end_children_with_program();
        assert_ne!(caught(), before);
        let (run, pid) = with_pid(sh("echo $$; exec sleep 600"));
        let ended = children.run(run);
        pid.wait().unwrap();
        procession_process_transport::end_owned_groups();
        let ended = ended.wait().unwrap();
        assert_eq!(ended.signal(), Some(Signal::TERM));
        drop(running);
    });
}

/// Case BG-10.
#[test]
fn in_a_forked_copy_nothing_is_done_and_nothing_hangs() {
    isolated_without_leak_check("in_a_forked_copy_nothing_is_done_and_nothing_hangs", || {
        let left = Left::now();
        let background = Background::start().unwrap();
        let (run, pid) = with_pid(sh("echo $$; exec sleep 600"));
        let running = background.run(run);
        let pid = pid.wait().unwrap();
        let mut child = background.spawn_child(Command::new("cat").kill_on_drop(true)).wait();
        let child = child.as_mut().unwrap();
        block_on(child.write("one")).unwrap();
        assert_eq!(block_on(child.stdout().next()).unwrap(), "one");
        let mut kept = Some((background, running));
        in_a_copy(|| {
            let (background, running) = kept.take().unwrap();
            assert_eq!(background.call(|_| async {}).wait(), Err(BackgroundError::Stopped));
            assert!(block_on(background.run(Run::new("true"))).is_err());
            assert!(block_on(running).is_err());
            assert!(block_on(child.write("two")).is_err());
            assert_eq!(block_on(child.stdout().next()), None);
            assert!(block_on(child.wait()).is_err());
            block_on(background.clone().shutdown());
            drop(background);
        });
        let (background, running) = kept.unwrap();
        assert_ne!(process_state(pid), 'X');
        block_on(child.write("three")).unwrap();
        assert_eq!(block_on(child.stdout().next()).unwrap(), "three");
        drop(running);
        until("the run has ended", || process_state(pid) == 'X');
        block_on(child.wait()).unwrap();
        drop(background);
        left.assert_no_more("in the original");
        assert_eq!(children(), []);
    });
}

/// Case BG-11.
#[test]
fn a_thread_that_has_no_executor_uses_the_reactor_of_the_background() {
    let background = Background::start().unwrap();
    let outcome = background.call(|_| async {
        let handle = Handle::current();
        handle.sleep(ms(1)).await;
        Run::new("echo").arg("local").start_on(&handle).await.unwrap().stdout
    });
    assert_eq!(outcome.wait().unwrap(), "local\n");
}

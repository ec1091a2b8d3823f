//! The options of a run that only a loop has, and a reader on its thread.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use procession_core::Failed;
use procession_reactor::Reactor;
use procession_utils::{OutputError, Run, Stdin, get_process_output, run_all};
use util::{WATCHDOG, behaviour, bound, isolated, ms, sh};

#[test]
fn a_run_that_another_thread_has_built_reports_its_lines() {
    behaviour("a_run_that_another_thread_has_built_reports_its_lines", |driver| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&seen);
        let build = move || {
            let run = Run::from(sh("echo one; echo two"));
            run.for_each_line(move |line| lines.lock().unwrap().push(line.text)).check()
        };
        let run = std::thread::spawn(build).join().unwrap();
        assert!(driver.get(run.start()).unwrap().is_success());
        assert_eq!(*seen.lock().unwrap(), ["one", "two"]);
    });
}

#[test]
fn runs_with_different_callbacks_are_one_batch_when_they_are_boxed() {
    behaviour("runs_with_different_callbacks_are_one_batch_when_they_are_boxed", |driver| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let lines = Rc::clone(&seen);
        let silent = Run::new("true").for_each_line(|line| panic!("{line:?}"));
        let lines = Run::new("echo").for_each_line(move |line| lines.borrow_mut().push(line.text));
        let runs = [silent.boxed(), lines.boxed(), Run::new("echo").boxed()];
        driver.get(run_all(runs, 2).all_or_first_error()).unwrap();
        assert_eq!(*seen.borrow(), [""]);
    });
}

#[test]
fn a_reader_that_waits_holds_up_neither_the_loop_nor_a_timeout() {
    behaviour("a_reader_that_waits_holds_up_neither_the_loop_nor_a_timeout", |driver| {
        for gives in [&b""[..], b"some"] {
            let (silent, mut peer) = UnixStream::pair().unwrap();
            peer.write_all(gives).unwrap();
            let run = Run::from(sh("cat; sleep 100")).stdin(Stdin::reader(silent));
            let (result, after) = driver.timed(run.timeout(ms(200)).start());
            let error = result.unwrap_err().error().unwrap();
            let OutputError::TimedOut { outcome, .. } = &error else { panic!("{error:?}") };
            assert_eq!(outcome.stdout, gives);
            assert!(after >= ms(200) && after < bound(ms(2000)), "{after:?}");
            driver.until_no_children(ms(500));
            // The thread ends, and the socket is closed, when the pending read returns.
            drop(peer);
        }
        // A run does not wait for the input of a program that has ended.
        let (silent, peer) = UnixStream::pair().unwrap();
        let run = Run::new("true").stdin(Stdin::reader(silent)).start();
        assert!(driver.get(run).unwrap().is_success());
        drop(peer);
    });
}

#[test]
fn a_reader_that_panics_ends_the_program_and_unwinds_out_of_the_loop() {
    struct Panics {
        _own: Arc<()>,
    }
    impl Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("expected");
        }
    }
    let name = "a_reader_that_panics_ends_the_program_and_unwinds_out_of_the_loop";
    behaviour(name, |driver| {
        let own = Arc::new(());
        let run =
            Run::new("sleep").arg("100").stdin(Stdin::reader(Panics { _own: Arc::clone(&own) }));
        let run = run.start();
        let until = || driver.until_no_children(WATCHDOG);
        let panic = catch_unwind(AssertUnwindSafe(until)).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"expected"));
        assert!(matches!(driver.get(run), Err(Failed::Abandoned)));
        driver.until("the reader is dropped", WATCHDOG, |_| Arc::strong_count(&own) == 1);
    });
}

#[test]
fn a_reader_is_dropped_with_its_program() {
    struct Endless {
        _own: Arc<()>,
    }
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }
    }
    behaviour("a_reader_is_dropped_with_its_program", |driver| {
        let own = Arc::new(());
        let stdin = Stdin::reader(Endless { _own: Arc::clone(&own) });
        let run = Run::from(sh("trap '' TERM; cat")).kill_grace(ms(100)).stdin(stdin).start();
        driver.run_for(ms(50));
        drop(run);
        driver.until("the reader is dropped", WATCHDOG, |_| Arc::strong_count(&own) == 1);
    });
}

#[test]
fn a_program_in_the_foreground_is_terminated_alone() {
    behaviour("a_program_in_the_foreground_is_terminated_alone", |driver| {
        let running = Run::new("sleep").arg("100").foreground().start();
        driver.run_for(ms(50));
        drop(running);
        driver.until_no_children(ms(500));
    });
}

#[test]
fn no_bound_on_draining_wins_over_that_of_the_command() {
    behaviour("no_bound_on_draining_wins_over_that_of_the_command", |driver| {
        let script = sh("(sleep 0.4; echo late) & echo early").drain_after_exit(ms(0));
        let outcome = driver.get(Run::from(&script).drain_after_exit(None).start()).unwrap();
        assert_eq!(outcome.stdout, "early\nlate\n");
        assert_eq!(driver.get(get_process_output(script)).unwrap(), "early\nlate\n");
        assert!(driver.reactor.next_deadline().is_none());
    });
}

#[test]
fn every_helper_can_be_awaited() {
    behaviour("every_helper_can_be_awaited", |driver| {
        let both = driver.reactor.block_on(async {
            let first = Run::new("echo").arg("1").await?;
            let second = Run::new("cat").stdin(first.stdout).output().await?;
            Ok::<_, Failed<OutputError>>(second.stdout)
        });
        assert_eq!(both.unwrap(), "1\n");
    });
}

/// Case BR-05. The loop reports the end to a thread that waits for it, and to none that is its own.
#[test]
fn the_end_of_a_program_that_was_left_running_reaches_another_thread() {
    behaviour("the_end_of_a_program_that_was_left_running_reaches_another_thread", |driver| {
        let mut left = |script: &str| match driver.get(get_process_output(sh(script))) {
            Err(Failed::Error(OutputError::UnexpectedStderr { ended, .. })) => ended,
            other => panic!("{other:?}"),
        };
        let ended = left("echo a >&2; sleep 0.2; exit 3");
        let on_the_loop = left("echo a >&2");
        let there = std::thread::spawn(move || ended.wait());
        driver.until("it has ended", WATCHDOG, |_| there.is_finished());
        let reason = there.join().unwrap().unwrap();
        assert_eq!(reason.unwrap_err().exit_code(), Some(3));
        let panic = catch_unwind(AssertUnwindSafe(|| on_the_loop.wait())).unwrap_err();
        let text = panic.downcast_ref::<&str>().unwrap();
        assert!(text.starts_with("`Ended::wait` blocks the loop"), "{text}");
    });
}

#[test]
fn the_end_of_a_program_that_was_left_running_is_abandoned_with_the_reactor() {
    let name = "the_end_of_a_program_that_was_left_running_is_abandoned_with_the_reactor";
    isolated(name, || {
        let mut reactor = Reactor::new().unwrap();
        let run = reactor.block_on(get_process_output(sh("echo a >&2; sleep 100")));
        let Err(Failed::Error(OutputError::UnexpectedStderr { ended, .. })) = run else {
            panic!("{run:?}");
        };
        drop(reactor);
        let there = std::thread::spawn(move || ended.wait()).join().unwrap();
        assert_eq!(there, Err(Failed::Abandoned));
    });
}

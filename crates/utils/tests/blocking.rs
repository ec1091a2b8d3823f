//! Blocking runs: no thread and no loop, whatever the program, its reader and the callback do.

mod util;

use std::fs;
use std::future::Future;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Fd, Step};
use procession_test_support::sys;
use procession_utils::{Keep, OutputError, Run, Stdin};
use util::{WATCHDOG, blocking, bound, children, ms, now, sh, until};

/// More bytes than a pipe holds.
const LARGE: usize = 1 << 20;

fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("/proc is mounted").count()
}

/// Case BR-01.
#[test]
fn input_and_both_outputs_pass_at_once_and_no_thread_is_started() {
    blocking("input_and_both_outputs_pass_at_once_and_no_thread_is_started", || {
        let before = threads();
        let mut most = 0;
        let script = sh("head -c 1000000 /dev/zero >&2; tee /dev/stderr; echo; echo end");
        let run = Run::from(script).stdin("x".repeat(LARGE));
        // The callback borrows from this function.
        let run = run.max_line_bytes(1).for_each_line(|_| most = most.max(threads()));
        let outcome = run.output_blocking().unwrap();
        assert_eq!(outcome.stdout.len(), LARGE + 5);
        assert_eq!(outcome.stderr.len(), 1_000_000 + LARGE);
        assert_eq!(most, before);
    });
}

/// Case BR-01.
#[test]
fn without_a_pidfd_runs_end_fail_and_time_out_alike() {
    blocking("without_a_pidfd_runs_end_fail_and_time_out_alike", || {
        let blind = |script: &str| Run::from(sh(script).without_pidfd());
        let outcome = blind("cat; exit 3").stdin("x".repeat(LARGE)).output_blocking().unwrap();
        assert_eq!((outcome.stdout.len(), outcome.exit_code()), (LARGE, Some(3)));
        let deaf = "trap '' TERM; echo deaf; while :; do sleep 0.2; done";
        let run = blind(deaf).timeout(bound(ms(300))).kill_grace(ms(200));
        let error = run.output_blocking().unwrap_err();
        assert_eq!(error.stdout().unwrap(), "deaf\n");
        assert!(matches!(error, OutputError::TimedOut { .. }), "{error:?}");
        assert_eq!(children(), []);
    });
}

#[test]
fn a_program_that_cannot_be_started_is_an_error_of_the_spawn() {
    blocking("a_program_that_cannot_be_started_is_an_error_of_the_spawn", || {
        let error = Run::new("/no/such/program").output_blocking().unwrap_err();
        let OutputError::Spawn(error) = error else { panic!("{error:?}") };
        assert_eq!(error.step(), Step::Exec);
    });
}

struct Panics;

impl Read for Panics {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("expected");
    }
}

/// Case BR-02.
#[test]
fn a_panic_of_the_reader_or_of_the_callback_ends_the_group_and_unwinds() {
    blocking("a_panic_of_the_reader_or_of_the_callback_ends_the_group_and_unwinds", || {
        let script = "trap 'echo told >&3; exit' TERM; echo up; while :; do sleep 0.05; done";
        for by_reader in [true, false] {
            let (mut told, tell) = io::pipe().unwrap();
            let command = sh(script).child_fd(3, Fd::inherit(tell));
            let run = Run::from(command);
            let run = if by_reader { run.stdin(Stdin::reader(Panics)) } else { run };
            let run = run.for_each_line(|_| assert!(by_reader, "expected"));
            let panic = catch_unwind(AssertUnwindSafe(|| run.output_blocking())).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"expected"));
            assert_eq!(children(), [], "it is gone when the panic arrives");
            let mut text = String::new();
            told.read_to_string(&mut text).unwrap();
            // A reader may panic before the shell has its trap.
            assert!(by_reader || text == "told\n", "it got TERM first: {text:?}");
        }
    });
}

/// Case BR-02. The program takes none of its endless input, and all of the next one.
#[test]
fn a_reader_is_read_only_when_the_pipe_has_room() {
    blocking("a_reader_is_read_only_when_the_pipe_has_room", || {
        let run = Run::new("sleep").arg("100").stdin(Stdin::reader(io::repeat(b'x')));
        let error = run.timeout(bound(ms(200))).output_blocking().unwrap_err();
        assert!(matches!(error, OutputError::TimedOut { .. }), "{error:?}");
        let input = io::repeat(b'x').take(3_000_001);
        let run = Run::new("wc").arg("-c").stdin(Stdin::reader(input));
        let outcome = run.output_blocking().unwrap();
        assert_eq!(outcome.stdout_utf8().unwrap().trim(), "3000001");
    });
}

/// Case BR-03. A late run first reads what is ready.
#[test]
fn a_program_that_has_ended_in_time_has_not_timed_out() {
    blocking("a_program_that_has_ended_in_time_has_not_timed_out", || {
        let time = bound(ms(300));
        let start = now();
        let run = Run::from(sh("echo a; echo b")).timeout(time).for_each_line(|line| {
            // The program is a zombie until this callback returns.
            while line.text == "a" && start.elapsed() < time * 2 {
                std::hint::spin_loop();
            }
        });
        assert_eq!(run.output_blocking().unwrap().stdout, "a\nb\n");
    });
}

/// Case BR-03. Lines of a program that does not stop.
#[test]
fn a_slow_callback_does_not_put_a_time_limit_off() {
    blocking("a_slow_callback_does_not_put_a_time_limit_off", || {
        let mut lines = 0_u64;
        let run = Run::new("yes").keep(Keep::nothing()).timeout(ms(100)).for_each_line(|_| {
            lines += 1;
            let until = now() + Duration::from_micros(10);
            while now() < until {
                std::hint::spin_loop();
            }
        });
        let error = run.output_blocking().unwrap_err();
        assert!(matches!(error, OutputError::TimedOut { .. }), "{error:?}");
        // A read gives at most 64 KiB, which takes a third of a second.
        assert!(lines <= 4 * (32 << 10), "{lines} lines");
    });
}

/// Case BR-03. What a late reader would give is not waited for.
#[test]
fn a_slow_reader_does_not_put_a_time_limit_off() {
    blocking("a_slow_reader_does_not_put_a_time_limit_off", || {
        let time = bound(ms(100));
        let run = Run::new("cat").stdin(Stdin::reader(Slow { time, reads: 4 })).timeout(time);
        let error = run.output_blocking().unwrap_err();
        assert!(matches!(error, OutputError::TimedOut { .. }), "{error:?}");
    });
}

/// Gives a byte after a time, so many times.
struct Slow {
    time: Duration,
    reads: u32,
}

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = now();
        while start.elapsed() < self.time * 2 {
            std::hint::spin_loop();
        }
        self.reads = self.reads.saturating_sub(1);
        buffer[0] = b'x';
        Ok(usize::from(self.reads > 0))
    }
}

/// Case BR-01. The end of the input is the last thing that such a run sees.
#[test]
fn a_program_that_does_not_read_its_input_ends_at_once() {
    blocking("a_program_that_does_not_read_its_input_ends_at_once", || {
        for _ in 0..40 {
            // Without a limit the run would wait for ever.
            let run = Run::new("true").stdin("x".repeat(LARGE)).drain_after_exit(None);
            assert!(run.output_blocking().unwrap().is_success());
        }
        for _ in 0..10 {
            let script = sh("echo e >&2; exit 3");
            let run = Run::from(script).stdin("x".repeat(LARGE)).drain_after_exit(None);
            let error = run.fail_on_stderr().output_blocking().unwrap_err();
            assert_eq!(ended(error).wait().unwrap().unwrap_err().exit_code(), Some(3));
        }
    });
}

/// Case BR-04.
#[test]
fn a_sigpipe_with_the_default_action_does_not_end_the_parent() {
    blocking("a_sigpipe_with_the_default_action_does_not_end_the_parent", || {
        sys::default_action(Signal::PIPE.as_raw());
        let run = Run::from(sh("exec <&-; echo closed; sleep 0.2")).stdin("x".repeat(LARGE));
        assert_eq!(run.output_blocking().unwrap().stdout, "closed\n");
        assert!(!sys::is_blocked(Signal::PIPE.as_raw()));
    });
}

fn noisy(script: &str) -> OutputError {
    let run = Run::from(sh(script)).fail_on_stderr().keep(Keep::head(10));
    run.output_blocking().expect_err("it writes to its standard error")
}

fn ended(error: OutputError) -> procession_utils::Ended {
    let OutputError::UnexpectedStderr { ended, .. } = error else { panic!("{error:?}") };
    ended
}

/// An executor of one future.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unparks(Thread);
    impl Wake for Unparks {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unparks(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Case BR-05.
#[test]
fn a_program_that_was_left_running_can_be_waited_for_in_any_thread_and_awaited() {
    let name = "a_program_that_was_left_running_can_be_waited_for_in_any_thread_and_awaited";
    blocking(name, || {
        let script = "echo a >&2; sleep 0.2; head -c 1000000 /dev/zero >&2; exit 3";
        let exit_code = |reason: procession_protocol::ExitReason| reason.unwrap_err().exit_code();
        let ours = ended(noisy(script)).wait().unwrap();
        assert_eq!(exit_code(ours), Some(3));
        let theirs = ended(noisy(script));
        let theirs = thread::spawn(move || theirs.wait().unwrap()).join().unwrap();
        assert_eq!(exit_code(theirs), Some(3));
        let awaited = block_on(ended(noisy(script))).unwrap();
        assert_eq!(exit_code(awaited), Some(3));
    });
}

/// Case BR-05.
#[test]
fn a_program_that_was_left_running_lives_on_when_its_error_is_dropped() {
    blocking("a_program_that_was_left_running_lives_on_when_its_error_is_dropped", || {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("it got there");
        let script = sh("echo a >&2; sleep 0.3; : > \"$0\"").arg(&file);
        let error = Run::from(script).fail_on_stderr().output_blocking().unwrap_err();
        assert!(!file.exists() && !children().is_empty());
        drop(error);
        until("it has ended", WATCHDOG, || children().is_empty());
        assert!(file.exists());
    });
}

/// Case BR-06.
#[test]
fn a_program_that_lacks_a_terminal_gets_the_hint() {
    blocking("a_program_that_lacks_a_terminal_gets_the_hint", || {
        let error = Run::from(sh("read x </dev/tty")).check().output_blocking().unwrap_err();
        let hint = "(it asked for a terminal: foreground() lets it use the parent's)";
        assert!(error.to_string().ends_with(hint), "{error}");
    });
}

/// `main` and `unwrap` print an error by `Debug`.
#[test]
fn the_debug_form_of_an_error_is_its_message() {
    let failed = Run::new("false").check().output_blocking().unwrap_err();
    assert!(format!("{failed:?}").starts_with("false exited with status 1 after "), "{failed:?}");
    let missing = Run::new("no such program").output_blocking().unwrap_err();
    assert_eq!(
        format!("{missing:?}"),
        "cannot execute \"no such program\": No such file or directory"
    );
}

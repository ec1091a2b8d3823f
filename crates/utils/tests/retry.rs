//! Runs that start their program again, and exit statuses that are no failures.

mod util;

use std::fs;
use std::io;

use procession_process_transport::Step;
use procession_utils::{Keep, OutputError, Run, Stdin};
use tempfile::TempDir;
use util::{both, bound, ms, now, sh};

/// A directory for one test, in which a program counts how often it was started.
struct Attempts(TempDir);

impl Attempts {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    /// Returns a program that counts, and then runs the script.
    fn run(&self, script: &str) -> Run {
        Run::from(sh(&format!("echo >> count; {script}"))).current_dir(self.0.path())
    }

    /// Returns how often it was started, and forgets that.
    fn take(&self) -> usize {
        let count = fs::read(self.0.path().join("count")).map_or(0, |count| count.len());
        fs::remove_file(self.0.path().join("count")).ok();
        count
    }
}

/// Case CH-42.
#[test]
fn a_program_is_started_again_until_it_succeeds_or_the_attempts_are_over() {
    both("a_program_is_started_again_until_it_succeeds_or_the_attempts_are_over", |runner| {
        let attempts = Attempts::new();
        let third = attempts.run("cat; test $(wc -l < count) = 3").stdin("in").check();
        let outcome = runner.get(third.retry(5, ms(1))).unwrap();
        assert_eq!((attempts.take(), outcome.stdout), (3, "in".into()));

        let never = attempts.run("exit 7").check();
        let error = runner.get(never.retry(3, ms(1))).unwrap_err();
        let OutputError::Failed { outcome, .. } = &error else { panic!("{error:?}") };
        assert_eq!((attempts.take(), outcome.exit_code()), (3, Some(7)));

        // Only errors are failures, and one attempt is the default.
        runner.get(attempts.run("exit 7").retry(3, ms(1))).unwrap();
        assert_eq!(attempts.take(), 1);
        runner.get(attempts.run("exit 7").check()).unwrap_err();
        assert_eq!(attempts.take(), 1);

        let slow = attempts.run("sleep 100").timeout(ms(50));
        let error = runner.get(slow.retry(2, ms(1))).unwrap_err();
        assert!(matches!(error, OutputError::TimedOut { .. }), "{error:?}");
        assert_eq!(attempts.take(), 2);

        let killed = attempts.run("kill -9 $$").check_signal();
        let error = runner.get(killed.retry(2, ms(1))).unwrap_err();
        assert!(matches!(error, OutputError::Signalled { .. }), "{error:?}");
        assert_eq!(attempts.take(), 2);

        let long = attempts.run("echo long").keep(Keep::head(1)).stop_at_limit();
        let error = runner.get(long.retry(2, ms(1))).unwrap_err();
        assert!(matches!(error, OutputError::TooLong { .. }), "{error:?}");
        assert_eq!(attempts.take(), 1);
    });
}

/// Case CH-43.
#[test]
fn each_pause_is_twice_as_long_as_the_one_before() {
    both("each_pause_is_twice_as_long_as_the_one_before", |runner| {
        let start = now();
        let error = runner.get(Run::new("/no/such").retry(4, ms(20))).unwrap_err();
        let elapsed = start.elapsed();
        assert!(matches!(error, OutputError::Spawn(_)), "{error:?}");
        assert!(elapsed >= ms(20 + 40 + 80) && elapsed < bound(ms(2000)), "{elapsed:?}");
    });
}

/// Case CH-44.
#[test]
fn what_cannot_be_tried_again_is_refused_before_anything_starts() {
    both("what_cannot_be_tried_again_is_refused_before_anything_starts", |runner| {
        let attempts = Attempts::new();
        for (run, why) in [
            (attempts.run("").retry(0, ms(1)), "no attempt is asked for"),
            (attempts.run("").stdin(Stdin::reader(io::empty())).retry(2, ms(1)), "a reader"),
        ] {
            let error = runner.get(run).unwrap_err();
            let OutputError::Spawn(spawn) = &error else { panic!("{error:?}") };
            assert_eq!((spawn.step(), spawn.kind()), (Step::Validate, io::ErrorKind::InvalidInput));
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(attempts.take(), 0);
        }
        let once = attempts.run("cat").stdin(Stdin::reader(&b"x"[..])).retry(1, ms(1));
        assert_eq!(runner.get(once).unwrap().stdout, "x");
        attempts.take();

        // A command that is refused would be refused again.
        let error = runner.get(Run::new("a\0b").retry(1_000, ms(1000))).unwrap_err();
        assert!(matches!(error, OutputError::Spawn(_)), "{error:?}");
    });
}

/// Case CH-45.
#[test]
fn only_the_codes_that_were_named_are_no_failures() {
    both("only_the_codes_that_were_named_are_no_failures", |runner| {
        let exits = |code: u8| Run::from(sh(&format!("exit {code}")));
        for (code, is_ok) in
            [(0, false), (1, true), (2, false), (127, true), (128, true), (255, true)]
        {
            let result = runner.get(exits(code).ok_codes([1, 127, 128, 255]));
            assert_eq!(result.is_ok(), is_ok, "{code}: {result:?}");
        }
        let result = runner.get(Run::from(sh("kill -9 $$")).ok_codes([9, 137]));
        assert!(matches!(result, Err(OutputError::Signalled { .. })), "{result:?}");
        assert!(runner.get(exits(0).ok_codes([])).is_err());
        // The last word counts.
        assert!(runner.get(exits(1).ok_codes([1]).check()).is_err());
    });
}

/// Case CH-46.
#[cfg(feature = "reactor")]
#[test]
fn a_drop_between_two_attempts_ends_them() {
    use util::{WATCHDOG, behaviour};

    behaviour("a_drop_between_two_attempts_ends_them", |driver| {
        let attempts = Attempts::new();
        let run = attempts.run("exit 1").check().retry(2, ms(300));
        let result = run.start();
        driver.until_no_children(WATCHDOG);
        driver.until("the first attempt is over", WATCHDOG, |_| {
            attempts.0.path().join("count").exists()
        });
        drop(result);
        driver.run_for(ms(400));
        assert_eq!(attempts.take(), 1);
    });
}

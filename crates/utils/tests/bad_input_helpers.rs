//! Extreme programs, sizes, times and numbers for the helpers: an error or the plain meaning, never
//! a panic, and nothing is left running.
#![cfg(feature = "reactor")]

mod util;

use std::time::Duration;

use procession_core::Failed;
use procession_utils::{
    Keep, OutputError, Run, Stdin, get_process_output, get_process_output_and_value,
    get_process_output_merged, get_process_value, run_all,
};

use crate::util::behaviour;

#[test]
fn programs_that_cannot_start_fail_the_result() {
    behaviour("programs_that_cannot_start_fail_the_result", |driver| {
        let spawn = |error: Failed<OutputError>| match error {
            Failed::Error(OutputError::Spawn(error)) => assert!(!error.to_string().is_empty()),
            other => panic!("not an error of the spawn: {other:?}"),
        };
        for program in ["", "\0", "/no/such/program", "/"] {
            spawn(driver.get(get_process_output(program)).unwrap_err());
            spawn(driver.get(get_process_output_merged(program)).unwrap_err());
            spawn(driver.get(get_process_value(program)).unwrap_err());
            spawn(driver.get(get_process_output_and_value(program, "x")).unwrap_err());
            spawn(driver.get(Run::new(program).start()).unwrap_err());
        }
        let run = || Run::new("/bin/true");
        for bad in [
            run().arg("\0"),
            run().args(["a", "\0"]),
            run().env("", "a"),
            run().env("A=", "a"),
            run().envs([("A", "\0")]),
            run().env_remove(""),
            run().current_dir(""),
            run().current_dir("\0"),
        ] {
            spawn(driver.get(bad.start()).unwrap_err());
        }
    });
}

#[test]
fn sizes_of_any_magnitude() {
    behaviour("sizes_of_any_magnitude", |driver| {
        let echo = || Run::new("/bin/echo").arg("hello");
        for (keep, kept) in [
            (Keep::head(0), ""),
            (Keep::tail(0), ""),
            (Keep::nothing(), ""),
            (Keep::head_and_tail(0, 0), ""),
            (Keep::head(usize::MAX), "hello\n"),
            (Keep::tail(usize::MAX), "hello\n"),
            (Keep::head_and_tail(usize::MAX, usize::MAX), "hello\n"),
            (Keep::head_and_tail(1, usize::MAX), "hello\n"),
        ] {
            let outcome = driver.get(echo().keep(keep).start()).unwrap();
            assert_eq!((outcome.exit_code(), outcome.stdout), (Some(0), kept.into()), "{keep:?}");
        }
        for bytes in [0, 1, usize::MAX] {
            let lines = echo().max_line_bytes(bytes).for_each_line(|_| ());
            assert!(driver.get(lines.start()).is_ok());
        }
        let nothing = Run::new("/bin/cat").stdin(Stdin::bytes("")).start();
        assert_eq!(driver.get(nothing).unwrap().stdout, "");
        for parallelism in [0, usize::MAX] {
            let results = driver.get(run_all(["/bin/true"; 3], parallelism).all()).unwrap();
            assert_eq!(results.len(), 3);
        }
        let none: [Run; 0] = [];
        assert!(driver.get(run_all(none, 0).all()).unwrap().is_empty());
    });
}

#[test]
fn times_of_any_length() {
    behaviour("times_of_any_length", |driver| {
        let slow = || Run::new("/bin/sleep").arg("100");
        let late = driver.get(slow().timeout(Duration::ZERO).kill_grace(Duration::ZERO).start());
        assert!(matches!(late, Err(Failed::Error(OutputError::TimedOut { .. }))), "{late:?}");
        let quick = || Run::new("/bin/true");
        let all = quick().timeout(Duration::MAX).kill_grace(Duration::MAX);
        assert!(driver.get(all.drain_after_exit(Duration::MAX).start()).is_ok());
        assert!(driver.get(quick().drain_after_exit(Duration::ZERO).start()).is_ok());
        // A group with an endless grace still ends with the program.
        drop(slow().kill_grace(Duration::MAX).start());
        driver.until_no_children(Duration::from_secs(10));
    });
}

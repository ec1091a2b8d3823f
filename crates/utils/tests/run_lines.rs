//! The lines of a run as a stream.
#![cfg(feature = "reactor")]

mod util;

use procession_core::Failed;
use procession_utils::{Keep, OutputError, OutputLine, Run, RunLines, Stream};
use util::{WATCHDOG, behaviour, bound, children, ms, sh};

/// Takes all lines, and the result.
async fn all(mut lines: RunLines) -> (Vec<OutputLine>, Result<bool, Failed<OutputError>>) {
    let mut found = Vec::new();
    while let Some(line) = lines.next().await {
        found.push(line);
    }
    (found, lines.outcome().await.map(|outcome| outcome.is_success()))
}

/// Case CH-37.
#[test]
fn the_lines_of_both_outputs_come_and_then_the_result() {
    behaviour("the_lines_of_both_outputs_come_and_then_the_result", |driver| {
        let run = Run::from(sh("echo one; echo two >&2; printf three; exit 3")).check();
        let (lines, result) = driver.reactor.block_on(all(run.lines()));
        let of = |stream| {
            let lines = lines.iter().filter(|line| line.stream == stream);
            lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of(Stream::Stdout), ["one", "three"]);
        assert_eq!(of(Stream::Stderr), ["two"]);
        assert!(matches!(result, Err(Failed::Error(OutputError::Failed { .. }))), "{result:?}");

        let missing = driver.reactor.block_on(async { all(Run::new("/no/such").lines()).await });
        assert!(missing.0.is_empty());
        assert!(matches!(missing.1, Err(Failed::Error(OutputError::Spawn(_)))), "{missing:?}");
    });
}

/// Case CH-38.
#[test]
fn a_program_whose_lines_nobody_takes_stands_still_and_loses_none() {
    behaviour("a_program_whose_lines_nobody_takes_stands_still_and_loses_none", |driver| {
        let mut lines = driver.reactor.block_on(async {
            let run = Run::new("seq").arg("1000000").keep(Keep::nothing()).check();
            let mut lines = run.lines();
            assert_eq!(lines.next().await.unwrap().text, "1");
            lines
        });
        // It would take some 20 ms to its end.
        driver.run_for(ms(300));
        assert!(matches!(&children()[..], [(_, _, 'S')]), "{:?}", children());
        let (count, sum) = driver.reactor.block_on(async {
            let (mut count, mut sum) = (1, 1_u64);
            while let Some(line) = lines.next().await {
                count += 1;
                sum += String::from_utf8_lossy(&line).parse::<u64>().unwrap();
            }
            lines.outcome().await.unwrap();
            (count, sum)
        });
        assert_eq!((count, sum), (1_000_000, 500_000_500_000));
    });
}

/// Case CH-39.
#[test]
fn lines_that_wait_outlast_the_programs_exit_and_the_limit_after_it() {
    behaviour("lines_that_wait_outlast_the_programs_exit_and_the_limit_after_it", |driver| {
        let mut lines = driver.reactor.block_on(async {
            let run = Run::new("seq").arg("9000").drain_after_exit(ms(0)).check();
            let mut lines = run.lines();
            assert_eq!(lines.next().await.unwrap().text, "1");
            lines
        });
        driver.until_no_children(WATCHDOG);
        driver.run_for(ms(20));
        let last = driver.reactor.block_on(async {
            let mut last = None;
            while let Some(line) = lines.next().await {
                last = Some(line);
            }
            lines.outcome().await.unwrap();
            last
        });
        assert_eq!(last.unwrap().text, "9000");
    });
}

/// Case CH-40.
#[test]
fn a_limit_ends_a_program_whose_lines_nobody_takes_and_so_does_a_drop() {
    behaviour("a_limit_ends_a_program_whose_lines_nobody_takes_and_so_does_a_drop", |driver| {
        let yes = || Run::new("yes").keep(Keep::nothing());
        let lines = driver.reactor.block_on(async { yes().timeout(ms(50)).lines() });
        let error = driver.reactor.block_on(lines.outcome()).unwrap_err();
        assert!(matches!(error, Failed::Error(OutputError::TimedOut { .. })), "{error:?}");

        let lines = driver.reactor.block_on(async {
            let mut lines = yes().timeout(ms(50)).lines();
            lines.next().await.unwrap();
            lines
        });
        driver.until_no_children(bound(ms(2000)));
        let (found, result) = driver.reactor.block_on(all(lines));
        assert!(!found.is_empty());
        assert!(matches!(result, Err(Failed::Error(OutputError::TimedOut { .. }))), "{result:?}");

        let lines = driver.reactor.block_on(async {
            let mut lines = yes().lines();
            lines.next().await.unwrap();
            lines
        });
        assert_eq!(children().len(), 1);
        drop(lines);
        driver.until_no_children(WATCHDOG);
    });
}

/// Case CH-41.
#[test]
fn each_attempt_has_its_lines() {
    behaviour("each_attempt_has_its_lines", |driver| {
        let run = Run::from(sh("seq 20000; exit 1")).check().retry(3, ms(1));
        let (lines, result) = driver.reactor.block_on(async { all(run.lines()).await });
        assert_eq!(lines.len(), 60_000);
        assert!(matches!(result, Err(Failed::Error(OutputError::Failed { .. }))), "{result:?}");
    });
}

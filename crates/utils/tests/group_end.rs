//! An error that ends a program is reported when nothing of its group is alive. Dropping or
//! cancelling the result returns at once.

mod util;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use procession_core::Failed;
use procession_utils::{Keep, OutputError, Run, Stdin};
use util::{Driver, behaviour, bound, children, ms, process_state, sh};

/// A member and the leader, which both ignore TERM. Both pids are on stdout.
const DEAF: &str =
    "trap '' TERM; (while :; do sleep 0.2; done) & echo $! $$; while :; do sleep 0.2; done";
/// The leader ends by TERM, its member does not.
const DEAF_MEMBER: &str = "trap 'exit 0' TERM; (trap '' TERM; echo $(exec sh -c 'echo $PPID') $$; while :; do sleep 0.2; done) & wait";

fn is_dead(pid: u32) -> bool {
    matches!(process_state(pid), 'Z' | 'X')
}

/// Asserts that the printed pids belong to no living process, and that there is no child.
fn assert_gone(stdout: &str) {
    let pids = stdout.split_ascii_whitespace().map(|pid| pid.parse().expect("a pid"));
    let pids: Vec<u32> = pids.collect();
    assert_eq!(pids.len(), 2, "{stdout}");
    assert!(pids.iter().all(|pid| is_dead(*pid)), "{pids:?}");
    assert_eq!(children(), [], "and it is reaped");
}

/// Returns how long the timeout took to be reported.
fn timed_out(driver: &mut Driver, run: Run) -> Duration {
    let (result, after) = driver.timed(run.start());
    let Err(Failed::Error(OutputError::TimedOut { outcome, .. })) = result else {
        panic!("{result:?}");
    };
    assert_gone(outcome.stdout_utf8().expect("numbers"));
    assert!(outcome.after < after + ms(100), "it is the time of the failure");
    after
}

/// Case TM-10.
#[test]
fn a_timeout_comes_when_the_group_is_empty() {
    behaviour("a_timeout_comes_when_the_group_is_empty", |driver| {
        let (time, grace) = (bound(ms(300)), ms(300));
        for script in [DEAF, DEAF_MEMBER] {
            // Do it twice: the first group is gone before the second starts.
            for _ in 0..2 {
                let run = Run::from(sh(script)).timeout(time).kill_grace(grace);
                let after = timed_out(driver, run);
                assert!(after >= time + grace && after < bound(ms(1600)), "{after:?}");
            }
        }
        let run = Run::from(sh(DEAF)).timeout(time).kill_grace(Duration::ZERO);
        assert!(timed_out(driver, run) < bound(ms(1300)));
        assert_eq!(driver.reactor.next_deadline(), None, "no timer is left");
    });
}

/// Case TM-11.
#[test]
fn an_output_that_is_too_long_and_a_reader_that_fails_end_the_group_first() {
    behaviour("an_output_that_is_too_long_and_a_reader_that_fails_end_the_group_first", |driver| {
        let run = Run::from(sh(DEAF)).keep(Keep::head(2)).stop_at_limit().kill_grace(ms(200));
        let (result, after) = driver.timed(run.start());
        let Err(Failed::Error(OutputError::TooLong { .. })) = result else {
            panic!("{result:?}");
        };
        assert!(after >= ms(200), "{after:?}");
        assert_eq!(children(), []);
        let reader = Broken;
        let run = Run::from(sh(DEAF)).stdin(Stdin::reader(reader)).kill_grace(ms(200));
        let (result, after) = driver.timed(run.start());
        assert!(matches!(result, Err(Failed::Error(OutputError::Stdin { .. }))), "{result:?}");
        assert!(after < bound(ms(1300)), "{after:?}");
        assert_eq!(children(), []);
    });
}

struct Broken;

impl io::Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("broken"))
    }
}

/// Case TM-12.
#[test]
fn giving_up_returns_at_once_also_while_the_group_ends() {
    behaviour("giving_up_returns_at_once_also_while_the_group_ends", |driver| {
        let (time, grace) = (bound(ms(300)), ms(400));
        let deaf = || Run::from(sh(DEAF)).kill_grace(grace);
        // This is the timeout of the result, not of the program.
        let (result, after) = driver.timed(deaf().start().timeout(time));
        assert!(matches!(result, Err(Failed::TimedOut)), "{result:?}");
        assert!(after < time + grace, "{after:?}");
        assert!(!children().is_empty(), "it ends in the background");
        driver.until_no_children(ms(1000));
        // Cancel while the run's own timeout is ending the group.
        let told = Rc::new(Cell::new(false));
        let seen = told.clone();
        let running = deaf().timeout(time).start();
        driver.run_for(time + ms(100));
        assert!(running.try_take().is_none(), "its group lives");
        running.cancel();
        assert!(matches!(running.try_take(), Some(Err(Failed::Cancelled))));
        let dropped = deaf().timeout(time).start().map(move |_| seen.set(true));
        driver.run_for(time + ms(100));
        drop(dropped);
        driver.until_no_children(ms(1000));
        assert!(!told.get());
        assert_eq!(driver.reactor.next_deadline(), None, "no timer is left");
    });
}

/// Case TM-13. A program in the foreground leads no group. The run waits for the program's own end.
#[test]
fn a_program_in_the_foreground_is_gone_before_its_error_comes() {
    behaviour("a_program_in_the_foreground_is_gone_before_its_error_comes", |driver| {
        let script = sh("trap '' TERM; while :; do :; done");
        let run = Run::from(script).foreground().timeout(bound(ms(200))).kill_grace(ms(200));
        let (result, after) = driver.timed(run.start());
        assert!(matches!(result, Err(Failed::Error(OutputError::TimedOut { .. }))), "{result:?}");
        assert!(after >= ms(400), "{after:?}");
        assert_eq!(children(), []);
    });
}

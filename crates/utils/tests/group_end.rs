//! An error that ends a program is reported when nothing of its group is alive.

mod util;

use std::io;
use std::time::Duration;

use procession_test_support::signals_groups_by_pidfd;
use procession_utils::{Keep, OutputError, Run, Stdin};
use rustix::process::{Pid, Signal as KernelSignal, kill_process};
use util::{Runner, both, bound, children, ms, process_state, sh};

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
fn timed_out(runner: &mut Runner, run: Run) -> Duration {
    let (result, after) = runner.timed(run);
    let Err(OutputError::TimedOut { outcome, .. }) = result else {
        panic!("{result:?}");
    };
    assert_gone(outcome.stdout_utf8().expect("numbers"));
    assert!(outcome.after < after + ms(100), "it is the time of the failure");
    after
}

/// Case TM-10.
#[test]
fn a_timeout_comes_when_the_group_is_empty() {
    both("a_timeout_comes_when_the_group_is_empty", |runner| {
        let (time, grace) = (bound(ms(300)), ms(300));
        for script in [DEAF, DEAF_MEMBER] {
            // Do it twice: the first group is gone before the second starts.
            for _ in 0..2 {
                let run = Run::from(sh(script)).timeout(time).kill_grace(grace);
                let after = timed_out(runner, run);
                assert!(after >= time + grace && after < bound(ms(1600)), "{after:?}");
            }
        }
        let run = Run::from(sh(DEAF)).timeout(time).kill_grace(Duration::ZERO);
        assert!(timed_out(runner, run) < bound(ms(1300)));
        runner.assert_no_timer();
    });
}

/// Case TM-11.
#[test]
fn an_output_that_is_too_long_and_a_reader_that_fails_end_the_group_first() {
    both("an_output_that_is_too_long_and_a_reader_that_fails_end_the_group_first", |runner| {
        let run = Run::from(sh(DEAF)).keep(Keep::head(2)).stop_at_limit().kill_grace(ms(200));
        let (result, after) = runner.timed(run);
        let Err(OutputError::TooLong { .. }) = result else {
            panic!("{result:?}");
        };
        assert!(after >= ms(200), "{after:?}");
        assert_eq!(children(), []);
        let reader = Broken;
        let run = Run::from(sh(DEAF)).stdin(Stdin::reader(reader)).kill_grace(ms(200));
        let (result, after) = runner.timed(run);
        assert!(matches!(result, Err(OutputError::Stdin { .. })), "{result:?}");
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

/// Case TM-13. A program in the foreground leads no group. The run waits for the program's own end.
#[test]
fn a_program_in_the_foreground_is_gone_before_its_error_comes() {
    both("a_program_in_the_foreground_is_gone_before_its_error_comes", |runner| {
        let script = sh("trap '' TERM; while :; do :; done");
        let run = Run::from(script).foreground().timeout(bound(ms(200))).kill_grace(ms(200));
        let (result, after) = runner.timed(run);
        assert!(matches!(result, Err(OutputError::TimedOut { .. })), "{result:?}");
        assert!(after >= ms(400), "{after:?}");
        assert_eq!(children(), []);
    });
}

#[test]
fn a_timeout_gives_what_was_read_so_far() {
    both("a_timeout_gives_what_was_read_so_far", |runner| {
        let script = sh("echo out; echo err >&2; sleep 100");
        // Both words must arrive before the timeout.
        let time = bound(ms(300));
        let (result, after) = runner.timed(Run::from(script).timeout(time));
        let Err(error) = result else { panic!("{result:?}") };
        assert!(after >= time && after < bound(ms(600)), "{after:?}");
        assert!(error.to_string().contains(" timed out after "), "{error}");
        assert!(error.to_string().ends_with(" s: err"), "{error}");
        let OutputError::TimedOut { outcome, .. } = error else { panic!("{error:?}") };
        assert_eq!((outcome.stdout_utf8(), outcome.stderr_utf8()), (Ok("out\n"), Ok("err\n")));
        runner.until_no_children(ms(500));
    });
}

/// Before Linux 6.9 the descendants live on.
#[test]
fn a_timeout_ends_a_wait_for_descendants_too() {
    both("a_timeout_ends_a_wait_for_descendants_too", |runner| {
        let script = sh("sleep 100 & echo $!");
        let run = Run::from(script).drain_after_exit(None).timeout(bound(ms(300)));
        let Err(OutputError::TimedOut { outcome, .. }) = runner.get(run) else {
            panic!("it timed out");
        };
        let descendant = outcome.stdout_utf8().unwrap().trim().parse().unwrap();
        if !signals_groups_by_pidfd() {
            // Nothing names the group of a leader that is reaped, so its members live on.
            assert!(!is_dead(descendant));
            let pid = Pid::from_raw(descendant.cast_signed()).unwrap();
            kill_process(pid, KernelSignal::KILL).unwrap();
        }
        runner.until("the descendant is dead", ms(500), || is_dead(descendant));
    });
}

//! A callback for lines that takes long: no line is handed over once a limit has ended the run.

mod util;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use procession_utils::{Keep, OutputError, OutputLine, Run};
use util::{both, bound, children, ms, now, sh};

/// Counts the lines. It blocks at the first line for the given time, and until every child is a
/// zombie if `until_ended`.
fn slow(time: Duration, until_ended: bool) -> (Rc<Cell<u32>>, impl FnMut(OutputLine) + 'static) {
    let seen = Rc::new(Cell::new(0));
    let lines = Rc::clone(&seen);
    let call = move |_| {
        lines.set(lines.get() + 1);
        let until = now() + time;
        let runs = || until_ended && children().iter().any(|(_, _, state)| *state != 'Z');
        while lines.get() == 1 && (now() < until || runs()) {
            std::hint::spin_loop();
        }
    };
    (seen, call)
}

/// Case BR-08.
#[test]
fn no_line_of_the_same_read_follows_a_time_limit() {
    both("no_line_of_the_same_read_follows_a_time_limit", |runner| {
        let time = bound(ms(200));
        let (seen, call) = slow(time, false);
        let run = Run::from(sh("seq 1000; exec sleep 600")).timeout(time).for_each_line(call);
        let error = runner.get(run).unwrap_err();
        assert!(matches!(error, OutputError::TimedOut { .. }), "{error:?}");
        assert_eq!(error.stdout().unwrap().len(), 3893, "what was written is kept all the same");
        assert_eq!(seen.get(), 1);
    });
}

/// Cases BR-03 and BR-08.
#[test]
fn all_lines_come_of_a_program_that_has_ended_in_time() {
    both("all_lines_come_of_a_program_that_has_ended_in_time", |runner| {
        let time = bound(ms(200));
        let (seen, call) = slow(time, true);
        let run = Run::from(sh("seq 1000")).timeout(time).check().for_each_line(call);
        runner.get(run).unwrap();
        assert_eq!(seen.get(), 1000);
    });
}

/// Case BR-08.
#[test]
fn no_line_follows_a_limit_of_the_output() {
    both("no_line_follows_a_limit_of_the_output", |runner| {
        let (seen, call) = slow(Duration::ZERO, false);
        let run = Run::from(sh("seq 1000; exec sleep 600")).keep(Keep::head(11)).stop_at_limit();
        let error = runner.get(run.for_each_line(call)).unwrap_err();
        assert!(matches!(error, OutputError::TooLong { .. }), "{error:?}");
        assert_eq!(seen.get(), 5, "the sixth is cut by the limit");

        let (seen, call) = slow(Duration::ZERO, false);
        let run = Run::from(sh("seq 1000 >&2")).fail_on_stderr().for_each_line(call);
        let error = runner.get(run).unwrap_err();
        let OutputError::UnexpectedStderr { ended, .. } = error else { panic!("{error:?}") };
        runner.end(ended).unwrap();
        assert_eq!(seen.get(), 0);
    });
}

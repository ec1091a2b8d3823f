//! Timeouts, and results that are cancelled or dropped: the group is terminated and reaped.

mod util;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use procession_core::Failed;
use procession_process_transport::Command;
use procession_reactor::Reactor;
use procession_utils::{OutputError, OutputLine, Run, get_process_output};
use util::{Driver, behaviour, bound, children, isolated, ms, process_state, sh};

fn sleeper() -> Command {
    Command::new("sleep").arg("100")
}

/// Returns a group of two processes that ignores TERM. It prints the pid of the second one.
fn stubborn() -> Command {
    sh("trap '' TERM; (while :; do sleep 1; done) & echo $!; while :; do sleep 1; done")
}

/// Turns until a run of `stubborn` has reported its lines. Returns the pid of the second process.
fn started(driver: &mut Driver, seen: &RefCell<Option<u32>>) -> u32 {
    driver.until("it has started", util::WATCHDOG, |_| seen.borrow().is_some());
    seen.borrow().expect("it was waited for")
}

fn reporting(seen: &Rc<RefCell<Option<u32>>>) -> Run<impl FnMut(OutputLine) + use<>> {
    let seen = Rc::clone(seen);
    Run::from(stubborn()).kill_grace(bound(ms(200))).for_each_line(move |line| {
        let text = String::from_utf8_lossy(&line.text).into_owned();
        *seen.borrow_mut() = Some(text.parse().expect("a pid"));
    })
}

fn is_dead(pid: u32) -> bool {
    matches!(process_state(pid), 'Z' | 'X')
}

/// Case CH-18.
#[test]
fn a_cancelled_result_fails_once_and_its_program_is_gone() {
    behaviour("a_cancelled_result_fails_once_and_its_program_is_gone", |driver| {
        let calls = Rc::new(Cell::new(0));
        let count = Rc::clone(&calls);
        let output = get_process_output(sleeper()).map(move |_| count.set(count.get() + 1));
        driver.run_for(ms(200));
        output.cancel();
        let result = output.try_take();
        assert!(matches!(result, Some(Err(Failed::Cancelled))), "{result:?}");
        driver.until_no_children(ms(500));
        driver.run_for(ms(100));
        assert_eq!(calls.get(), 0);
        assert!(output.try_take().is_none());
    });
}

/// Case CH-18.
#[test]
fn a_deferreds_timeout_ends_the_program() {
    behaviour("a_deferreds_timeout_ends_the_program", |driver| {
        let (result, after) = driver.timed(get_process_output(sleeper()).timeout(ms(200)));
        assert!(matches!(result, Err(Failed::TimedOut)), "{result:?}");
        assert!(after >= ms(200) && after < bound(ms(400)), "{after:?}");
        driver.until_no_children(ms(500));
    });
}

/// Case CH-18.
#[test]
fn a_group_that_ignores_term_is_killed_after_the_grace() {
    behaviour("a_group_that_ignores_term_is_killed_after_the_grace", |driver| {
        let seen = Rc::new(RefCell::new(None));
        let running = reporting(&seen).start();
        let second = started(driver, &seen);
        drop(running);
        driver.run_for(ms(100));
        assert!(!is_dead(second) && !children().is_empty(), "TERM is ignored");
        driver.until("the group is dead", ms(1000), |_| is_dead(second));
        driver.until_no_children(ms(500));
    });
}

#[test]
fn a_grace_of_zero_kills_at_once() {
    behaviour("a_grace_of_zero_kills_at_once", |driver| {
        let seen = Rc::new(RefCell::new(None));
        let running = reporting(&seen).kill_grace(Duration::ZERO).start();
        let second = started(driver, &seen);
        drop(running);
        driver.until("the group is dead", ms(300), |_| is_dead(second));
    });
}

#[test]
fn a_timeout_gives_what_was_read_so_far() {
    behaviour("a_timeout_gives_what_was_read_so_far", |driver| {
        let script = sh("echo out; echo err >&2; sleep 100");
        // Both words must arrive before the timeout.
        let time = bound(ms(300));
        let (result, after) = driver.timed(Run::from(script).timeout(time).start());
        let Err(Failed::Error(error)) = result else { panic!("{result:?}") };
        assert!(after >= time && after < bound(ms(600)), "{after:?}");
        assert!(error.to_string().contains(" timed out after "), "{error}");
        assert!(error.to_string().ends_with(" s: err"), "{error}");
        let OutputError::TimedOut { outcome, .. } = error else { panic!("{error:?}") };
        assert_eq!((outcome.stdout_utf8(), outcome.stderr_utf8()), (Ok("out\n"), Ok("err\n")));
        driver.until_no_children(ms(500));
    });
}

#[test]
fn a_timeout_ends_a_wait_for_descendants_too() {
    behaviour("a_timeout_ends_a_wait_for_descendants_too", |driver| {
        let script = sh("sleep 100 & echo $!");
        let run = Run::from(script).drain_after_exit(None).timeout(bound(ms(300)));
        let Err(Failed::Error(OutputError::TimedOut { outcome, .. })) = driver.get(run.start())
        else {
            panic!("it timed out");
        };
        let descendant = outcome.stdout_utf8().unwrap().trim().parse().unwrap();
        driver.until("the descendant is dead", ms(500), |_| is_dead(descendant));
    });
}

#[test]
fn a_descendant_that_left_the_group_does_not_keep_descriptors_open() {
    behaviour("a_descendant_that_left_the_group_does_not_keep_descriptors_open", |driver| {
        // `behaviour` checks the descriptors long before the descendant ends.
        let script = sh("setsid sleep 15 & echo started; wait");
        let running = Run::from(script).drain_after_exit(None).start();
        driver.run_for(ms(200));
        drop(running);
    });
}

#[test]
fn a_result_in_time_disarms_the_timeout() {
    behaviour("a_result_in_time_disarms_the_timeout", |driver| {
        driver.get(Run::new("true").timeout(Duration::from_secs(60)).start()).unwrap();
        assert!(driver.reactor.next_deadline().is_none());
    });
}

#[test]
fn a_panic_in_a_line_callback_ends_the_program() {
    behaviour("a_panic_in_a_line_callback_ends_the_program", |driver| {
        let run = Run::from(sh("echo x; sleep 100")).for_each_line(|_| panic!("expected"));
        let result = run.start();
        let turned = catch_unwind(AssertUnwindSafe(|| driver.run_for(ms(500))));
        assert!(turned.is_err());
        assert!(matches!(driver.get(result), Err(Failed::Abandoned)));
        driver.until_no_children(ms(500));
    });
}

#[test]
fn a_line_callback_may_drop_its_own_result() {
    behaviour("a_line_callback_may_drop_its_own_result", |driver| {
        let result = Rc::new(RefCell::new(None));
        let (own, calls) = (Rc::clone(&result), Rc::new(Cell::new(0)));
        let count = Rc::clone(&calls);
        let run = Run::from(sh("echo 1; echo 2; sleep 100")).for_each_line(move |_| {
            count.set(count.get() + 1);
            let own = own.borrow_mut().take();
            drop(own);
        });
        *result.borrow_mut() = Some(run.start());
        driver.until("it was called", util::WATCHDOG, |_| calls.get() > 0);
        driver.until_no_children(ms(500));
        assert_eq!(calls.get(), 1);
    });
}

#[test]
fn dropping_the_reactor_kills_the_group() {
    isolated("dropping_the_reactor_kills_the_group", || {
        let mut reactor = Reactor::new().unwrap();
        let result = Run::from(sh("trap '' TERM; sleep 100; sleep 100")).start();
        reactor.turn(Some(ms(50))).unwrap();
        drop(reactor);
        assert!(matches!(result.try_take(), Some(Err(Failed::Abandoned))));
        let mut reactor = Reactor::new().unwrap();
        let deadline = reactor.now() + bound(util::WATCHDOG);
        while !children().is_empty() {
            assert!(reactor.now() < deadline, "{:?}", children());
            reactor.turn(Some(ms(20))).unwrap();
        }
    });
}

//! When the reactor is dropped, and when `run_until` returns, no program is alive whose run was
//! dropped or cancelled before. A group that ends by TERM has its grace. The others are killed.
#![cfg(feature = "reactor")]
#![cfg(target_os = "linux")]

mod util;

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;
use std::time::Duration;

use procession_core::{Deferred, Failed};
use procession_process_transport::Command;
use procession_reactor::{Handle, Reactor, Stopped};
use procession_test_support::{signals_groups_by_pidfd, skip};
use procession_utils::{Outcome, OutputError, Run};

use crate::util::{WATCHDOG, bound, children, isolated, ms, process_state, sh};

/// A member and the leader, which both ignore TERM. Both pids are on stdout.
const DEAF: &str =
    "trap '' TERM; (while :; do sleep 0.2; done) & echo $! $$; while :; do sleep 0.2; done";
/// The leader ends by TERM, its member does not.
const DEAF_MEMBER: &str = "trap 'exit 0' TERM; (trap '' TERM; echo $(exec sh -c 'echo $PPID') $$; \
                           while :; do sleep 0.2; done) & wait";
/// The leader has ended by itself, and its member ignores TERM.
const LEFT_BEHIND: &str = "trap '' TERM; (while :; do sleep 0.2; done) & echo $! $$; exit 0";

type Running = Deferred<Outcome, OutputError>;

/// A run whose script has reported its pids.
struct StartedRun {
    running: Running,
    pids: Vec<u32>,
}

fn start(reactor: &mut Reactor, run: Run) -> StartedRun {
    let said = Rc::new(RefCell::new(String::new()));
    let lines = said.clone();
    let run = run.drain_after_exit(None).for_each_line(move |line| {
        lines.borrow_mut().push_str(&String::from_utf8_lossy(&line.text));
    });
    let running = run.start();
    until(reactor, || !said.borrow().is_empty());
    let pids: Vec<u32> = said.borrow().split(' ').map(|pid| pid.parse().expect("pid")).collect();
    StartedRun { running, pids }
}

fn until(reactor: &mut Reactor, done: impl Fn() -> bool) {
    let deadline = reactor.now() + bound(WATCHDOG);
    while !done() {
        assert!(reactor.now() < deadline, "{:?}", children());
        reactor.turn(Some(ms(10))).expect("a turn");
    }
}

/// Returns how long the drop of the reactor took.
fn drop_took(reactor: Reactor) -> Duration {
    let handle = reactor.handle();
    let began = handle.now();
    drop(reactor);
    handle.now() - began
}

fn is_dead(pid: u32) -> bool {
    matches!(process_state(pid), 'Z' | 'X')
}

fn assert_gone(pids: &[u32]) {
    assert!(!pids.is_empty() && pids.iter().all(|pid| is_dead(*pid)), "{pids:?}");
    assert_eq!(children(), [], "and it is reaped");
}

fn deaf(script: &str, grace: Duration) -> Run {
    Run::from(sh(script)).kill_grace(grace)
}

/// Case OL-08.
#[test]
fn what_a_run_that_was_given_up_has_started_is_gone_with_the_reactor() {
    const NAME: &str = "what_a_run_that_was_given_up_has_started_is_gone_with_the_reactor";
    let ways: [fn(&mut Reactor, Running); 4] = [
        |_, running| drop(running),
        |_, running| running.cancel(),
        |reactor, running| {
            let result = reactor.block_on(running.timeout(Duration::ZERO));
            assert!(matches!(result, Err(Failed::TimedOut)), "{result:?}");
        },
        // Some way into the grace.
        |reactor, running| {
            drop(running);
            let end = reactor.now() + ms(100);
            while reactor.now() < end {
                reactor.turn(Some(ms(10))).expect("a turn");
            }
        },
    ];
    isolated(NAME, || {
        for script in [DEAF, DEAF_MEMBER] {
            for give_up in ways {
                let mut reactor = Reactor::new().unwrap();
                let started = start(&mut reactor, deaf(script, ms(400)));
                let began = reactor.now();
                give_up(&mut reactor, started.running);
                assert!(started.pids.iter().any(|pid| !is_dead(*pid)), "a drop returns at once");
                let took = reactor.now() - began + drop_took(reactor);
                assert_gone(&started.pids);
                assert!((ms(400)..bound(ms(1400))).contains(&took), "{took:?}");
            }
        }
    });
}

/// Case OL-08. The child's end may be observed in any way, and it may lead no group.
#[test]
fn a_program_in_the_foreground_and_one_without_a_pidfd_are_gone_too() {
    const NAME: &str = "a_program_in_the_foreground_and_one_without_a_pidfd_are_gone_too";
    isolated(NAME, || {
        let alone = "trap '' TERM; echo $$; while :; do :; done";
        for run in [
            deaf(alone, ms(200)).foreground(),
            deaf(DEAF, ms(200)).command(Command::without_pidfd),
            deaf(DEAF_MEMBER, ms(200)).command(Command::without_pidfd),
            deaf(DEAF, Duration::ZERO),
        ] {
            let mut reactor = Reactor::new().unwrap();
            let started = start(&mut reactor, run);
            drop(started.running);
            let took = drop_took(reactor);
            assert_gone(&started.pids);
            assert!(took < bound(ms(1200)), "{took:?}");
        }
    });
}

/// Case OL-08. The leader was reaped long ago, and the outputs are closed.
#[test]
fn what_a_program_has_left_in_its_group_is_gone_too() {
    const NAME: &str = "what_a_program_has_left_in_its_group_is_gone_too";
    isolated(NAME, || {
        if !signals_groups_by_pidfd() {
            return skip(NAME, "nothing names such a group before Linux 6.9");
        }
        let mut reactor = Reactor::new().unwrap();
        let started = start(&mut reactor, deaf(LEFT_BEHIND, ms(400)));
        until(&mut reactor, || children().is_empty());
        drop(started.running);
        // Its protocol has received the last callback, too.
        let end = reactor.now() + ms(100);
        until(&mut reactor, || Handle::current().now() >= end);
        assert!(!is_dead(started.pids[0]));
        let took = drop_took(reactor);
        assert_gone(&started.pids);
        assert!((ms(200)..bound(ms(1400))).contains(&took), "{took:?}");
    });
}

/// Case OL-09. All of this happens at the same time.
#[test]
fn many_programs_take_one_grace_and_a_polite_one_has_it() {
    isolated("many_programs_take_one_grace_and_a_polite_one_has_it", || {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("done");
        let mut reactor = Reactor::new().unwrap();
        let deaf: Vec<StartedRun> =
            (0..5).map(|_| start(&mut reactor, deaf(DEAF, ms(500)))).collect();
        let script = "trap 'sleep 0.2; echo done > $0; exit' TERM; echo $$; \
                      while :; do sleep 0.01; done";
        let polite = sh(script).arg(&file);
        let polite = start(&mut reactor, Run::from(polite).kill_grace(WATCHDOG));
        let pids: Vec<u32> =
            deaf.iter().chain([&polite]).flat_map(|one| one.pids.clone()).collect();
        drop((deaf, polite));
        let took = drop_took(reactor);
        assert_gone(&pids);
        assert!((ms(490)..bound(ms(1500))).contains(&took), "{took:?}");
        assert_eq!(fs::read_to_string(file).unwrap(), "done\n");
    });
}

/// Case OL-09. A run that was not given up is killed at once, and the drop waits for its end.
#[test]
fn a_run_that_goes_on_is_killed_and_gone_when_the_reactor_is() {
    isolated("a_run_that_goes_on_is_killed_and_gone_when_the_reactor_is", || {
        let mut reactor = Reactor::new().unwrap();
        let started = start(&mut reactor, deaf(DEAF, WATCHDOG));
        let took = drop_took(reactor);
        assert_gone(&started.pids);
        assert!(took < bound(ms(900)), "{took:?}");
        assert!(matches!(started.running.try_take(), Some(Err(Failed::Abandoned))));
    });
}

/// Case OL-10. An earlier run may have been stopped, and the leader may be reaped already.
#[test]
fn run_until_returns_when_what_its_future_gave_up_is_gone() {
    isolated("run_until_returns_when_what_its_future_gave_up_is_gone", || {
        for script in [DEAF, DEAF_MEMBER, LEFT_BEHIND] {
            if script == LEFT_BEHIND && !signals_groups_by_pidfd() {
                continue; // nothing names such a group before Linux 6.9
            }
            // A stop would end the run of a program that has ended.
            let stops: &[bool] = if script == LEFT_BEHIND { &[false] } else { &[false, true] };
            for &stops_before in stops {
                let mut reactor = Reactor::new().unwrap();
                let started = start(&mut reactor, deaf(script, ms(300)));
                if script == LEFT_BEHIND {
                    until(&mut reactor, || children().is_empty());
                }
                if stops_before {
                    reactor.call_soon(|reactor| reactor.stop());
                    assert_eq!(reactor.run().unwrap(), Stopped::Called);
                }
                let began = reactor.now();
                let running = started.running;
                assert_eq!(reactor.run_until(async move { drop(running) }), Ok(()));
                let took = reactor.now() - began;
                assert_gone(&started.pids);
                assert!((ms(290)..bound(ms(1300))).contains(&took), "{took:?}");
            }
        }
    });
}

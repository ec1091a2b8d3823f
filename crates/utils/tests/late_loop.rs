//! A loop that is late, because a callback took long or the program was stopped, reads what is
//! ready before it judges a time limit.
#![cfg(feature = "reactor")]

mod util;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Command, SpawnProcess};
use procession_reactor::Handle;
use procession_utils::{OutputError, Run};
use util::{Driver, behaviour, bound, children, ms, sh};

const LIMIT: Duration = Duration::from_millis(100);

/// Blocks the loop in a callback until the deadline has passed and every child has ended.
fn block_the_loop(driver: &Driver, after: Duration) {
    driver.reactor.call_later(after, |reactor| {
        let end = reactor.now() + 2 * LIMIT;
        while reactor.now() < end || children().iter().any(|(_, _, state)| *state != 'Z') {
            std::hint::spin_loop();
        }
    });
}

#[test]
fn output_written_before_the_deadline_counts_on_a_late_loop() {
    behaviour("output_written_before_the_deadline_counts_on_a_late_loop", |driver| {
        for (script, bytes) in [
            ("echo x", 2),
            ("echo x >&2; exit 3", 0),
            ("head -c 60000 /dev/zero", 60_000),
            ("sleep 0.05; echo x", 2),
        ] {
            for block_after in [ms(0), ms(5), ms(30)] {
                for bounds_the_deferred in [false, true] {
                    let run = Run::from(sh(script));
                    let run = if bounds_the_deferred {
                        run.start().timeout(LIMIT)
                    } else {
                        run.timeout(LIMIT).start()
                    };
                    block_the_loop(driver, block_after);
                    let outcome = driver.get(run).unwrap_or_else(|error| {
                        panic!("{script}, {block_after:?}, {bounds_the_deferred}: {error}")
                    });
                    assert_eq!(outcome.stdout.len(), bytes);
                }
            }
        }
    });
}

#[test]
fn no_time_limit_passes_while_the_program_is_stopped() {
    behaviour("no_time_limit_passes_while_the_program_is_stopped", |driver| {
        let script =
            format!("sleep 0.1; kill -STOP {0}; sleep 0.6; kill -CONT {0}", std::process::id());
        let mut stopper =
            std::process::Command::new("/bin/sh").args(["-c", &script]).spawn().unwrap();
        let run = Run::from(sh("sleep 0.2; echo x")).timeout(ms(400)).start();
        let bounded = Run::from(sh("sleep 0.2; echo x")).start().timeout(ms(400));
        let polite = Run::from(sh("sleep 0.2; echo x")).start();
        assert_eq!(driver.get(run).unwrap().stdout, "x\n");
        assert_eq!(driver.get(bounded).unwrap().stdout, "x\n");
        assert_eq!(driver.get(polite).unwrap().stdout, "x\n");
        assert!(stopper.wait().unwrap().success());
    });
}

#[test]
fn a_child_that_ended_within_its_grace_is_not_killed_by_a_late_loop() {
    behaviour("a_child_that_ended_within_its_grace_is_not_killed_by_a_late_loop", |driver| {
        for owned in [false, true] {
            for block_after in [ms(0), ms(5)] {
                let child = Command::new("sleep").arg("60").owned(owned).process_group(0);
                let child = driver.reactor.spawn_child(child).unwrap();
                let ended = child.process().terminate(Signal::TERM, LIMIT);
                block_the_loop(driver, block_after);
                let ended = driver.get(ended).unwrap();
                assert!(!ended.escalated(), "owned {owned}, {block_after:?}");
                drop(child);
            }
        }
    });
}

#[test]
fn a_program_that_never_stops_writing_times_out_all_the_same() {
    behaviour("a_program_that_never_stops_writing_times_out_all_the_same", |driver| {
        let run = Run::new("yes").keep(procession_utils::Keep::nothing()).timeout(LIMIT);
        let begun = driver.reactor.now();
        driver.get(run.start()).unwrap_err();
        assert!(driver.reactor.now() - begun < bound(ms(3000)));
    });
}

/// The library waits for a killed child, but for no more than a second, which a starved machine may use
/// up.
#[test]
fn a_late_loop_still_waits_for_the_end_of_what_it_kills() {
    behaviour("a_late_loop_still_waits_for_the_end_of_what_it_kills", |driver| {
        // KILL is due while the loop is blocked.
        let free_at = Rc::new(Cell::new(Duration::MAX));
        let run = || {
            let deaf = Run::from(sh("trap '' TERM; echo $$; sleep 60 & sleep 60"));
            let free_at = free_at.clone();
            deaf.timeout(LIMIT).kill_grace(LIMIT).start().or_else(move |error| {
                let pid = String::from_utf8_lossy(error.stdout().unwrap()).trim().to_owned();
                let is_reaped = !std::path::Path::new("/proc").join(&pid).exists();
                let waited = Handle::current().now().saturating_sub(free_at.get());
                assert!(is_reaped || waited >= ms(1000), "{pid} is there after {waited:?}");
                Err(error)
            })
        };
        let runs: Vec<_> = (0..20).map(|_| run()).collect();
        // Block the loop from before the end of the grace until more than a second after it.
        let until = free_at.clone();
        driver.reactor.call_later(LIMIT + LIMIT / 2, move |reactor| {
            until.set(reactor.now() + ms(1500));
            while reactor.now() < until.get() {
                std::hint::spin_loop();
            }
        });
        for run in runs {
            let error = driver.get(run).unwrap_err().error();
            assert!(matches!(error, Some(OutputError::TimedOut { .. })), "{error:?}");
        }
    });
}

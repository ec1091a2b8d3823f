//! Area SG: signals to children, and the signal state with which they start.
#![cfg(feature = "reactor")]

mod util;

use std::cell::Cell;
use std::rc::Rc;

use procession_core::Signal;
use procession_process_transport::SpawnProcess;
use procession_protocol::{Process, SignalError};

use crate::util::{
    Driver, Event, PROMPTLY, Recorder, WATCHDOG, behaviour, bound, code, command, isolated, ms,
    process_state, root_or_skip, sh, signal, sys,
};

/// Asserts that a signal found no process.
#[track_caller]
fn assert_gone(result: Result<(), SignalError>) {
    assert!(matches!(result, Err(SignalError::ProcessExitedAlready)), "{result:?}");
}

/// Case SG-01.
#[test]
fn kill_ends_a_child_promptly() {
    behaviour("kill_ends_a_child_promptly", |driver| {
        let record = driver.run_with(command("/bin/sleep").arg("100"), |process, event| {
            if *event == Event::Made {
                process.signal(Signal::KILL).unwrap();
            }
        });
        assert_eq!(record.signal(), 9);
        let end = record.after_made(|event| matches!(event, Event::Ended(_))).unwrap();
        assert!(end < bound(PROMPTLY), "{record:?}");
    });
}

/// Case SG-02.
#[test]
fn signals_are_sent_by_name_and_by_number() {
    behaviour("signals_are_sent_by_name_and_by_number", |driver| {
        let by_name = ["HUP", "INT", "TERM", "KILL"].map(|name| name.parse::<Signal>().unwrap());
        for wanted in by_name.into_iter().chain([Signal::from_raw(libc::SIGUSR1)]) {
            let record = driver.run_with(sh("echo ok; exec sleep 100"), move |process, event| {
                if matches!(event, Event::Data(..)) {
                    process.signal(wanted).unwrap();
                }
            });
            assert_eq!((record.signal(), record.text(1).as_str()), (wanted.as_raw(), "ok\n"));
        }
    });
}

/// Case SG-03.
#[test]
fn a_signal_that_does_not_exist_is_an_error() {
    behaviour("a_signal_that_does_not_exist_is_an_error", |driver| {
        assert!("NONSENSE".parse::<Signal>().is_err());
        let child = driver.spawn(command("/bin/cat"));
        for number in [999, -5] {
            let error = child.process.signal(Signal::from_raw(number)).unwrap_err();
            let SignalError::Os(error) = error else { panic!("{number}: {error:?}") };
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{number}");
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{number}");
        }
        child.process.write("unaffected");
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert_eq!((child.record.text(1).as_str(), child.record.code()), ("unaffected", 0));
    });
}

/// Case SG-04.
#[test]
fn signal_0_asks_whether_the_child_exists() {
    behaviour("signal_0_asks_whether_the_child_exists", |driver| {
        let child = driver.spawn(command("/bin/cat"));
        child.process.signal(Signal::from_raw(0)).expect("it is alive");
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert_gone(child.process.signal(Signal::from_raw(0)));
        assert_eq!(child.record.code(), 0);
    });
}

/// Case SG-05.
#[test]
fn a_signal_after_the_reap_says_that_the_child_has_exited() {
    behaviour("a_signal_after_the_reap_says_that_the_child_has_exited", |driver| {
        let asked = Rc::new(Cell::new(0));
        let count = asked.clone();
        let child = driver.spawn_with(command("/bin/true"), move |process, event| {
            if matches!(event, Event::Exited(_) | Event::Ended(_)) {
                assert_gone(process.signal(Signal::TERM));
                count.set(count.get() + 1);
            }
        });
        driver.drive_to_end(&child.record);
        assert_eq!((asked.get(), child.record.code()), (2, 0));
        driver.run_for(ms(20));
        assert_gone(child.process.signal(Signal::TERM));
    });
}

/// Case SG-06.
#[test]
fn a_zombie_can_be_signalled() {
    behaviour("a_zombie_can_be_signalled", |driver| {
        let child = driver.spawn(command("/bin/sleep").arg("100"));
        child.process.signal(Signal::KILL).expect("alive");
        child.process.signal(Signal::KILL).expect("dying");
        sys::wait_until_zombie(child.process.pid().unwrap());
        child.process.signal(Signal::KILL).expect("a zombie");
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.signal(), 9);
    });
}

/// Case SG-07.
#[test]
fn a_signal_that_is_not_permitted_is_an_error_and_nothing_else() {
    behaviour("a_signal_that_is_not_permitted_is_an_error_and_nothing_else", |driver| {
        if !root_or_skip("SG-07") {
            return;
        }
        let child = driver.spawn(command("/bin/sleep").arg("5"));
        let pid = child.process.pid().unwrap();
        let nobody = rustix::process::Uid::from_raw(65534);
        let root = rustix::process::Uid::ROOT;
        rustix::thread::set_thread_res_uid(nobody, nobody, root).unwrap();
        let refused = child.process.signal(Signal::TERM);
        rustix::thread::set_thread_res_uid(root, root, root).unwrap();
        let Err(SignalError::Os(error)) = refused else { panic!("{refused:?}") };
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        driver.run_for(ms(50));
        assert_eq!(process_state(pid), 'S', "it is alive");
        child.process.signal(Signal::KILL).unwrap();
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.signal(), 9);
    });
}

/// Parses a signal mask of `/proc/PID/status`.
fn mask(status: &str, name: &str) -> u64 {
    let line = status.lines().find(|line| line.starts_with(name)).expect("the kernel prints it");
    let (_, number) = line.split_once(':').expect("a colon");
    u64::from_str_radix(number.trim(), 16).expect("a hexadecimal number")
}

/// Case SG-08.
#[test]
fn a_child_starts_with_default_signals_whatever_the_parents_are() {
    behaviour("a_child_starts_with_default_signals_whatever_the_parents_are", |driver| {
        let ignored = [libc::SIGTERM, libc::SIGUSR1, libc::SIGHUP];
        for number in ignored {
            sys::ignore(number);
        }
        sys::block(&[libc::SIGTERM, libc::SIGUSR1, libc::SIGCHLD]);
        let blocked = sys::blocked();
        let handlers = || (1..32).filter(|n| *n != 9 && *n != 19).map(sys::handler).collect();
        let before: Vec<usize> = handlers();

        let record = driver.run(sh("kill -TERM $$; exit 9"));
        assert_eq!(record.signal(), libc::SIGTERM);
        let record = driver.run(command("/bin/cat").arg("/proc/self/status"));
        let status = record.text(1);
        assert_eq!(mask(&status, "SigBlk"), 0);
        assert_eq!(mask(&status, "SigIgn") & 0x7fff_ffff, 0);
        assert_eq!(record.code(), 0);

        assert_eq!(sys::blocked(), blocked, "the parent's mask");
        assert_eq!(handlers(), before, "the parent's dispositions");
        for number in ignored {
            assert_eq!(sys::handler(number), libc::SIG_IGN);
        }
    });
}

/// `inherit_signals` gives the child the parent's dispositions and mask.
#[test]
fn inherit_signals_hands_on_ignored_and_blocked_signals() {
    behaviour("inherit_signals_hands_on_ignored_and_blocked_signals", |driver| {
        sys::ignore(libc::SIGHUP);
        sys::block(&[libc::SIGUSR2]);
        let cat = command("/bin/cat").arg("/proc/self/status").inherit_signals();
        let record = driver.run(cat);
        let status = record.text(1);
        let bit = |number: i32| 1_u64 << (number - 1);
        assert_eq!(mask(&status, "SigBlk"), bit(libc::SIGUSR2));
        assert_ne!(mask(&status, "SigIgn") & bit(libc::SIGHUP), 0);
        assert_ne!(mask(&status, "SigIgn") & bit(libc::SIGPIPE), 0, "as every Rust program has it");
        assert_eq!(record.code(), 0);
    });
}

/// The loop blocks signals during a turn. They do not belong to the program's mask, so the child
/// does not inherit them.
#[test]
fn inherit_signals_hands_on_no_signal_that_the_loop_blocks() {
    behaviour("inherit_signals_hands_on_no_signal_that_the_loop_blocks", |driver| {
        sys::default_action(libc::SIGPIPE);
        for own in [&[][..], &[libc::SIGPIPE]] {
            sys::block(own);
            let (recorder, record) = Recorder::new();
            driver.reactor().call_soon(move |reactor| {
                assert_eq!(sys::blocked(), [libc::SIGPIPE], "a turn runs");
                let cat = command("/bin/cat").arg("/proc/self/status").inherit_signals();
                reactor.spawn_process(recorder, cat).expect("it starts");
            });
            driver.drive_to_end(&record);
            let expected = own.iter().fold(0, |set, signal| set | 1 << (signal - 1));
            assert_eq!(mask(&record.text(1), "SigBlk"), expected);
        }
    });
}

/// Case SG-09.
#[test]
fn a_pipeline_in_the_child_dies_silently_of_its_broken_pipe() {
    behaviour("a_pipeline_in_the_child_dies_silently_of_its_broken_pipe", |driver| {
        assert_eq!(sys::handler(libc::SIGPIPE), libc::SIG_IGN, "as every Rust program has it");
        let record = driver.run(sh("cat /dev/zero | head -c 1 >/dev/null; echo done"));
        assert_eq!((record.text(1).as_str(), record.text(2).as_str()), ("done\n", ""));
        assert_eq!(record.code(), 0);
    });
}

/// Case SG-10.
#[test]
fn a_stopped_child_can_be_killed() {
    behaviour("a_stopped_child_can_be_killed", |driver| {
        let child = driver.spawn(command("/bin/sleep").arg("100"));
        child.process.signal(Signal::STOP).unwrap();
        child.process.signal(Signal::KILL).unwrap();
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.signal(), 9);
    });
}

/// Case SG-11.
#[test]
fn a_child_that_ignores_term_lives_until_it_is_killed() {
    behaviour("a_child_that_ignores_term_lives_until_it_is_killed", |driver| {
        let script = "trap '' TERM; echo r; while :; do sleep 0.1; done";
        let child = driver.spawn(sh(script));
        let (process, record) = (child.process.clone(), child.record.clone());
        driver.until("it is ready", WATCHDOG, || record.text(1) == "r\n");
        process.signal(Signal::TERM).unwrap();
        let killer = process.clone();
        let alive = Rc::new(Cell::new(false));
        let seen = alive.clone();
        driver.handle().call_later(ms(300), move |_| {
            seen.set(killer.pid().is_some());
            killer.signal(Signal::KILL).unwrap();
        });
        driver.drive_to_end(&record);
        assert!(alive.get(), "it lived after TERM");
        assert_eq!(record.signal(), 9);
        let after = record.after_made(|event| matches!(event, Event::Exited(_))).unwrap();
        assert!(after >= ms(300), "{record:?}");
    });
}

/// Case SG-12.
#[test]
fn a_signal_from_another_process_is_reported() {
    behaviour("a_signal_from_another_process_is_reported", |driver| {
        let child = driver.spawn(command("/bin/sleep").arg("100"));
        let pid = child.process.pid().unwrap();
        let killer = driver.run(sh(&format!("kill -TERM {pid}")));
        driver.drive_to_end(&child.record);
        assert_eq!((killer.code(), child.record.signal()), (0, 15));
    });
}

/// Case SG-13.
#[test]
fn a_signal_reaches_the_direct_child_alone() {
    behaviour("a_signal_reaches_the_direct_child_alone", |driver| {
        let child = driver.spawn(sh("(sleep 1; echo child ran) & exec sleep 5"));
        driver.run_for(ms(200));
        child.process.signal(Signal::KILL).unwrap();
        let record = child.record.clone();
        driver.until("the exit", PROMPTLY, || record.exited().is_some());
        assert_eq!(record.exited().as_ref().and_then(signal), Some(9));
        assert_eq!(record.text(1), "", "the grandchild lives and has not written");
        driver.drive_to_end(&record);
        assert_eq!(record.text(1), "child ran\n");
        let end = record.after_made(|event| matches!(event, Event::Ended(_))).unwrap();
        assert!((ms(900)..ms(1500)).contains(&end), "{record:?}");
    });
}

/// Case SG-15.
#[test]
fn a_race_of_signal_and_exit_has_one_of_two_outcomes() {
    behaviour("a_race_of_signal_and_exit_has_one_of_two_outcomes", |driver| {
        let mut wait = 0_u64;
        for _ in 0..300 {
            let child = driver.spawn(command("/bin/true"));
            // A small generator of pseudo-random numbers, so that the moments differ.
            wait = (wait * 1_103_515_245 + 12_345) % 3001;
            driver.run_for(std::time::Duration::from_micros(wait));
            match child.process.signal(Signal::TERM) {
                Ok(()) | Err(SignalError::ProcessExitedAlready) => {}
                Err(error) => panic!("{error:?}"),
            }
            driver.drive_to_end(&child.record);
            let reason = child.record.ended().unwrap();
            let outcome = (code(&reason), signal(&reason));
            assert!(matches!(outcome, (Some(0), None) | (None, Some(15))), "{outcome:?}");
        }
    });
}

/// Case SG-18.
#[test]
fn a_child_can_be_signalled_from_its_data_callback() {
    behaviour("a_child_can_be_signalled_from_its_data_callback", |driver| {
        let record = driver.run_with(sh("printf x; exec cat"), |process, event| {
            if matches!(event, Event::Data(..)) {
                process.signal(Signal::TERM).unwrap();
            }
        });
        let reason = record.ended().unwrap();
        assert_eq!((signal(&reason), code(&reason)), (Some(15), None));
    });
}

/// Case SG-19.
#[test]
fn a_child_whose_handles_are_dropped_runs_on_and_is_reaped() {
    isolated("a_child_whose_handles_are_dropped_runs_on_and_is_reaped", || {
        let mut driver = Driver::new();
        let (recorder, record) = Recorder::new();
        let process: Process =
            driver.handle().spawn_process(recorder, sh("sleep 0.5; exit 3")).unwrap();
        drop(process);
        driver.until("the end", WATCHDOG, || record.ended().is_some());
        assert_eq!(record.code(), 3);
        driver.finish();
    });
}

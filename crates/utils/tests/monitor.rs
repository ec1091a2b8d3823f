//! Programs that are kept running: starts, restarts, order and stops, with real children.
#![cfg(feature = "reactor")]

mod util;

use std::time::Duration;

use procession_core::{Deferred, Failed, NoError};
use procession_process_transport::{Command, Fd, FileMode};
use procession_reactor::Reactor;
use procession_utils::{
    Monitor, MonitorChange, MonitorError, MonitorEvent, Policy, ProgramRow, ProgramState, Ready,
};
use util::watched::{is, quick, start, stop, until, until_event};
use util::{
    WATCHDOG, behaviour, is_running, isolated, ms, open_fds, process_state, rss_bytes, sanitizer,
    sh,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Case MO-08.
#[test]
fn what_fails_is_started_again_and_what_succeeds_is_done() {
    behaviour("what_fails_is_started_again_and_what_succeeds_is_done", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let script = "echo try; test -e x && exit 0; touch x; exit 3";
        let flaky = sh(script).current_dir(dir.path());
        let monitor = Monitor::new().add("flaky", flaky, quick(Policy::on_failure()));
        let (running, mut events) = start(driver, monitor);
        let seen = until_event(driver, &mut events, |event| is(event, "flaky", "done"));
        let told: Vec<String> = seen.iter().map(ToString::to_string).collect();
        let kinds = [
            "started as",
            "try",
            "exited with status 3 after 0.",
            "starts again in 0.0 s",
            "started as",
            "try",
            "exited with status 0 after 0.",
            "done",
        ];
        let are_alike =
            told.iter().zip(kinds).all(|(told, kind)| told.starts_with(&format!("flaky: {kind}")));
        assert!(are_alike && told.len() == kinds.len(), "{told:?}");
        assert_eq!(seen.last().unwrap().tail, "try\ntry\n");
        driver.get(running.ended()).expect("a success");
        let row = running.table().rows.remove(0);
        assert_eq!((row.state, row.restarts, row.pid), (ProgramState::Done, 1, None));
        drop(running);
    });
}

/// Case MO-09.
#[test]
fn a_program_that_cannot_be_started_is_tried_again() {
    behaviour("a_program_that_cannot_be_started_is_tried_again", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("late");
        let monitor = Monitor::new().add("late", Command::new(&path), quick(Policy::never()));
        let (running, _) = start(driver, monitor);
        let ended = running.ended();
        let failed = driver.get(ended);
        let failed = failed.expect_err("never is once").to_string();
        assert!(failed.contains("\"late\" has failed for good: cannot execute"), "{failed}");

        let monitor = Monitor::new().add("late", Command::new(&path), quick(Policy::always()));
        let (running, mut events) = start(driver, monitor);
        for _ in 0..2 {
            let event = until(driver, &mut events, "late", "not started");
            assert!(event.ends_with("No such file or directory"), "{event}");
        }
        std::os::unix::fs::symlink("/bin/cat", &path).unwrap();
        until(driver, &mut events, "late", "started as");
        stop(driver, &running, &mut events);
    });
}

/// Case MO-10.
#[test]
fn programs_start_in_order_and_stop_in_reverse_order() {
    behaviour("programs_start_in_order_and_stop_in_reverse_order", |driver| {
        let script = "trap 'sleep 0.1; exit 0' TERM; echo up; while :; do sleep 0.01; done";
        let policy = || quick(Policy::always()).ready_when(Ready::line("up"));
        let monitor = Monitor::new()
            .add("c", sh(script), policy().after("b"))
            .add("a", sh(script), policy())
            .add("b", sh(script), policy().after("a"));
        let (running, mut events) = start(driver, monitor);
        let seen = until_event(driver, &mut events, |event| is(event, "c", "ready"));
        let order: Vec<&str> = seen
            .iter()
            .filter(|event| {
                matches!(event.change, MonitorChange::Started { .. } | MonitorChange::Ready { .. })
            })
            .map(|event| &*event.program)
            .collect();
        assert_eq!(order, ["a", "a", "b", "b", "c", "c"]);
        let told = stop(driver, &running, &mut events);
        let order: Vec<&String> = told
            .iter()
            .filter(|told| told.contains("is asked") || told.ends_with("stopped"))
            .collect();
        let expected: Vec<String> = ["c", "b", "a"]
            .iter()
            .flat_map(|name| [format!("{name}: is asked to stop"), format!("{name}: stopped")])
            .collect();
        assert_eq!(order.into_iter().cloned().collect::<Vec<_>>(), expected);
    });
}

/// Case MO-11.
#[test]
fn a_restart_follows_the_exit_and_the_rest_of_the_group_is_ended() {
    behaviour("a_restart_follows_the_exit_and_the_rest_of_the_group_is_ended", |driver| {
        // The descendant holds the output, and ignores TERM.
        let dir = tempfile::tempdir().unwrap();
        let script = "sh -c 'trap \"\" TERM; echo child $$; touch up; exec sleep 60' & \
                      while ! test -e up; do sleep 0.01; done; rm up; exit 1";
        let policy = quick(Policy::always()).stop_grace(ms(500));
        let program = sh(script).current_dir(dir.path());
        let monitor = Monitor::new().add("leaves", program, policy);
        let (running, mut events) = start(driver, monitor);
        let child = until(driver, &mut events, "leaves", "child ");
        let child: u32 = child.rsplit(' ').next().unwrap().parse().unwrap();
        until(driver, &mut events, "leaves", "exited with status 1");
        until(driver, &mut events, "leaves", "started as");
        assert!(is_running(child), "the restart did not wait for it");
        driver.until("it is killed after the grace", WATCHDOG, |_| !is_running(child));
        stop(driver, &running, &mut events);
    });
}

/// Case MO-12.
#[test]
fn a_storm_of_failures_ends_in_a_failure_for_good_until_somebody_asks() {
    behaviour("a_storm_of_failures_ends_in_a_failure_for_good_until_somebody_asks", |driver| {
        let policy = quick(Policy::always()).give_up_after(3, Duration::from_secs(60));
        let monitor = Monitor::new().add("storm", sh("echo why >&2; exit 4"), policy);
        let (running, mut events) = start(driver, monitor);
        let seen = until_event(driver, &mut events, |event| is(event, "storm", "failed too often"));
        let starts = seen.iter().filter(|event| is(event, "storm", "started")).count();
        assert_eq!(starts, 3);
        let error = driver.get(running.ended()).unwrap_err().to_string();
        assert!(
            error.contains(
                "\"storm\" has failed for good: too many failures: exited with status 4 after 0."
            ),
            "{error}"
        );
        assert!(error.ends_with(" s: why | why | why"), "{error}");
        running.start("storm").unwrap();
        until(driver, &mut events, "storm", "failed too often");
        stop(driver, &running, &mut events);
    });
}

/// Case MO-13.
#[test]
fn a_start_that_takes_too_long_is_ended_and_tried_again() {
    behaviour("a_start_that_takes_too_long_is_ended_and_tried_again", |driver| {
        let policy =
            quick(Policy::on_failure()).ready_when(Ready::line("never")).start_timeout(ms(100));
        let monitor = Monitor::new().add("slow", sh("echo loading; exec sleep 60"), policy);
        let (running, mut events) = start(driver, monitor);
        let seen = until_event(driver, &mut events, |event| is(event, "slow", "not ready in time"));
        assert_eq!(seen.last().unwrap().tail, "loading\n");
        until(driver, &mut events, "slow", "ended by signal 15 (SIGTERM)");
        until(driver, &mut events, "slow", "started as");
        stop(driver, &running, &mut events);
    });
}

/// Case MO-14.
#[test]
fn a_reload_restarts_the_changed_starts_the_new_stops_the_missing_and_leaves_the_rest() {
    let name = "a_reload_restarts_the_changed_starts_the_new_stops_the_missing_and_leaves_the_rest";
    behaviour(name, |driver| {
        let wait = || sh("exec sleep 60");
        let policy = || quick(Policy::always());
        let before = Monitor::new()
            .add("stays", wait(), policy())
            .add("changes", wait(), policy())
            .add("follows", wait(), policy().after("changes"))
            .add("goes", wait(), policy());
        let (running, mut events) = start(driver, before);
        let pid = |name: &str| running.table().row(name).and_then(|row| row.pid);
        until(driver, &mut events, "goes", "started");
        until(driver, &mut events, "follows", "started");
        let old = ["stays", "changes", "follows"].map(pid);
        let new = Monitor::new()
            .add("stays", wait(), policy().stop_grace(ms(70)))
            .add("changes", wait().env("A", "1"), policy())
            .add("follows", wait(), policy().after("changes"))
            .add("comes", wait(), policy());
        let wrong = running.reload(Monitor::new().add("stays", wait(), policy().after("nobody")));
        assert!(matches!(wrong, Err(MonitorError::UnknownDependency { .. })));
        running.reload(new).unwrap();
        let seen = until_event(driver, &mut events, |event| is(event, "follows", "started"));
        let told: Vec<String> = seen.iter().map(ToString::to_string).collect();
        let at = |text: &str| told.iter().position(|told| told.starts_with(text)).expect(text);
        assert!(at("follows: ended by") < at("changes: is asked"));
        assert!(at("changes: started") < at("follows: started"));
        driver.until("it has gone", WATCHDOG, |_| running.table().row("goes").is_none());
        let new = ["stays", "changes", "follows"].map(pid);
        assert!(old[0] == new[0] && old[1] != new[1] && old[2] != new[2], "{old:?} {new:?}");
        assert!(pid("comes").is_some());
        assert!(matches!(running.start("goes"), Err(MonitorError::Unknown { .. })));
        stop(driver, &running, &mut events);
        assert!(matches!(running.start("stays"), Err(MonitorError::Stopped)));
    });
}

/// Case MO-15.
#[test]
fn verbs_stop_start_and_restart_one_program() {
    behaviour("verbs_stop_start_and_restart_one_program", |driver| {
        let monitor = Monitor::new().add("a", sh("exec sleep 60"), quick(Policy::always())).add(
            "b",
            sh("exec sleep 60"),
            quick(Policy::always()).after("a"),
        );
        let (running, mut events) = start(driver, monitor);
        let pid = |name: &str| running.table().row(name).and_then(|row| row.pid);
        until(driver, &mut events, "b", "started");
        let b = pid("b");
        running.stop("a").unwrap();
        until(driver, &mut events, "a", "stopped");
        assert_eq!((pid("a"), pid("b")), (None, b), "what comes after it runs on");
        running.stop("a").unwrap();
        running.start("a").unwrap();
        until(driver, &mut events, "a", "started");
        let a = pid("a");
        running.start("a").unwrap();
        assert_eq!(pid("a"), a, "a start of what runs does nothing");
        running.restart("a").unwrap();
        until(driver, &mut events, "a", "started");
        assert!(pid("a").is_some() && pid("a") != a && pid("b") == b);
        for unknown in [running.start("nobody"), running.stop("nobody"), running.restart("nobody")]
        {
            let unknown = unknown.unwrap_err().to_string();
            assert_eq!(unknown, "the monitor has no program \"nobody\"");
        }
        stop(driver, &running, &mut events);
    });
}

/// Case MO-16.
#[test]
fn a_drop_of_the_future_and_a_stop_of_the_reactor_end_all_in_reverse_order() {
    let name = "a_drop_of_the_future_and_a_stop_of_the_reactor_end_all_in_reverse_order";
    behaviour(name, |driver| {
        let dir = tempfile::tempdir().unwrap();
        let script = "trap 'sleep 0.1; echo $NAME >>log; exit 0' TERM; touch $NAME; while :; do sleep 0.01; done";
        let program = |name: &str| sh(script).env("NAME", name).current_dir(dir.path());
        let path = |name: &str| dir.path().join(name);
        let monitor = || {
            Monitor::new()
                .add("a", program("a"), quick(Policy::always()).ready_when(Ready::file(path("a"))))
                .add(
                    "b",
                    program("b"),
                    quick(Policy::always()).after("a").ready_when(Ready::file(path("b"))),
                )
        };
        let log = || std::fs::read_to_string(path("log")).unwrap_or_default();
        let until_up = |name: &str| path(name).exists();

        let task = driver.reactor.spawn_local(monitor().run());
        driver.until("both are up", WATCHDOG, |_| until_up("b"));
        task.cancel();
        driver.until_no_children(WATCHDOG);
        assert_eq!(log(), "b\na\n");

        for file in ["a", "b", "log"] {
            std::fs::remove_file(path(file)).unwrap();
        }
        let handle = driver.reactor.handle();
        let b = path("b");
        let watch = driver.reactor.call_every(ms(10), move |_, _| {
            if b.exists() {
                handle.stop();
            }
        });
        let stopped = driver.reactor.run_until(monitor().run());
        assert!(matches!(stopped, Err(procession_reactor::Stopped::Called)), "{stopped:?}");
        drop(watch);
        assert_eq!(log(), "b\na\n", "the shutdown has waited, and kept the order");
        assert!(util::children().is_empty());
    });
}

/// Case MO-17.
#[test]
fn a_program_that_ignores_the_signal_is_killed_after_its_grace() {
    behaviour("a_program_that_ignores_the_signal_is_killed_after_its_grace", |driver| {
        let policy = quick(Policy::always()).stop_grace(ms(100));
        let script = "trap '' TERM; echo up; while :; do sleep 0.01; done";
        let monitor = Monitor::new().add("deaf", sh(script), policy);
        let (running, mut events) = start(driver, monitor);
        until(driver, &mut events, "deaf", "up");
        let told = stop(driver, &running, &mut events);
        assert!(
            told.iter().any(|told| told.starts_with("deaf: ended by signal 9 (SIGKILL)")),
            "{told:?}"
        );
    });
}

/// Case MO-18.
#[test]
fn a_wrong_monitor_has_a_typed_error_before_anything_starts() {
    let always = Policy::always;
    let one = |policy| Monitor::new().add("a", "true", policy);
    let text = |monitor: Monitor| monitor.check().unwrap_err().to_string();
    assert!(Monitor::new().check().is_ok() && one(always()).check().is_ok());
    let named = |name: &str| Monitor::new().add(name, "true", always());
    for name in ["", "a\nb", "\u{7}", &"x".repeat(101)] {
        assert!(matches!(named(name).check(), Err(MonitorError::Name { .. })), "{name:?}");
    }
    assert!(named(&"x".repeat(100)).check().is_ok());
    assert_eq!(text(one(always()).add("a", "true", always())), "two programs have the name \"a\"");
    assert_eq!(
        text(one(always().after("x"))),
        "\"a\" comes after \"x\", which is no program of this monitor"
    );
    let circle = "these programs come after each other in a circle: ";
    assert_eq!(text(one(always().after("a"))), format!("{circle}a after a"));
    let three = Monitor::new()
        .add("z", "true", always().after("a"))
        .add("a", "true", always().after("b"))
        .add("b", "true", always().after("c").after("free"))
        .add("c", "true", always().after("a"))
        .add("free", "true", always());
    assert_eq!(text(three), format!("{circle}a after b after c after a"));
    let wrong = [
        always().backoff(ms(2), ms(1)),
        always().backoff(Duration::ZERO, ms(1)),
        always().give_up_after(0, ms(1)),
        always().start_timeout(ms(1)),
        always().start_timeout(Duration::ZERO).ready_when(Ready::tcp(1)),
        always().give_up_after(3, Duration::ZERO),
    ];
    // None of these can ever come about.
    let never = [
        Ready::tcp(0),
        Ready::unix(""),
        Ready::unix("/".repeat(108)),
        Ready::file(""),
        Ready::file("a\0b"),
        Ready::line("a\nb"),
        Ready::fd(2),
        Ready::fd(-1),
    ];
    let never = never.map(|ready| always().ready_when(ready));
    for policy in wrong.into_iter().chain(never) {
        let error = one(policy.clone()).check().unwrap_err();
        assert!(matches!(error, MonitorError::Policy { .. }), "{policy:?}");
        assert_eq!(error.program(), Some("a"));
    }
}

/// Case MO-36.
#[test]
fn a_failure_names_its_cause_and_the_longest_pause_is_no_panic() {
    behaviour("a_failure_names_its_cause_and_the_longest_pause_is_no_panic", |driver| {
        let late = Policy::never().ready_when(Ready::line("x")).start_timeout(ms(50));
        let (running, _) = start(driver, Monitor::new().add("a", sh("exec sleep 60"), late));
        let error = driver.get(running.ended()).unwrap_err().error().unwrap().to_string();
        assert!(
            error.contains("not ready after 0.") && error.contains("ended by signal 15 (SIGTERM)"),
            "{error}"
        );

        let storm = quick(Policy::always()).give_up_after(2, WATCHDOG);
        let (running, _) = start(driver, Monitor::new().add("a", sh("exit 0"), storm));
        let error = driver.get(running.ended()).unwrap_err().error().unwrap().to_string();
        assert!(error.contains("too many failures: exited with status 0"), "{error}");

        // A quarter more than the longest time is no time.
        for _ in 0..20 {
            let policy = Policy::always().backoff(Duration::MAX, Duration::MAX);
            let (running, mut events) = start(driver, Monitor::new().add("a", "false", policy));
            let is_pause =
                |event: &MonitorEvent| matches!(event.change, MonitorChange::Pausing { .. });
            driver.until("it pauses", WATCHDOG, |_| {
                std::iter::from_fn(|| events.try_next()).any(|event| is_pause(&event))
            });
            driver.get(running.shutdown()).unwrap();
        }
    });
}

/// Case MO-38.
#[test]
fn a_handle_that_outlives_its_reactor_waits_for_nothing() {
    isolated("a_handle_that_outlives_its_reactor_waits_for_nothing", || {
        let reactor = Reactor::new().unwrap();
        let monitor = Monitor::new().add("a", sh("exec sleep 60"), quick(Policy::always()));
        let running = monitor.start_on(&reactor).unwrap();
        let (ended, mut events) = (running.ended(), running.events());
        drop(reactor);
        assert!(matches!(ended.try_take(), Some(Err(Failed::Abandoned))));
        assert!(matches!(running.ended().try_take(), Some(Err(Failed::Abandoned))));
        for mut stream in [running.events(), {
            while events.try_next().is_some() {}
            events
        }] {
            assert_eq!(futures_lite::future::block_on(stream.next()).map(drop), None);
        }
    });
}

/// Case MO-37.
#[test]
fn waits_and_streams_that_are_dropped_cost_nothing() {
    behaviour("waits_and_streams_that_are_dropped_cost_nothing", |driver| {
        let monitor = Monitor::new().add("a", sh("exec sleep 60"), quick(Policy::never()));
        let (running, _) = start(driver, monitor);
        let grown = || {
            let before = rss_bytes();
            for _ in 0..100_000 {
                drop(running.ended());
                drop(running.events());
            }
            rss_bytes().saturating_sub(before)
        };
        grown();
        let grown = grown();
        assert!(grown < 4 << 20, "{grown} bytes");
        driver.get(running.shutdown()).unwrap();
    });
}

/// Case MO-19.
#[test]
fn a_stream_that_nobody_reads_is_bounded_and_counts_what_it_discards() {
    behaviour("a_stream_that_nobody_reads_is_bounded_and_counts_what_it_discards", |driver| {
        let monitor = Monitor::new().add("loud", sh("exec seq 5000"), quick(Policy::never()));
        let (running, mut events) = start(driver, monitor);
        driver.get(running.ended()).unwrap();
        let first = events.try_next().unwrap();
        let rest = std::iter::from_fn(|| events.try_next()).count();
        assert_eq!(rest, 1023);
        // Started, exited and done beside the lines.
        assert_eq!(first.skipped, 5003 - 1024);
        drop(running);
    });
}

/// Case MO-21.
#[test]
fn events_end_with_a_stop_also_when_everything_has_ended_before() {
    behaviour("events_end_with_a_stop_also_when_everything_has_ended_before", |driver| {
        let monitor = || Monitor::new().add("short", "true", Policy::never());
        for drops in [false, true] {
            let (running, mut events) = start(driver, monitor());
            until(driver, &mut events, "short", "done");
            driver.get(running.ended()).expect("a success");
            if drops {
                drop(running);
            } else {
                stop(driver, &running, &mut events);
            }
            let (promise, end) = Deferred::<bool, NoError>::new();
            let look = async move {
                promise.complete(Ok(events.next().await.is_none()));
            };
            let _look = driver.reactor.spawn_local(look);
            assert!(driver.get(end).expect("it comes"));
        }
    });
}

/// Case MO-22.
#[test]
fn what_a_program_wrote_before_its_end_comes_before_the_end_of_the_events() {
    let name = "what_a_program_wrote_before_its_end_comes_before_the_end_of_the_events";
    behaviour(name, |driver| {
        // 64 KB, which a pipe takes while nobody reads.
        let script = "i=0; while [ $i -lt 900 ]; do i=$((i+1)); echo $i-$PADDING; done";
        let program = sh(script).env("PADDING", "x".repeat(66));
        let monitor = Monitor::new().add("writes", program, quick(Policy::never()));
        let (running, mut events) = start(driver, monitor);
        let pid = || running.table().rows[0].pid;
        driver.until("it has started", WATCHDOG, |_| pid().is_some());
        let pid = pid().expect("it has started");
        while process_state(pid) != 'Z' {
            std::thread::yield_now();
        }
        driver.get(running.ended()).expect("a success");
        let told = stop(driver, &running, &mut events);
        let lines = told.iter().filter(|told| told.contains("-xxx")).count();
        assert_eq!(lines, 900);
    });
}

/// Case MO-34.
#[test]
fn a_thousand_programs_start_and_stop_on_a_small_stack() {
    behaviour("a_thousand_programs_start_and_stop_on_a_small_stack", |driver| {
        // Each start that succeeds or fails makes the next one due.
        // These fail without a process, so that their number takes no time.
        let file = || Fd::file("/no/such/file", FileMode::Read);
        let missing = |index: usize| {
            (format!("missing {index}"), Command::new("/bin/true").child_fd(3, file()))
        };
        let bare = |index: usize| {
            let program = Command::new("/bin/true").stdout(Fd::null()).stderr(Fd::null());
            (format!("true {index}"), program)
        };
        let programs = (0..1000).map(missing).chain((0..100).map(bare));
        let add = |monitor: Monitor, (name, program): (String, Command)| {
            monitor.add(name, program, Policy::always().backoff(HOUR, HOUR))
        };
        let (running, mut events) = start(driver, programs.fold(Monitor::new(), add));
        let pauses = |row: &ProgramRow| row.state == ProgramState::Pausing;
        // The more of the others there are, the longer they may take altogether.
        for many in (1000..=1100).step_by(10) {
            driver.until("ten more pause", WATCHDOG, |_| {
                running.table().rows.iter().filter(|row| pauses(row)).count() >= many
            });
        }
        let told = stop(driver, &running, &mut events);
        assert_eq!(told.iter().filter(|told| told.ends_with(": stopped")).count(), 1024);
    });
}

/// Case MO-35.
#[test]
fn a_program_takes_little_memory_three_descriptors_and_no_wake_up() {
    behaviour("a_program_takes_little_memory_three_descriptors_and_no_wake_up", |driver| {
        const PROGRAMS: usize = 200;
        let add = |monitor: Monitor, index: usize| {
            let program = Command::new("sleep").arg("600");
            monitor.add(index.to_string(), program, quick(Policy::always()))
        };
        let plan = (0..PROGRAMS).fold(Monitor::new(), add);
        let (rss, fds) = (rss_bytes(), open_fds().len());
        let (running, mut events) = start(driver, plan);
        let runs = |row: &ProgramRow| row.state == ProgramState::Running;
        driver.until("all run", WATCHDOG, |_| running.table().rows.iter().all(runs));
        while events.try_next().is_some() {}
        // What the starts have queued is done in some turns that do not wait.
        for _ in 0..10 {
            driver.reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        let each = rss_bytes().saturating_sub(rss) / PROGRAMS;
        assert!(each < 10 * 1024 || sanitizer().is_some(), "{each} bytes for each program");
        assert_eq!(open_fds().len() - fds, 3 * PROGRAMS);
        let begun = driver.reactor.now();
        driver.reactor.turn(Some(ms(700))).unwrap();
        assert!(driver.reactor.now() - begun >= ms(700), "nothing wakes the loop");
        stop(driver, &running, &mut events);
    });
}

/// Case MO-20.
#[test]
fn long_lines_are_cut_and_say_so() {
    behaviour("long_lines_are_cut_and_say_so", |driver| {
        let script = "head -c 100000 /dev/zero | tr '\\0' x; echo; echo next";
        let monitor = Monitor::new().add("long", sh(script), quick(Policy::never()));
        let (_running, mut events) = start(driver, monitor);
        let seen = until_event(driver, &mut events, |event| is(event, "long", "next"));
        let line = seen.iter().find_map(|event| match &event.change {
            MonitorChange::Line(line) => Some(line),
            _ => None,
        });
        assert!(line.is_some_and(|line| line.len() == 16_384 && line.is_cut()));
        assert_eq!(seen.last().unwrap().tail, "");
        until(driver, &mut events, "long", "done");
    });
}

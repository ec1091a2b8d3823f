//! Fakes and real children follow one grammar of events: the same scenario, played by either, gives
//! the same events. The recorder checks the grammar on every event. These tests compare the events.
#![cfg(feature = "reactor")]

mod util;

use procession_core::Signal;
use procession_process_transport::{Command, Fd};
use procession_protocol::{ExitReason, FakeFd, FakeProcess, Process, ProcessDone};

use crate::util::{Event, PROBE, Record, Recorder, WATCHDOG, behaviour, ms, sh};

/// A program's action in its callbacks.
type Hook = fn(&Process, &Event);

/// One scenario, as a script for a real child and as a script for a fake one.
struct Scenario {
    name: &'static str,
    command: fn() -> Command,
    play: fn(&mut FakeProcess),
    hook: Hook,
}

/// Does nothing.
fn passive(_: &Process, _: &Event) {}

/// Writes a line at the beginning and closes the input.
fn talk(process: &Process, event: &Event) {
    if *event == Event::Made {
        process.write("line\n");
        process.close_stdin();
    }
}

const SCENARIOS: [Scenario; 12] = [
    Scenario {
        name: "exits at once",
        command: || sh("exit 3"),
        play: |fake| fake.exit(3),
        hook: passive,
    },
    Scenario {
        name: "talks and succeeds",
        command: || sh("read x; echo \"$x\"; echo err >&2"),
        play: |fake| {
            assert_eq!(fake.written(0), "line\n");
            fake.child_writes(1, "line\n");
            fake.child_writes(2, "err\n");
            fake.exit(0);
        },
        hook: talk,
    },
    Scenario {
        name: "exits before its pipes end",
        command: || sh("(sleep 0.1; echo late) & exit 4"),
        play: |fake| {
            fake.reap(Err(procession_protocol::ProcessTerminated::exited(4)));
            fake.child_closes(0);
            fake.child_writes(1, "late\n");
            fake.child_closes(1);
            fake.child_closes(2);
        },
        hook: passive,
    },
    Scenario {
        name: "closes its pipes long before its exit",
        command: || sh("echo x; exec <&- >&- 2>&-; sleep 0.1; exit 5"),
        play: |fake| {
            fake.child_writes(1, "x\n");
            fake.child_closes(0);
            fake.child_closes(1);
            fake.child_closes(2);
            fake.exit(5);
        },
        hook: passive,
    },
    Scenario {
        name: "dies by a signal",
        command: || sh("echo x; kill -KILL $$"),
        play: |fake| {
            fake.child_writes(1, "x\n");
            fake.exit_by_signal(Signal::KILL);
        },
        hook: passive,
    },
    Scenario {
        name: "is lost in made",
        command: || sh("cat >/dev/null"),
        play: |fake| fake.exit(0),
        hook: |process, event| {
            if *event == Event::Made {
                process.lose_connection();
            }
        },
    },
    Scenario {
        name: "is aborted at its data",
        command: || sh("echo x; cat >/dev/null; exit 6"),
        play: |fake| {
            fake.child_writes(1, "x\n");
            assert!(fake.is_closed(0) && fake.is_closed(1));
            fake.child_writes(1, "nobody hears it\n");
            fake.exit(6);
        },
        hook: |process, event| {
            if matches!(event, Event::Data(..)) {
                process.abort_connection(0);
                process.abort_connection(1);
            }
        },
    },
    Scenario {
        name: "is paused until its exit",
        command: || sh("echo x; exit 0"),
        play: |fake| {
            fake.child_writes(1, "x\n");
            fake.exit(0);
        },
        hook: |process, event| match event {
            Event::Made => process.pause_all(),
            Event::Exited(_) => process.resume_all(),
            _ => {}
        },
    },
    Scenario {
        name: "ends one direction of a socketpair",
        command: || {
            let script = format!("printf x >&5; {PROBE} shutdown 5; read x <&5; echo \"$x\"");
            sh(&script).child_fd(5, Fd::socketpair())
        },
        play: |fake| {
            fake.child_writes(5, "x");
            fake.child_shuts_down(5);
            assert_eq!(fake.written(5), "answer\n");
            fake.child_writes(1, "answer\n");
            fake.exit(0);
        },
        hook: |process, event| {
            if *event == Event::ReadClosed(5) {
                process.write_to_child(5, "answer\n").expect("it is half open");
            }
        },
    },
    Scenario {
        name: "is written past the mark",
        command: || sh("sleep 0.05; head -c 100000 >/dev/null; echo done"),
        play: |fake| {
            fake.child_writes(1, "done\n");
            fake.exit(0);
        },
        hook: |process, event| match event {
            Event::Made => process.write(vec![0; 100_000]),
            Event::Drained(_) => process.close_stdin(),
            _ => {}
        },
    },
    Scenario {
        name: "is cut off",
        command: || sh("sleep 2 & echo x; exit 0").drain_after_exit(ms(50)),
        play: |fake| {
            fake.set_drain_after_exit(Some(ms(50)));
            fake.child_writes(1, "x\n");
            fake.child_closes(0);
            fake.reap(Ok(ProcessDone::default()));
            fake.clock().clone().advance(ms(50));
        },
        hook: passive,
    },
    Scenario {
        name: "has nothing to say after the end",
        command: || sh("exit 0"),
        play: |fake| fake.exit(0),
        hook: |process, event| {
            if matches!(event, Event::Ended(_)) {
                process.close_all();
                process.write("x");
                process.resume_all();
                assert!(process.signal(Signal::TERM).is_err() && process.pid().is_none());
            }
        },
    },
];

/// The facts that must be equal for a fake and a real child: the data of each fd, the lost fds, the
/// counts of the other events, and the reason with its held fds.
#[derive(Debug, PartialEq)]
struct EventSummary {
    outputs: [Vec<u8>; 3],
    lost: Vec<i32>,
    counts: [usize; 5],
    reason: (Option<i32>, Option<i32>, Vec<i32>),
}

fn summary(record: &Record) -> EventSummary {
    let count = |like: fn(&Event) -> bool| record.count(like);
    let reason: ExitReason = record.ended().unwrap_or_else(|| panic!("no end:\n{record:?}"));
    let held = match &reason {
        Ok(done) => done.held_fds(),
        Err(terminated) => terminated.held_fds(),
    };
    EventSummary {
        outputs: [1, 2, 5].map(|fd| record.data(fd)),
        lost: record.lost(),
        counts: [
            count(|event| matches!(event, Event::Full(_))),
            count(|event| matches!(event, Event::Drained(_))),
            count(|event| matches!(event, Event::ReadClosed(_))),
            count(|event| matches!(event, Event::Exited(_))),
            count(|event| matches!(event, Event::Ended(_))),
        ],
        reason: (
            util::code(&reason),
            util::signal(&reason),
            held.iter().map(|fd| fd.as_raw()).collect(),
        ),
    }
}

fn fake(scenario: &Scenario) -> Record {
    let (recorder, record) = Recorder::with(scenario.hook);
    let mut fds = vec![(0, FakeFd::ToChild), (1, FakeFd::FromChild), (2, FakeFd::FromChild)];
    if scenario.name.contains("socketpair") {
        fds.push((5, FakeFd::Socketpair));
    }
    let mut fake = FakeProcess::with_fds(recorder, fds);
    (scenario.play)(&mut fake);
    assert!(fake.is_ended(), "{}", scenario.name);
    record
}

#[test]
fn a_fake_and_a_real_child_report_the_same_events() {
    behaviour("a_fake_and_a_real_child_report_the_same_events", |driver| {
        for scenario in &SCENARIOS {
            let child = driver.spawn_with((scenario.command)(), scenario.hook);
            driver.until(scenario.name, WATCHDOG, || child.record.ended().is_some());
            assert_eq!(summary(&fake(scenario)), summary(&child.record), "{}", scenario.name);
        }
    });
}

/// The child is dead before the loop runs. Only a real child can be.
#[test]
fn a_child_that_is_dead_before_the_loop_runs_reports_the_same_events() {
    behaviour("a_child_that_is_dead_before_the_loop_runs_reports_the_same_events", |driver| {
        for scenario in &SCENARIOS[..2] {
            let child = driver.spawn_with((scenario.command)(), scenario.hook);
            if scenario.name == "exits at once" {
                util::sys::wait_until_zombie(child.process.pid().unwrap());
            }
            driver.drive_to_end(&child.record);
            assert_eq!(summary(&fake(scenario)), summary(&child.record), "{}", scenario.name);
        }
    });
}

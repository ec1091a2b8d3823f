//! The lifecycle of a child against a model: every interleaving of few facts, and long random ones.

use std::time::Duration;

use bytes::Bytes;
use procession_core::Mark;
use procession_protocol::driver::{DataNow, Lifecycle};
use procession_protocol::{ChildFd, Event, ExitReason, ProcessDone, ProcessTerminated};
use proptest::prelude::*;

const PIPES: [i32; 2] = [1, 3];
const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fact {
    Data(i32),
    ReadClosed(i32),
    Mark(i32),
    Closed(i32),
    Reaped(i32),
}

fn facts() -> Vec<Fact> {
    let mut facts = vec![Fact::Reaped(0), Fact::Reaped(7), Fact::Closed(99)];
    for fd in PIPES {
        facts.extend([Fact::Data(fd), Fact::ReadClosed(fd), Fact::Mark(fd), Fact::Closed(fd)]);
    }
    facts
}

fn reason(code: i32) -> ExitReason {
    if code == 0 { Ok(ProcessDone::default()) } else { Err(ProcessTerminated::exited(code)) }
}

fn pipes() -> impl Iterator<Item = ChildFd> {
    PIPES.into_iter().map(ChildFd::from)
}

fn apply(child: &mut Lifecycle, fact: Fact) {
    match fact {
        Fact::Data(fd) => drop(child.on_data(fd.into(), Bytes::from_static(b"x"))),
        Fact::ReadClosed(fd) => child.on_read_closed(fd.into()),
        Fact::Mark(fd) => child.on_mark(fd.into(), Mark::Drained),
        Fact::Closed(fd) => child.on_pipe_closed(fd.into()),
        Fact::Reaped(code) => child.on_reaped(reason(code), Duration::ZERO),
    }
}

fn events(child: &mut Lifecycle) -> Vec<Event> {
    std::iter::from_fn(|| child.poll_event()).collect()
}

/// Returns the events that are due after a whole history: each fact counts by the facts before it.
fn model(history: &[Fact]) -> Vec<Event> {
    let mut expected = vec![Event::Made];
    for (at, fact) in history.iter().enumerate() {
        let before = &history[..at];
        let closed = |fd: i32| before.contains(&Fact::Closed(fd)) || !PIPES.contains(&fd);
        let reap = before.iter().find_map(|fact| match fact {
            Fact::Reaped(code) => Some(*code),
            _ => None,
        });
        let ended = |history: &[Fact]| {
            PIPES.iter().all(|fd| history.contains(&Fact::Closed(*fd)))
                && history.iter().any(|fact| matches!(fact, Fact::Reaped(_)))
        };
        let read_closed = |fd| before.contains(&Fact::ReadClosed(fd));
        match *fact {
            Fact::Data(fd) if !closed(fd) && !read_closed(fd) => {
                expected.push(Event::Data(fd.into(), Bytes::from_static(b"x")));
            }
            Fact::ReadClosed(fd) if !closed(fd) && !read_closed(fd) => {
                expected.push(Event::ReadClosed(fd.into()));
            }
            Fact::Mark(fd) if !closed(fd) => expected.push(Event::Mark(fd.into(), Mark::Drained)),
            Fact::Closed(fd) if !closed(fd) => expected.push(Event::Lost(fd.into())),
            Fact::Reaped(code) if reap.is_none() => expected.push(Event::Exited(reason(code))),
            _ => continue,
        }
        if ended(&history[..=at]) && !ended(before) {
            let first = history.iter().find_map(|fact| match fact {
                Fact::Reaped(code) => Some(reason(*code)),
                _ => None,
            });
            expected.extend(first.map(Event::Ended));
        }
    }
    expected
}

/// Checks the guarantees of the contract on the events alone.
fn check_grammar(events: &[Event]) {
    assert_eq!(events.first(), Some(&Event::Made));
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| *event == Event::Made), 1);
    assert!(count(|event| matches!(event, Event::Exited(_))) <= 1);
    assert!(count(|event| matches!(event, Event::Ended(_))) <= 1);
    if let Some(at) = events.iter().position(|event| matches!(event, Event::Ended(_))) {
        assert_eq!(at, events.len() - 1, "ended is last");
        assert_eq!(count(|event| matches!(event, Event::Exited(_))), 1);
        assert_eq!(count(|event| matches!(event, Event::Lost(_))), PIPES.len());
    }
    for fd in pipes() {
        let mine = events.iter().filter(|event| match event {
            Event::Data(of, _) | Event::Mark(of, _) | Event::ReadClosed(of) | Event::Lost(of) => {
                *of == fd
            }
            _ => false,
        });
        let mine: Vec<_> = mine.collect();
        if let Some(at) = mine.iter().position(|event| **event == Event::Lost(fd)) {
            assert_eq!(at, mine.len() - 1, "nothing comes after the one loss of a pipe");
        }
        if let Some(at) = mine.iter().position(|event| **event == Event::ReadClosed(fd)) {
            assert!(!mine[at..].iter().any(|event| matches!(event, Event::Data(..))));
        }
    }
}

#[test]
fn every_interleaving_of_up_to_five_facts_gives_what_the_model_says() {
    let alphabet = facts();
    let mut histories: Vec<Vec<Fact>> = vec![Vec::new()];
    for _ in 0..5 {
        let longer = histories.iter().flat_map(|history| {
            alphabet.iter().map(|fact| [history.as_slice(), &[*fact]].concat())
        });
        histories = longer.collect();
        for history in &histories {
            let mut child = Lifecycle::new(pipes(), None);
            for fact in history {
                apply(&mut child, *fact);
            }
            let found = events(&mut child);
            assert_eq!(found, model(history), "{history:?}");
            assert_eq!(delivered_at_once(history), found, "{history:?}");
            check_grammar(&found);
        }
    }
}

/// Returns the events of a driver that delivers after each fact, and data at once.
fn delivered_at_once(history: &[Fact]) -> Vec<Event> {
    let mut child = Lifecycle::new(pipes(), None);
    let mut told = events(&mut child);
    for fact in history {
        match *fact {
            Fact::Data(fd) => match child.on_data_now(fd.into(), Bytes::from_static(b"x")) {
                DataNow::Due(data) => told.push(Event::Data(fd.into(), data)),
                DataNow::Queued => panic!("nothing was due before"),
                DataNow::Refused(_) => {}
            },
            fact => apply(&mut child, fact),
        }
        told.extend(events(&mut child));
    }
    told
}

#[test]
fn data_wait_for_events_that_are_due_before_them() {
    let mut child = Lifecycle::new(pipes(), None);
    let fd = ChildFd::from(PIPES[0]);
    let data = |text: &'static str| Bytes::from_static(text.as_bytes());
    assert!(child.has_event());
    assert_eq!(child.on_data_now(fd, data("one")), DataNow::Queued);
    let due = events(&mut child);
    assert_eq!(due, [Event::Made, Event::Data(fd, data("one"))]);
    assert!(!child.has_event());
    assert_eq!(child.on_data_now(fd, data("two")), DataNow::Due(data("two")));
    assert_eq!(child.on_data_now(fd, Bytes::new()), DataNow::Refused(Bytes::new()));
    drop(child.on_panicked());
    assert_eq!(child.on_data_now(fd, data("late")), DataNow::Refused(data("late")));
    assert!(!child.has_event());
}

#[test]
fn polling_between_facts_changes_nothing() {
    let history = [
        Fact::Data(1),
        Fact::Reaped(7),
        Fact::Mark(3),
        Fact::Closed(1),
        Fact::Data(1),
        Fact::ReadClosed(3),
        Fact::Data(3),
        Fact::Closed(3),
        Fact::Closed(3),
        Fact::Reaped(0),
    ];
    let mut child = Lifecycle::new(pipes(), None);
    let mut found = events(&mut child);
    for fact in history {
        apply(&mut child, fact);
        found.extend(events(&mut child));
    }
    assert_eq!(found, model(&history));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Fact(Fact),
    Time(u64),
    Pause(i32),
    Resume(i32),
    Drain,
    Panic,
}

fn step() -> impl Strategy<Value = Step> {
    let fd = prop::sample::select(PIPES.to_vec());
    prop_oneof![
        8 => prop::sample::select(facts()).prop_map(Step::Fact),
        4 => (0_u64..4).prop_map(Step::Time),
        1 => fd.clone().prop_map(Step::Pause),
        2 => fd.prop_map(Step::Resume),
        3 => Just(Step::Drain),
    ]
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn long_histories_agree_with_the_model(
        history in prop::collection::vec(prop::sample::select(facts()), 0..40)
    ) {
        let mut child = Lifecycle::new(pipes(), None);
        for fact in &history {
            apply(&mut child, *fact);
        }
        let found = events(&mut child);
        prop_assert_eq!(&found, &model(&history));
        check_grammar(&found);
    }

    #[test]
    fn pipes_are_cut_off_once_after_the_deadline_and_named_in_the_reason(
        steps in prop::collection::vec(step(), 0..60)
    ) {
        let mut child = Lifecycle::new(pipes(), Some(GRACE));
        let mut now = Duration::ZERO;
        let mut deadline = None;
        let mut reap = None;
        let mut paused = Vec::new();
        let mut cut = Vec::new();
        let mut found = events(&mut child);
        for step in steps {
            match step {
                Step::Fact(Fact::Reaped(code)) => {
                    child.on_reaped(reason(code), now);
                    if reap.is_none() {
                        reap = Some(code);
                        deadline = Some(now + GRACE);
                    }
                }
                Step::Fact(fact) => apply(&mut child, fact),
                Step::Time(seconds) => {
                    now += Duration::from_secs(seconds);
                    child.on_time(now);
                }
                Step::Pause(fd) => {
                    child.on_paused(fd.into());
                    paused.push(ChildFd::from(fd));
                }
                Step::Resume(fd) => {
                    child.on_resumed(fd.into());
                    paused.retain(|paused| *paused != fd);
                }
                Step::Drain => while let Some(fd) = child.poll_drain() {
                    prop_assert!(deadline.is_some_and(|deadline| now >= deadline));
                    prop_assert!(child.is_open(fd) && !paused.contains(&fd) && !cut.contains(&fd));
                    cut.push(fd);
                    child.on_pipe_closed(fd);
                },
                Step::Panic => {}
            }
            found.extend(events(&mut child));
            if child.is_ended() {
                prop_assert_eq!(child.poll_deadline(), None);
            } else if let Some(due) = child.poll_deadline() {
                prop_assert_eq!(Some(due), deadline);
            }
        }
        check_grammar(&found);
        if let Some(Event::Ended(last)) = found.last() {
            let code = reap.expect("an end comes after a reap");
            prop_assert_eq!(last, &Lifecycle::with_held_fds(reason(code), cut));
        }
        // Every reaped child ends, once its pipes are resumed and the time has passed.
        for fd in pipes() {
            child.on_resumed(fd);
        }
        child.on_reaped(reason(0), now);
        child.on_time(now + GRACE + GRACE);
        while let Some(fd) = child.poll_drain() {
            child.on_pipe_closed(fd);
        }
        prop_assert!(child.is_ended());
    }

    #[test]
    fn after_a_panic_there_is_no_event_and_the_end_is_still_counted(
        before in prop::collection::vec(step(), 0..10),
        after in prop::collection::vec(prop::sample::select(facts()), 0..20)
    ) {
        let mut child = Lifecycle::new(pipes(), None);
        for step in before.into_iter().chain([Step::Panic]) {
            match step {
                Step::Fact(fact) => apply(&mut child, fact),
                Step::Panic => drop(child.on_panicked()),
                _ => {}
            }
        }
        for fact in after {
            apply(&mut child, fact);
            prop_assert_eq!(child.poll_event(), None);
        }
        child.on_reaped(reason(0), Duration::ZERO);
        for fd in pipes() {
            child.on_pipe_closed(fd);
        }
        prop_assert!(child.is_ended() && child.is_idle());
    }
}

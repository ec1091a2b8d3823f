//! The feature `tracing`: what a subscriber sees of children, and that it sees no secret.
#![cfg(all(feature = "tracing", feature = "run", feature = "reactor"))]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use procession::{
    Command, Deferred, ExitReason, Monitor, Pipeline, Policy, Process, ProcessProtocol, Promise,
    Reactor, Run, RunningMonitor, Signal, SpawnProcess,
};
use procession_test_support::{children, isolated};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Subscriber, with_default};
use tracing::{Event, Metadata};

/// Writes every span and every event as a line, with the fields of its span.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<LogState>>);

#[derive(Default)]
struct LogState {
    spans: BTreeMap<u64, String>,
    /// Handles of spans that live.
    handles: usize,
    lines: Vec<String>,
    /// Also those that were taken.
    all: Vec<String>,
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("a string");
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "procession"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(span.metadata().name().to_owned());
        span.record(&mut fields);
        let mut state = self.state();
        let id = state.spans.len() as u64 + 1;
        state.spans.insert(id, fields.0);
        state.handles += 1;
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        let mut state = self.state();
        let span = event.parent().and_then(|id| state.spans.get(&id.into_u64())).cloned();
        let line = span.unwrap_or_default() + &fields.0;
        state.all.push(line.clone());
        state.lines.push(line);
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.state().handles += 1;
        id.clone()
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn try_close(&self, _: Id) -> bool {
        self.state().handles -= 1;
        true
    }
}

impl Log {
    fn state(&self) -> MutexGuard<'_, LogState> {
        self.0.lock().expect("no panic under it")
    }

    /// Returns the lines so far, with the numbers of processes as `N` and the ways as `P`, and forgets them.
    fn take(&self) -> Vec<String> {
        let lines = std::mem::take(&mut self.state().lines);
        let mask = |mut line: String| {
            for path in ["shared files", "shared memory", "fork"] {
                line = line.replace(&format!("path={path}"), "path=P");
            }
            let words = line.split(' ').map(|word| match word.split_once('=') {
                Some(("pid", _)) => "pid=N",
                _ => word,
            });
            words.collect::<Vec<_>>().join(" ")
        };
        lines.into_iter().map(mask).collect()
    }
}

const SECRET: &str = "hunter2";

/// A command that has the secret everywhere but in its program.
fn secret(script: &str) -> Command {
    Command::new("sh").args(["-c", script, SECRET]).env("PASSWORD", SECRET)
}

struct Ended(Promise<ExitReason, ()>);

impl ProcessProtocol for Ended {
    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        self.0.complete(Ok(reason));
    }
}

/// Cases TR-01 and TR-02.
#[test]
fn each_child_has_a_span_with_its_start_its_signals_and_its_end() {
    let log = Log::default();
    with_default(log.clone(), || {
        let mut reactor = Reactor::new().unwrap();
        let child = "child program=sh pid=N path=P";
        let line = |what: &str| format!("{child} message={what}");

        reactor.block_on(Run::from(secret("echo $0 $PASSWORD; exit 3"))).unwrap();
        assert_eq!(log.take(), [line("started"), line("exited status=3")]);

        Run::from(secret("exit 0")).output_blocking().unwrap();
        assert_eq!(log.take(), [line("started"), line("exited status=0")]);

        let (promise, ended) = Deferred::new();
        let process = reactor.spawn_process(Ended(promise), secret("exec sleep 100")).unwrap();
        process.signal(Signal::TERM).unwrap();
        drop(reactor.block_on(ended));
        let expected =
            ["started", "signal signal=SIGTERM is_sent=true", "ended by a signal signal=SIGTERM"];
        assert_eq!(log.take(), expected.map(line));

        let late = Run::from(secret("exec sleep 100")).timeout(Duration::from_millis(20));
        drop(reactor.block_on(late));
        let lines = log.take();
        assert!(lines.contains(&line("timed out")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("signal to its group")), "{lines:?}");

        let late = Run::from(secret("exec sleep 100")).timeout(Duration::from_millis(20));
        drop(late.output_blocking());
        assert!(log.take().contains(&line("timed out")));

        let fails = Run::from(secret("exit 1")).check().retry(2, Duration::from_millis(1));
        drop(reactor.block_on(fails));
        let retried = " message=failed, and is tried again program=sh left=1 pause=1ms";
        assert!(log.take().contains(&retried.to_owned()));

        let pipeline = Pipeline::new().stage(secret("exit 0")).stage(secret("exit 0"));
        drop(reactor.block_on(reactor.spawn_pipeline(pipeline).unwrap().ended()));
        assert_eq!(log.take().len(), 4);

        let (promise, ended) = Deferred::new();
        drop(reactor.block_on(reactor.spawn_process_soon(Ended(promise), secret("exit 0"))));
        drop(reactor.block_on(ended));
        assert_eq!(log.take(), [line("started"), line("exited status=0")]);

        let policy = Policy::on_failure().give_up_after(2, Duration::from_secs(60));
        let policy = policy.backoff(Duration::from_millis(1), Duration::from_millis(1));
        let failing = Monitor::new().add("web", secret("echo $PASSWORD; exit 1"), policy);
        drop(reactor.block_on(failing.start_on(&reactor).unwrap().ended()));
        let lines = log.take();
        for part in [
            "is started again after a pause name=\"web\" pause=",
            "has failed for good name=\"web\"",
        ] {
            assert!(lines.iter().any(|line| line.contains(part)), "{part}: {lines:?}");
        }

        // The message of this error has the name of an argument and no value.
        for bad in
            [secret("exit 0").arg(format!("{SECRET}\0")), secret("exit 0").env("A=B", SECRET)]
        {
            drop(reactor.block_on(Run::from(bad)));
            let lines = log.take();
            let start = " message=not started program=sh step=Validate reason=Invalid argument";
            assert!(lines.len() == 1 && lines[0].starts_with(start), "{lines:?}");
        }
        drop(reactor.block_on(Run::new("/no/such").arg(SECRET)));
        let lines = log.take();
        assert!(lines[0].contains("program=/no/such step=Exec reason=No such file"), "{lines:?}");
    });
    let state = log.state();
    assert_eq!(state.handles, 0, "every span is closed");
    let seen: Vec<_> = state.spans.values().chain(&state.all).collect();
    assert!(seen.len() > 30 && !seen.iter().any(|line| line.contains(SECRET)), "{seen:?}");
}

/// A subscriber of its own mind.
struct Odd<E, C> {
    on_event: E,
    on_clone: C,
}

impl<E, C> Subscriber for Odd<E, C>
where
    E: Fn() + Send + Sync + 'static,
    C: Fn() + Send + Sync + 'static,
{
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "procession"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        (self.on_event)();
    }

    fn clone_span(&self, id: &Id) -> Id {
        (self.on_clone)();
        id.clone()
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Case TR-03.
#[test]
fn a_subscriber_that_panics_leaves_no_child_and_one_may_start_children() {
    isolated("a_subscriber_that_panics_leaves_no_child_and_one_may_start_children", || {
        let panics = Odd { on_event: || panic!("no event is welcome"), on_clone: || {} };
        with_default(panics, || {
            let sleep = Command::new("sleep").arg("600").owned(true);
            let spawned = catch_unwind(AssertUnwindSafe(|| sleep.spawn()));
            assert!(spawned.is_err(), "the subscriber panics");
        });
        // It is killed, and a later run reaps it.
        while !children().is_empty() {
            Run::new("true").output_blocking().unwrap();
        }

        let is_nested = AtomicBool::new(false);
        let starts = move || {
            if !is_nested.swap(true, Ordering::SeqCst) {
                Run::new("true").output_blocking().unwrap();
            }
        };
        with_default(Odd { on_event: || {}, on_clone: starts }, || {
            let child = Command::new("sleep").arg("600").spawn().unwrap();
            child.signal(Signal::KILL).unwrap();
        });
    });
}

thread_local! {
    static MONITOR: RefCell<Option<RunningMonitor>> = const { RefCell::new(None) };
    static LOOKS: Cell<u32> = const { Cell::new(0) };
}

/// Case TR-04.
#[test]
fn a_subscriber_may_ask_the_monitor_whose_event_it_gets() {
    let asks = Odd {
        on_event: || {
            let monitor = MONITOR.with_borrow(Clone::clone);
            if let Some(monitor) = monitor {
                assert!(monitor.table().row("web").is_some());
                LOOKS.set(LOOKS.get() + 1);
            }
        },
        on_clone: || {},
    };
    with_default(asks, || {
        let mut reactor = Reactor::new().unwrap();
        let failing = Monitor::new().add(
            "web",
            "false",
            Policy::on_failure().give_up_after(1, Duration::from_secs(9)),
        );
        let monitor = failing.start_on(&reactor).unwrap();
        MONITOR.set(Some(monitor.clone()));
        assert!(reactor.block_on(monitor.ended()).is_err());
        drop((MONITOR.take(), monitor));
        assert!(LOOKS.get() >= 3, "start, exit and failure: {}", LOOKS.get());
    });
}

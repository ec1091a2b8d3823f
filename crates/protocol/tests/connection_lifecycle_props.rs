//! The lifecycle of a connection against a model: every interleaving of few facts, and long random
//! ones.

use std::io::{Error, ErrorKind};

use bytes::Bytes;
use procession_core::Mark;
use procession_protocol::ConnectionEvent;
use procession_protocol::driver::{ConnectionLifecycle, DataNow, Demand};
use proptest::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fact {
    Data,
    NothingToRead,
    ReadEnd,
    ReadFailed,
    Mark,
    FlushDone,
    FlushBlocked,
    WriteFailed,
    PeerGone,
    CloseAsked,
    ShutdownAsked,
    /// A producer writes to the output.
    Held,
    /// The producer is done.
    Released,
    Abort,
    Stop,
    GivenUp,
}

const FACTS: [Fact; 16] = [
    Fact::Data,
    Fact::NothingToRead,
    Fact::ReadEnd,
    Fact::ReadFailed,
    Fact::Mark,
    Fact::FlushDone,
    Fact::FlushBlocked,
    Fact::WriteFailed,
    Fact::PeerGone,
    Fact::CloseAsked,
    Fact::ShutdownAsked,
    Fact::Held,
    Fact::Released,
    Fact::Abort,
    Fact::Stop,
    Fact::GivenUp,
];

/// What a connection is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Socket,
    Pair,
}

impl Kind {
    fn lifecycle(self) -> ConnectionLifecycle {
        match self {
            Self::Socket => ConnectionLifecycle::of_socket(),
            Self::Pair => ConnectionLifecycle::of_pair(),
        }
    }
}

const KINDS: [Kind; 2] = [Kind::Socket, Kind::Pair];

/// An event that the protocol gets; a reason has only its kind.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Received {
    Made,
    Data,
    ReadClosed,
    Emptied,
    Drained,
    Lost(Result<(), ErrorKind>),
}

/// The kinds of the reasons of one test, all different.
const READ_FAILED: ErrorKind = ErrorKind::ConnectionReset;
const WRITE_FAILED: ErrorKind = ErrorKind::Other;
const GONE: ErrorKind = ErrorKind::TimedOut;
const STOPPED: ErrorKind = ErrorKind::Interrupted;

fn heard(event: ConnectionEvent) -> Received {
    match event {
        ConnectionEvent::Made => Received::Made,
        ConnectionEvent::Data(data) => {
            assert_eq!(data, "x");
            Received::Data
        }
        ConnectionEvent::ReadClosed => Received::ReadClosed,
        ConnectionEvent::Mark(Mark::Emptied) => Received::Emptied, // for the producer
        ConnectionEvent::Mark(mark) => {
            assert_eq!(mark, Mark::Drained);
            Received::Drained
        }
        ConnectionEvent::Lost(reason) => Received::Lost(reason.map_err(|error| error.kind())),
        other => panic!("an event that the model does not know: {other:?}"),
    }
}

fn heard_now(connection: &mut ConnectionLifecycle) -> Vec<Received> {
    std::iter::from_fn(|| connection.poll_event()).map(heard).collect()
}

/// A driver without a descriptor: it answers questions, and records the demands.
struct TestDriver {
    connection: ConnectionLifecycle,
    /// The kernel's reason for a connection that is gone.
    reason: Result<(), ErrorKind>,
    done: Vec<Demand>,
}

impl TestDriver {
    fn new(kind: Kind, reason: Result<(), ErrorKind>) -> Self {
        Self { connection: kind.lifecycle(), reason, done: Vec::new() }
    }

    fn play(&mut self, fact: Fact) {
        let connection = &mut self.connection;
        match fact {
            Fact::Data => drop(connection.on_data(Bytes::from_static(b"x"))),
            Fact::NothingToRead => connection.on_nothing_to_read(),
            Fact::ReadEnd => connection.on_read_end(),
            Fact::ReadFailed => connection.on_read_failed(READ_FAILED.into()),
            Fact::Mark => {
                connection.on_mark(Mark::Emptied);
                connection.on_mark(Mark::Drained);
            }
            Fact::FlushDone => connection.on_flush_done(),
            Fact::FlushBlocked => connection.on_flush_blocked(),
            Fact::WriteFailed => connection.on_write_failed(WRITE_FAILED.into()),
            Fact::PeerGone => connection.on_peer_gone(),
            Fact::CloseAsked => drop_answer(connection.on_close_asked()),
            Fact::ShutdownAsked => drop_answer(connection.on_shutdown_asked()),
            Fact::Held => connection.on_held(true),
            Fact::Released => connection.on_held(false),
            Fact::Abort => drop(connection.on_abort()),
            Fact::Stop => connection.on_stop(STOPPED.into()),
            Fact::GivenUp => drop(connection.on_given_up()),
        }
        while let Some(demand) = self.connection.poll_demand() {
            self.done.push(demand);
            if demand == Demand::AskReason {
                self.connection.on_gone(self.reason.map_err(Error::from));
            }
        }
    }
}

fn drop_answer(_: bool) {}

/// The expected events and demands of a history, computed fact by fact.
struct Model {
    socket: bool,
    reason: Result<(), ErrorKind>,
    /// The directions that have not ended.
    reads: bool,
    writes: bool,
    close_asked: bool,
    shutdown_asked: bool,
    held: bool,
    /// A write of a socket failed.
    failed: bool,
    peer_gone: bool,
    over: bool,
    heard: Vec<Received>,
    done: Vec<Demand>,
}

impl Model {
    fn of(kind: Kind, reason: Result<(), ErrorKind>, history: &[Fact]) -> Self {
        let mut model = Self {
            socket: kind == Kind::Socket,
            reason,
            reads: true,
            writes: true,
            close_asked: false,
            shutdown_asked: false,
            held: false,
            failed: false,
            peer_gone: false,
            over: false,
            heard: vec![Received::Made],
            done: Vec::new(),
        };
        for fact in history {
            if !model.over {
                model.fact(*fact);
            } else if *fact == Fact::GivenUp {
                model.heard.clear();
            }
        }
        model
    }

    fn fact(&mut self, fact: Fact) {
        // A requested end waits for a producer, but not if nothing can be written any more.
        let waits = self.held && self.writes;
        let delivers = self.reads && (!self.close_asked || waits);
        match fact {
            Fact::Data if delivers => self.heard.push(Received::Data),
            Fact::NothingToRead if delivers && self.failed => self.lose(Err(WRITE_FAILED)),
            Fact::ReadEnd if delivers => self.read_end(),
            Fact::ReadFailed if delivers => {
                self.lose(Err(if self.failed { WRITE_FAILED } else { READ_FAILED }));
            }
            Fact::Mark if self.writes => {
                self.heard.extend([Received::Emptied, Received::Drained]);
            }
            Fact::FlushDone | Fact::FlushBlocked if waits => {}
            Fact::FlushDone if self.close_asked => {
                self.discard();
                self.lose(if self.failed { Err(WRITE_FAILED) } else { Ok(()) });
            }
            Fact::FlushDone if self.shutdown_asked && self.writes => {
                self.writes = false;
                self.done.push(Demand::ShutDown);
                if !self.reads {
                    self.lose(Ok(()));
                }
            }
            Fact::FlushBlocked if self.close_asked && self.reads => {
                self.done.push(Demand::StopReading);
            }
            Fact::WriteFailed if self.writes && self.socket && self.reads && !self.close_asked => {
                (self.writes, self.failed) = (false, true);
                self.done.push(Demand::EndWriting);
            }
            Fact::WriteFailed if self.writes => self.lose(Err(WRITE_FAILED)),
            Fact::PeerGone if self.writes && !self.socket => {
                self.lose(Err(ErrorKind::BrokenPipe));
            }
            Fact::PeerGone if self.writes && self.reads => self.peer_gone = true,
            Fact::PeerGone if self.writes => self.ask(),
            Fact::CloseAsked => self.close_asked = true,
            Fact::ShutdownAsked if self.writes => self.shutdown_asked = true,
            Fact::Held => self.held = true,
            Fact::Released => self.held = false,
            Fact::Abort => {
                self.heard.truncate(1);
                if self.socket {
                    self.done.push(Demand::Reset);
                }
                self.lose(Err(ErrorKind::ConnectionAborted));
            }
            Fact::Stop => {
                self.discard();
                self.lose(Err(if self.failed { WRITE_FAILED } else { STOPPED }));
            }
            Fact::GivenUp => {
                self.lose(Ok(()));
                self.heard.clear();
            }
            _ => {}
        }
    }

    fn read_end(&mut self) {
        if self.failed {
            self.lose(Err(WRITE_FAILED));
        } else if !self.writes {
            self.lose(Ok(()));
        } else if self.peer_gone {
            if self.reason.is_ok() {
                self.heard.push(Received::ReadClosed);
            }
            self.ask();
        } else {
            self.reads = false;
            self.heard.push(Received::ReadClosed);
            self.done.push(Demand::EndReading);
        }
    }

    fn ask(&mut self) {
        self.done.push(Demand::AskReason);
        self.lose(self.reason);
    }

    fn discard(&mut self) {
        if self.socket && self.reads {
            self.done.push(Demand::Discard);
        }
    }

    fn lose(&mut self, reason: Result<(), ErrorKind>) {
        self.over = true;
        self.heard.push(Received::Lost(reason));
        self.done.push(Demand::Close);
    }
}

/// Checks the guarantees of the contract on the events alone. If the connection was given up or aborted,
/// the first events are missing.
fn check_grammar(events: &[Received]) {
    for (at, event) in events.iter().enumerate() {
        let (before, after) = (&events[..at], &events[at + 1..]);
        match event {
            Received::Made => assert!(before.is_empty(), "it is the first"),
            Received::Data => {
                assert!(!before.contains(&Received::ReadClosed), "no data after the end")
            }
            Received::ReadClosed => {
                assert!(!before.contains(&Received::ReadClosed), "it comes once")
            }
            Received::Emptied | Received::Drained => {}
            Received::Lost(_) => assert!(after.is_empty(), "it is the last"),
        }
    }
    assert!(events.is_empty() || events[0] == Received::Made);
}

/// Plays a history with two kinds of drivers: one delivers at the end; the other delivers after each
/// fact, and data at once.
fn check(kind: Kind, reason: Result<(), ErrorKind>, history: &[Fact]) {
    let context = || format!("{kind:?}, {reason:?}: {history:?}");
    let model = Model::of(kind, reason, history);
    let mut late = TestDriver::new(kind, reason);
    for fact in history {
        late.play(*fact);
    }
    let found = heard_now(&mut late.connection);
    assert_eq!(found, model.heard, "{}", context());
    assert_eq!(late.done, model.done, "{}", context());
    assert_eq!(late.connection.is_lost(), model.over, "{}", context());
    assert_eq!(late.connection.has_failed(), model.failed && !model.over, "{}", context());
    check_grammar(&found);

    let soon = delivered_at_once(kind, reason, history);
    if !history.iter().any(|fact| matches!(fact, Fact::Abort | Fact::GivenUp)) {
        assert_eq!(soon, found, "{}", context());
    }
    check_grammar(&soon);
}

/// Checks that a close waits for a producer: no history without another end loses the connection while
/// it is held, and the close comes with the first flush after the producer is done.
fn check_that_closes_wait(kind: Kind, history: &[Fact]) {
    let ends = [
        Fact::ReadFailed,
        Fact::WriteFailed,
        Fact::PeerGone,
        Fact::Abort,
        Fact::Stop,
        Fact::GivenUp,
        Fact::Released,
    ];
    if history.first() != Some(&Fact::Held) || history.iter().any(|fact| ends.contains(fact)) {
        return;
    }
    let mut play = TestDriver::new(kind, Ok(()));
    for fact in history {
        play.play(*fact);
        assert!(!play.connection.is_lost(), "a producer holds it: {history:?}");
    }
    play.play(Fact::Released);
    assert!(!play.connection.is_lost(), "what it wrote is not flushed: {history:?}");
    play.play(Fact::FlushDone);
    assert_eq!(
        play.connection.is_lost(),
        history.contains(&Fact::CloseAsked) || {
            history.contains(&Fact::ShutdownAsked) && history.contains(&Fact::ReadEnd)
        }
    );
}

fn delivered_at_once(kind: Kind, reason: Result<(), ErrorKind>, history: &[Fact]) -> Vec<Received> {
    let mut play = TestDriver::new(kind, reason);
    let mut found = heard_now(&mut play.connection);
    for fact in history {
        if *fact == Fact::Data {
            match play.connection.on_data_now(Bytes::from_static(b"x")) {
                DataNow::Due(data) => found.push(heard(ConnectionEvent::Data(data))),
                DataNow::Queued => panic!("nothing was due before"),
                DataNow::Refused(data) => assert_eq!(data, "x"),
            }
        } else {
            play.play(*fact);
        }
        found.extend(heard_now(&mut play.connection));
    }
    found
}

#[test]
fn every_interleaving_of_up_to_five_facts_gives_what_the_model_says() {
    let mut histories: Vec<Vec<Fact>> = vec![Vec::new()];
    for _ in 0..5 {
        let longer = histories
            .iter()
            .flat_map(|history| FACTS.iter().map(|fact| [history.as_slice(), &[*fact]].concat()));
        histories = longer.collect();
        for history in &histories {
            for kind in KINDS {
                check(kind, Err(GONE), history);
                check_that_closes_wait(kind, history);
                if history.contains(&Fact::PeerGone) {
                    check(kind, Ok(()), history);
                }
            }
        }
    }
}

#[test]
fn data_wait_for_events_that_are_due_before_them() {
    let mut connection = ConnectionLifecycle::of_socket();
    let data = |text: &'static str| Bytes::from_static(text.as_bytes());
    assert!(connection.has_event());
    assert_eq!(connection.on_data_now(data("x")), DataNow::Queued);
    assert_eq!(heard_now(&mut connection), [Received::Made, Received::Data]);
    assert!(!connection.has_event());
    assert_eq!(connection.on_data_now(data("two")), DataNow::Due(data("two")));
    assert_eq!(connection.on_data_now(data("")), DataNow::Refused(data("")));
    drop(connection.on_given_up());
    assert_eq!(connection.on_data_now(data("late")), DataNow::Refused(data("late")));
    assert!(!connection.has_event());
}

/// A pause changes whether the driver reads, and never the due events.
#[test]
fn reading_without_events_needs_a_reason_and_no_pause() {
    for kind in KINDS {
        let mut connection = kind.lifecycle();
        assert!(connection.reads() && !connection.reads_without_events());
        connection.on_always_ready();
        assert!(connection.reads_without_events());
        connection.on_paused();
        assert!(connection.accepts() && !connection.reads());
        assert!(!connection.reads_without_events());
        connection.on_resumed();
        assert!(connection.reads_without_events());
        assert!(connection.on_close_asked());
        assert!(!connection.on_close_asked());
        assert!(!connection.accepts() && !connection.reads() && !connection.reads_without_events());
    }
    let mut connection = ConnectionLifecycle::of_socket();
    assert!(connection.on_shutdown_asked());
    assert!(!connection.on_shutdown_asked());
    connection.on_write_failed(WRITE_FAILED.into());
    assert!(connection.has_failed() && connection.reads_without_events());
    assert!(!connection.on_shutdown_asked(), "there is no output any more");
    drop(connection.on_abort());
    assert!(!connection.has_failed() && !connection.reads());
}

#[test]
fn data_that_are_due_at_an_abort_are_returned() {
    let mut connection = ConnectionLifecycle::of_socket();
    for _ in 0..2 {
        assert_eq!(connection.on_data(Bytes::from_static(b"x")), None);
    }
    assert_eq!(connection.on_abort().into_iter().count(), 2);
    assert!(connection.on_abort().is_empty());
    assert_eq!(connection.on_data(Bytes::from_static(b"x")).unwrap(), "x");
    assert!(connection.on_given_up().is_empty());
}

/// A driver that polls late gets only the demands that still matter.
#[test]
fn demands_that_a_loss_has_overtaken_are_forgotten() {
    let mut connection = ConnectionLifecycle::of_socket();
    assert!(connection.on_shutdown_asked());
    connection.on_flush_done();
    assert!(connection.on_close_asked());
    connection.on_flush_blocked();
    drop(connection.on_abort());
    let demands: Vec<_> = std::iter::from_fn(|| connection.poll_demand()).collect();
    assert_eq!(demands, [Demand::ShutDown, Demand::Reset, Demand::Close]);
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn long_histories_agree_with_the_model(
        history in prop::collection::vec(prop::sample::select(FACTS.to_vec()), 0..40),
        ends in any::<bool>(),
        reason in prop::sample::select(vec![Ok(()), Err(GONE)])
    ) {
        // The ends are rarer than the other facts, else few histories would be long.
        let is_end = |fact: &Fact| matches!(fact, Fact::Abort | Fact::Stop | Fact::GivenUp);
        let history: Vec<Fact> =
            history.into_iter().filter(|fact| ends || !is_end(fact)).collect();
        for kind in KINDS {
            check(kind, reason, &history);
        }
    }
}

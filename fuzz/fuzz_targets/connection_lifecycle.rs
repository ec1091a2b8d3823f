//! Any sequence of facts about a connection: the events obey the contract's grammar, accepted data
//! is delivered, and the descriptors are closed once, for a reason that a fact gave.
#![no_main]

use std::collections::VecDeque;
use std::io::{Error, ErrorKind};

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use procession_core::Mark;
use procession_protocol::ConnectionEvent;
use procession_protocol::driver::{ConnectionLifecycle, DataNow, Demand};

#[derive(Debug, Clone, Copy, PartialEq, Arbitrary)]
enum Fact {
    Data(u8),
    DataNow(u8),
    NothingToRead,
    ReadEnd,
    ReadFailed,
    Mark(bool),
    FlushDone,
    FlushBlocked,
    WriteFailed,
    PeerGone,
    CloseAsked,
    ShutdownAsked,
    Paused,
    Resumed,
    AlwaysReady,
    Abort,
    Stop,
    GivenUp,
    PollEvent,
}

#[derive(Debug, Arbitrary)]
struct Input {
    pair: bool,
    /// The kernel reports no error for a connection that is gone.
    gone_in_order: bool,
    facts: Vec<Fact>,
}

const READ_FAILED: ErrorKind = ErrorKind::ConnectionReset;
const WRITE_FAILED: ErrorKind = ErrorKind::Other;
const GONE: ErrorKind = ErrorKind::TimedOut;
const STOPPED: ErrorKind = ErrorKind::Interrupted;

/// The data that was accepted and not delivered yet, and the events so far.
#[derive(Default)]
struct Grammar {
    taken: VecDeque<Bytes>,
    events: usize,
    read_closed: bool,
    lost: Option<Result<(), ErrorKind>>,
}

impl Grammar {
    fn on_event(&mut self, event: ConnectionEvent) {
        assert_eq!(self.lost, None, "nothing comes after the loss: {event:?}");
        let made = matches!(event, ConnectionEvent::Made);
        assert_eq!(made, self.events == 0, "made is the first and comes once");
        self.events += 1;
        match event {
            ConnectionEvent::Made => {}
            ConnectionEvent::Data(data) => {
                assert!(!self.read_closed);
                assert_eq!(self.taken.pop_front(), Some(data), "what was taken, in order");
            }
            ConnectionEvent::ReadClosed => {
                assert!(!std::mem::replace(&mut self.read_closed, true));
                assert!(self.taken.is_empty(), "data are delivered before the end");
            }
            ConnectionEvent::Mark(mark) => assert_ne!(mark, Mark::Emptied),
            ConnectionEvent::Lost(reason) => {
                assert!(self.taken.is_empty(), "data are delivered before the loss");
                self.lost = Some(reason.map_err(|error| error.kind()));
            }
            other => panic!("an event that the model does not know: {other:?}"),
        }
    }
}

struct Play {
    connection: ConnectionLifecycle,
    socket: bool,
    gone: Result<(), ErrorKind>,
    grammar: Grammar,
    demands: Vec<Demand>,
    facts: Vec<Fact>,
    /// The expected reason of the loss, after it.
    reason: Option<Result<(), ErrorKind>>,
    given_up: bool,
    paused: bool,
    always_ready: bool,
}

impl Play {
    fn had(&self, fact: Fact) -> bool {
        self.facts.contains(&fact)
    }

    fn demanded(&self, demand: Demand) -> bool {
        self.demands.contains(&demand)
    }

    fn fact(&mut self, fact: Fact) {
        let connection = &mut self.connection;
        let (was_lost, had_failed) = (connection.is_lost(), connection.has_failed());
        let accepted = connection.accepts();
        let reads = !self.demands.contains(&Demand::EndReading);
        let can_close = self.facts.contains(&Fact::CloseAsked);
        match fact {
            Fact::Data(length) => {
                let data = Bytes::from(vec![length; usize::from(length)]);
                let refused = connection.on_data(data.clone());
                assert_eq!(refused.is_none(), accepted && !data.is_empty());
                self.grammar.taken.extend(refused.is_none().then_some(data));
            }
            Fact::DataNow(length) => {
                let data = Bytes::from(vec![length; usize::from(length)]);
                let taken = accepted && !data.is_empty();
                let due = connection.has_event();
                match connection.on_data_now(data.clone()) {
                    DataNow::Due(now) => {
                        assert!(taken && !due);
                        self.grammar.taken.push_back(data);
                        self.grammar.on_event(ConnectionEvent::Data(now));
                    }
                    DataNow::Queued => {
                        assert!(taken && due);
                        self.grammar.taken.push_back(data);
                    }
                    DataNow::Refused(back) => assert!(!taken && back == data),
                }
            }
            Fact::NothingToRead => connection.on_nothing_to_read(),
            Fact::ReadEnd => connection.on_read_end(),
            Fact::ReadFailed => connection.on_read_failed(READ_FAILED.into()),
            Fact::Mark(full) => {
                connection.on_mark(Mark::Emptied);
                connection.on_mark(if full { Mark::Full } else { Mark::Drained });
            }
            Fact::FlushDone => connection.on_flush_done(),
            Fact::FlushBlocked => connection.on_flush_blocked(),
            Fact::WriteFailed => connection.on_write_failed(WRITE_FAILED.into()),
            Fact::PeerGone => connection.on_peer_gone(),
            Fact::CloseAsked => {
                assert_eq!(connection.on_close_asked(), !was_lost && !can_close);
            }
            Fact::ShutdownAsked => {
                let is_new = connection.on_shutdown_asked();
                assert!(!is_new || !was_lost && !can_close && !had_failed);
            }
            Fact::Paused => {
                connection.on_paused();
                self.paused = true;
            }
            Fact::Resumed => {
                connection.on_resumed();
                self.paused = false;
            }
            Fact::AlwaysReady => {
                connection.on_always_ready();
                self.always_ready = true;
            }
            Fact::Abort => {
                let spent = connection.on_abort().into_iter().count();
                if !was_lost {
                    assert_eq!(spent, self.grammar.taken.len());
                    self.grammar.taken.clear();
                }
            }
            Fact::Stop => connection.on_stop(STOPPED.into()),
            Fact::GivenUp => {
                let spent = connection.on_given_up().into_iter().count();
                assert_eq!(spent, self.grammar.taken.len());
                self.grammar.taken.clear();
                assert!(!connection.has_event());
                self.given_up = true;
            }
            Fact::PollEvent => self.poll_event(),
        }
        self.facts.push(fact);
        self.meet_demands();
        if self.connection.is_lost() && !was_lost && !self.given_up {
            self.judge_loss(fact, had_failed, reads);
        }
        let must_end = matches!(fact, Fact::Abort | Fact::Stop | Fact::GivenUp)
            || fact == Fact::ReadFailed && accepted
            || fact == Fact::FlushDone && can_close
            || fact == Fact::NothingToRead && accepted && had_failed;
        assert!(!must_end || self.connection.is_lost(), "{fact:?} ends it");
        self.check();
    }

    fn poll_event(&mut self) {
        assert_eq!(self.connection.has_event(), {
            let event = self.connection.poll_event();
            let is_some = event.is_some();
            if let Some(event) = event {
                assert!(!self.given_up, "an event of one that was given up: {event:?}");
                self.grammar.on_event(event);
            }
            is_some
        });
    }

    fn meet_demands(&mut self) {
        let mut last = None;
        while let Some(demand) = self.connection.poll_demand() {
            assert!(!self.demanded(Demand::Close), "{demand:?} of what is closed");
            let in_order = last.is_none_or(|last| (last as u8) < demand as u8);
            assert!(in_order, "{demand:?} after {last:?}");
            last = Some(demand);
            let repeats = matches!(demand, Demand::StopReading);
            assert!(repeats || !self.demanded(demand), "{demand:?} twice");
            let only_sockets = matches!(
                demand,
                Demand::AskReason | Demand::Discard | Demand::Reset | Demand::EndWriting
            );
            assert!(self.socket || !only_sockets, "{demand:?} of a pair");
            self.demands.push(demand);
            match demand {
                Demand::AskReason => {
                    assert!(self.had(Fact::PeerGone));
                    self.connection.on_gone(self.gone.map_err(Error::from));
                    assert!(self.connection.is_lost());
                }
                Demand::ShutDown => assert!(self.had(Fact::ShutdownAsked)),
                Demand::Reset => assert!(self.had(Fact::Abort)),
                Demand::EndWriting => assert!(self.had(Fact::WriteFailed)),
                _ => {}
            }
        }
    }

    /// Sets the expected reason of a loss that this fact causes.
    fn judge_loss(&mut self, fact: Fact, had_failed: bool, reads: bool) {
        let asked = self.demanded(Demand::AskReason);
        self.reason = Some(match fact {
            Fact::Abort => Err(ErrorKind::ConnectionAborted),
            _ if had_failed => Err(WRITE_FAILED),
            _ if asked => self.gone,
            Fact::ReadFailed => Err(READ_FAILED),
            Fact::WriteFailed => {
                assert!(!self.socket || !reads || self.had(Fact::CloseAsked), "it is read first");
                Err(WRITE_FAILED)
            }
            Fact::Stop => Err(STOPPED),
            Fact::PeerGone => {
                assert!(!self.socket);
                Err(ErrorKind::BrokenPipe)
            }
            Fact::ReadEnd => {
                assert!(self.demanded(Demand::ShutDown), "the output is open");
                Ok(())
            }
            Fact::FlushDone => {
                let both_ended = !reads && self.demanded(Demand::ShutDown);
                assert!(both_ended || self.had(Fact::CloseAsked));
                Ok(())
            }
            fact => panic!("{fact:?} ends nothing"),
        });
    }

    fn check(&self) {
        let connection = &self.connection;
        assert_eq!(connection.is_lost(), self.demanded(Demand::Close));
        let may_read = !connection.is_lost()
            && !self.had(Fact::CloseAsked)
            && !self.demanded(Demand::EndReading);
        assert_eq!(connection.accepts(), may_read);
        assert_eq!(connection.reads(), may_read && !self.paused);
        let silent = self.always_ready || connection.has_failed();
        assert_eq!(connection.reads_without_events(), silent && may_read && !self.paused);
        assert!(!connection.has_failed() || self.had(Fact::WriteFailed) && self.socket);
    }
}

fuzz_target!(|input: Input| {
    let connection =
        if input.pair { ConnectionLifecycle::of_pair() } else { ConnectionLifecycle::of_socket() };
    let mut play = Play {
        connection,
        socket: !input.pair,
        gone: if input.gone_in_order { Ok(()) } else { Err(GONE) },
        grammar: Grammar::default(),
        demands: Vec::new(),
        facts: Vec::new(),
        reason: None,
        given_up: false,
        paused: false,
        always_ready: false,
    };
    for fact in input.facts.into_iter().take(200) {
        play.fact(fact);
    }
    while play.connection.has_event() {
        play.poll_event();
    }
    if !play.given_up {
        assert_eq!(play.grammar.lost, play.reason, "the loss is told once, with its reason");
        assert!(play.grammar.taken.is_empty(), "all that was taken is delivered");
    }
});

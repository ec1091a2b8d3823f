//! Every order of facts, up to a length, against the promises of the page.

use std::time::Duration;

use bytes::Bytes;
use procession_process_transport::Command;
use procession_protocol::ProcessDone;
use procession_protocol::driver::Lifecycle;

use super::*;
use crate::Keep;
use crate::run_setup::RunSetup;

const SECOND: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(2);
/// How many facts an order has.
const LENGTH: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Out,
    /// More than is kept.
    Long,
    Err,
    ReaderFails,
    /// The next deadline passes; a second, if there is none.
    Time,
    GivenUp,
    Exited,
    Terminated,
    Ended,
    Killed,
    Lost,
}

const FACTS: [Fact; 11] = [
    Fact::Out,
    Fact::Long,
    Fact::Err,
    Fact::ReaderFails,
    Fact::Time,
    Fact::GivenUp,
    Fact::Exited,
    Fact::Terminated,
    Fact::Ended,
    Fact::Killed,
    Fact::Lost,
];

fn rules() -> Rules {
    Rules {
        fail_on: FailOn::NoneOf([0].into_iter().collect()),
        fails_on_stderr: false,
        stops_at_limit: false,
        setup: RunSetup::default(),
        timeout: Some(LIMIT),
        kill_grace: GRACE,
        keep: Keep::head(4),
    }
}

/// What a run has given so far.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    result: Option<Given>,
    terminations: usize,
    ends: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Given {
    Outcome(Bytes),
    Failed(Bytes),
    Signalled,
    TooLong,
    Stdin,
    TimedOut(Duration),
    Stderr(Bytes),
}

/// A run, and what the model expects of it.
struct Model {
    state: RunState,
    rules: Rules,
    now: Duration,
    seen: Seen,
    stdout: Vec<u8>,
    /// The result that is due, once the termination is over.
    pending: Option<Given>,
    expected: Seen,
    phase: ModelPhase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ModelPhase {
    Running,
    Stopping,
    Released,
    Over,
}

impl Model {
    fn new(rules: Rules) -> Self {
        let mut state = RunState::new(rules, CommandLine::new(&Command::new("x"), None), SECOND);
        state.on_started(SECOND);
        Self {
            state,
            rules,
            now: SECOND,
            seen: Seen::default(),
            stdout: Vec::new(),
            pending: None,
            expected: Seen::default(),
            phase: ModelPhase::Running,
        }
    }

    fn step(&mut self, fact: Fact) {
        let now = self.now;
        match fact {
            Fact::Out => self.state.on_data(Stream::Stdout, b"a", now),
            Fact::Long => self.state.on_data(Stream::Stdout, b"abcde", now),
            Fact::Err => self.state.on_data(Stream::Stderr, b"e", now),
            Fact::ReaderFails => {
                let late = self.state.on_reader_failed(io::Error::other("torn"), now);
                assert_eq!(late.is_some(), self.phase != ModelPhase::Running);
            }
            Fact::Time => {
                self.now = self.state.poll_deadline().unwrap_or(now + SECOND);
                self.state.on_time(self.now, || Some(Signal::STOP));
            }
            Fact::GivenUp => {
                let pending = self.state.on_given_up();
                assert_eq!(pending.is_some(), self.pending.is_some());
            }
            Fact::Exited => self.state.on_exited(),
            Fact::Terminated => self.state.on_terminated(),
            Fact::Ended => self.state.on_ended(Ok(ProcessDone::default()), now),
            Fact::Killed => {
                let killed = Lifecycle::exit_reason(9, None);
                self.state.on_ended(killed, now);
            }
            Fact::Lost => self.state.on_lost(),
        }
        self.expect(fact);
        self.collect(fact);
        self.check();
    }

    /// Takes the model one step further.
    fn expect(&mut self, fact: Fact) {
        let is_running = self.phase == ModelPhase::Running;
        let kept = |stdout: &[u8]| Bytes::copy_from_slice(&stdout[..stdout.len().min(4)]);
        match fact {
            Fact::Out if is_running => self.stdout.push(b'a'),
            Fact::Long if is_running => self.stdout.extend_from_slice(b"abcde"),
            _ => {}
        }
        let is_long = self.stdout.len() > 4 && self.rules.stops_at_limit;
        match fact {
            Fact::Out | Fact::Long if is_running && is_long => self.fail(Given::TooLong),
            Fact::Err if is_running && self.rules.fails_on_stderr => {
                self.phase = ModelPhase::Released;
                self.expected.result = Some(Given::Stderr(kept(&self.stdout)));
            }
            Fact::ReaderFails if is_running => self.fail(Given::Stdin),
            Fact::Time if is_running => self.fail(Given::TimedOut(self.now - SECOND)),
            Fact::GivenUp | Fact::Lost if is_running => {
                self.expected.terminations += 1;
                self.phase = ModelPhase::Stopping;
            }
            Fact::Terminated => self.give(),
            Fact::Ended | Fact::Killed => {
                match self.phase {
                    ModelPhase::Running if fact == Fact::Killed => {
                        self.expected.result = Some(Given::Signalled);
                    }
                    ModelPhase::Running => {
                        self.expected.result = Some(Given::Outcome(kept(&self.stdout)));
                    }
                    ModelPhase::Released => self.expected.ends += 1,
                    ModelPhase::Stopping | ModelPhase::Over => {}
                }
                self.phase = ModelPhase::Over;
            }
            _ => {}
        }
        match fact {
            Fact::GivenUp => self.pending = None,
            Fact::Lost => self.phase = ModelPhase::Over,
            _ => {}
        }
    }

    fn fail(&mut self, given: Given) {
        self.phase = ModelPhase::Stopping;
        self.expected.terminations += 1;
        self.pending = Some(given);
    }

    fn give(&mut self) {
        if let Some(given) = self.pending.take() {
            self.expected.result = Some(given);
        }
    }

    /// Takes what is due.
    fn collect(&mut self, fact: Fact) {
        while let Some(step) = self.state.poll_step() {
            let given = match step {
                RunStep::Terminate => {
                    self.seen.terminations += 1;
                    continue;
                }
                RunStep::CloseAll => {
                    assert_eq!((fact, self.phase), (Fact::Exited, ModelPhase::Stopping));
                    continue;
                }
                RunStep::ReportEnd(_) => {
                    self.seen.ends += 1;
                    continue;
                }
                RunStep::Settle(Ok(outcome)) => Given::Outcome(outcome.stdout),
                RunStep::Settle(Err(error)) => match error {
                    OutputError::Failed { outcome, .. } => Given::Failed(outcome.stdout),
                    OutputError::Signalled { .. } => Given::Signalled,
                    OutputError::TooLong { .. } => Given::TooLong,
                    OutputError::Stdin { .. } => Given::Stdin,
                    OutputError::TimedOut { outcome, stopped_by, .. } => {
                        assert_eq!(stopped_by, Some(Signal::STOP));
                        Given::TimedOut(outcome.after)
                    }
                    error => panic!("{error:?}"),
                },
                RunStep::Release(released) => {
                    let (_, answer) = procession_core::driver::Answer::new();
                    let error = released.into_error(crate::Ended::of_loop(answer));
                    Given::Stderr(error.stdout().expect("it has outputs").clone())
                }
            };
            assert_eq!(self.seen.result.replace(given), None, "one result");
        }
    }

    fn check(&self) {
        assert_eq!(self.seen, self.expected);
        assert_eq!(self.state.is_running(), self.phase == ModelPhase::Running);
        assert_eq!(self.state.has_verdict(), self.pending.is_some());
        let has_deadline = self.phase == ModelPhase::Running;
        assert_eq!(self.state.poll_deadline().is_some(), has_deadline);
    }
}

/// Calls `check` with every order of facts.
fn every_order(check: impl Fn(&[Fact])) {
    let kinds = u32::try_from(FACTS.len()).expect("few");
    for number in 0..kinds.pow(LENGTH) {
        let mut rest = number;
        let facts: Vec<Fact> = (0..LENGTH)
            .map(|_| {
                let fact = FACTS[usize::try_from(rest % kinds).expect("few")];
                rest /= kinds;
                fact
            })
            .collect();
        check(&facts);
    }
}

#[test]
fn every_order_of_facts_gives_at_most_one_result_and_the_right_one() {
    for (fails_on_stderr, stops_at_limit) in [(false, false), (true, true)] {
        let rules = Rules { fails_on_stderr, stops_at_limit, ..rules() };
        every_order(|facts| {
            let mut model = Model::new(rules);
            for fact in facts {
                model.step(*fact);
            }
        });
    }
}

#[test]
fn a_verdict_waits_for_the_end_of_the_termination_however_late() {
    let mut state =
        RunState::new(rules(), CommandLine::new(&Command::new("x"), None), Duration::ZERO);
    state.on_started(SECOND);
    assert_eq!(state.poll_deadline(), Some(SECOND + LIMIT));
    let now = SECOND + LIMIT;
    state.on_time(now - Duration::from_nanos(1), || panic!("too early"));
    state.on_time(now, || None);
    assert!(matches!(state.poll_step(), Some(RunStep::Terminate)));
    assert_eq!(state.poll_deadline(), None, "the termination has a limit of its own");
    state.on_time(now + GRACE * 10, || panic!("it is stopping"));
    assert!(state.poll_step().is_none());
    state.on_terminated();
    let Some(RunStep::Settle(Err(OutputError::TimedOut { outcome, .. }))) = state.poll_step()
    else {
        panic!("it is due");
    };
    assert_eq!(outcome.after, now, "it is the time of the failure");
}

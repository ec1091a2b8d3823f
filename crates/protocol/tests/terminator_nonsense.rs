//! The terminator gets facts in impossible combinations and orders: it does not panic, and it asks for
//! nothing that is over.

use std::time::Duration;

use procession_core::Signal;
use procession_protocol::driver::{GroupState, TerminationScope, Terminator};
use proptest::prelude::*;

const GRACE: Duration = Duration::from_millis(50);

/// An input, whether it makes sense or not.
#[derive(Debug, Clone, Copy)]
enum Input {
    Terminate(Duration),
    Refused,
    Ended,
    Reaped,
    Group(GroupState),
    Time(Duration),
    Gone,
    PollStep,
    PollOutcome,
}

fn input() -> impl Strategy<Value = Input> {
    let time = || prop::sample::select(vec![Duration::ZERO, GRACE, GRACE * 3, Duration::MAX]);
    let states = vec![GroupState::Alive, GroupState::Empty, GroupState::Unknown];
    prop_oneof![
        3 => time().prop_map(Input::Terminate),
        1 => Just(Input::Refused),
        1 => Just(Input::Ended),
        1 => Just(Input::Reaped),
        1 => prop::sample::select(states).prop_map(Input::Group),
        2 => time().prop_map(Input::Time),
        1 => Just(Input::Gone),
        4 => Just(Input::PollStep),
        1 => Just(Input::PollOutcome),
    ]
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn facts_in_any_order_do_no_harm(
        scope in prop::sample::select(vec![TerminationScope::Child, TerminationScope::Group]),
        inputs in prop::collection::vec(input(), 0..60)
    ) {
        let mut terminator = Terminator::new(scope);
        let (mut now, mut reaped, mut empty) = (Duration::ZERO, false, false);
        for input in inputs {
            match input {
                Input::Terminate(grace) => terminator.on_terminate(Signal::TERM, grace, now),
                Input::Refused => terminator.on_refused(),
                Input::Ended => terminator.on_ended(),
                Input::Reaped => {
                    terminator.on_reaped(now);
                    reaped = true;
                }
                Input::Group(state) => {
                    terminator.on_group(state, now);
                    empty |= reaped && state == GroupState::Empty;
                }
                Input::Time(passed) => {
                    now = now.saturating_add(passed);
                    terminator.on_time(now);
                }
                Input::Gone => terminator.on_gone(),
                Input::PollStep => {
                    let step = terminator.poll_step();
                    let is_over = empty || (reaped && scope == TerminationScope::Child);
                    prop_assert!(step.is_none() || !is_over, "{step:?}");
                }
                Input::PollOutcome => drop(terminator.poll_outcome()),
            }
            prop_assert!(terminator.is_under_way() || terminator.poll_deadline().is_none());
        }
        // The number of steps is limited by the calls.
        prop_assert!(std::iter::from_fn(|| terminator.poll_step()).take(1000).count() < 1000);
    }
}

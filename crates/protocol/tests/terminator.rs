//! The steps of a termination, case by case; `terminator_props.rs` has the laws.

use std::time::Duration;

use procession_core::Signal;
use procession_protocol::driver::TerminationStep::{
    Continue, Kill, LookAtGroup, Reap, Signal as Send,
};
use procession_protocol::driver::{
    GroupState, TerminationOutcome, TerminationScope, TerminationStep, Terminator,
};

const START: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(5);

fn steps(terminator: &mut Terminator) -> Vec<TerminationStep> {
    std::iter::from_fn(|| terminator.poll_step()).collect()
}

fn begun(scope: TerminationScope) -> Terminator {
    let mut terminator = Terminator::new(scope);
    terminator.on_terminate(Signal::TERM, GRACE, START);
    assert_eq!(steps(&mut terminator), [Send(Signal::TERM), Continue]);
    terminator
}

fn ended(escalated: bool, after: Duration) -> Option<TerminationOutcome> {
    Some(TerminationOutcome::Ended { escalated, is_gone: true, after })
}

fn survived(after: Duration) -> Option<TerminationOutcome> {
    Some(TerminationOutcome::Ended { escalated: true, is_gone: false, after })
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_second_call_kills_at_once_and_its_signal_is_not_sent() {
    for scope in [TerminationScope::Child, TerminationScope::Group] {
        let mut terminator = begun(scope);
        terminator.on_terminate(Signal::HUP, GRACE, START + ms(1));
        assert_eq!(steps(&mut terminator), [Kill]);
        assert_eq!(terminator.poll_deadline(), Some(START + ms(1001)), "a second after KILL");
        terminator.on_terminate(Signal::INT, GRACE, START + ms(2));
        terminator.on_time(START + ms(3));
        assert_eq!(steps(&mut terminator), [], "one KILL is enough");
        if terminator.keeps_leader() {
            terminator.on_ended();
            assert_eq!(steps(&mut terminator), [LookAtGroup]);
            terminator.on_group(GroupState::Empty, START + ms(3));
            assert_eq!(steps(&mut terminator), [Reap]);
            assert!(!terminator.keeps_leader());
        }
        assert_eq!(terminator.poll_outcome(), None);
        terminator.on_reaped(START + ms(3));
        assert_eq!(terminator.poll_outcome(), ended(true, ms(3)));
        assert!(!terminator.is_under_way());
    }
}

#[test]
fn a_kill_that_was_not_taken_before_the_reap_goes_to_the_group_alone() {
    let mut terminator = begun(TerminationScope::Child);
    terminator.on_time(START + GRACE);
    terminator.on_reaped(START + GRACE);
    assert_eq!(steps(&mut terminator), []);
    assert_eq!(terminator.poll_outcome(), ended(true, GRACE));
    let mut terminator = begun(TerminationScope::Group);
    terminator.on_time(START + GRACE);
    terminator.on_reaped(START + GRACE);
    assert_eq!(steps(&mut terminator), [Kill, LookAtGroup]);
}

#[test]
fn a_child_that_is_not_reaped_is_waited_for_a_second_after_a_late_kill() {
    for scope in [TerminationScope::Child, TerminationScope::Group] {
        let mut terminator = begun(scope);
        let late = START + 10 * GRACE;
        terminator.on_time(late);
        assert_eq!(steps(&mut terminator), [Kill]);
        terminator.on_time(late + ms(999));
        assert_eq!(terminator.poll_outcome(), None);
        terminator.on_time(late + ms(1000));
        assert_eq!(terminator.poll_outcome(), survived(10 * GRACE + ms(1000)));
        assert!(!terminator.is_under_way());
        terminator.on_reaped(late + ms(1001));
        assert_eq!(terminator.poll_outcome(), None, "nobody waits any more");
    }
}

#[test]
fn a_grace_of_zero_kills_after_the_signal() {
    let mut terminator = Terminator::new(TerminationScope::Child);
    terminator.on_terminate(Signal::TERM, Duration::ZERO, START);
    assert_eq!(steps(&mut terminator), [Send(Signal::TERM), Continue, Kill]);
}

#[test]
fn a_refused_signal_leaves_no_termination() {
    let mut terminator = Terminator::new(TerminationScope::Group);
    terminator.on_terminate(Signal::from_raw(99), Duration::ZERO, START);
    assert_eq!(terminator.poll_step(), Some(Send(Signal::from_raw(99))));
    terminator.on_refused();
    assert_eq!(steps(&mut terminator), []);
    assert_eq!(terminator.poll_outcome(), Some(TerminationOutcome::Refused));
    assert!(!terminator.is_under_way() && terminator.poll_deadline().is_none());
    let mut terminator = begun(TerminationScope::Child);
    terminator.on_refused();
    assert!(terminator.is_under_way(), "it was CONT that was taken last");
}

#[test]
fn members_that_outlive_their_leader_are_checked_and_killed_at_the_deadline() {
    let mut terminator = begun(TerminationScope::Group);
    let mut now = START + ms(10);
    terminator.on_ended();
    terminator.on_ended();
    for interval in [1, 2, 5, 10, 20, 50, 50, 50] {
        assert_eq!(steps(&mut terminator), [LookAtGroup]);
        terminator.on_time(now);
        assert_eq!(steps(&mut terminator), [], "it is not answered yet");
        terminator.on_group(GroupState::Alive, now);
        assert_eq!(terminator.poll_deadline(), Some(now + ms(interval)));
        terminator.on_group(GroupState::Alive, now + ms(1));
        assert_eq!(terminator.poll_deadline(), Some(now + ms(interval)), "nobody asked");
        now += ms(interval);
        terminator.on_time(now);
    }
    drop(steps(&mut terminator));
    assert_eq!(terminator.poll_deadline(), Some(START + GRACE));
    terminator.on_group(GroupState::Alive, START + GRACE - ms(1));
    now = START + GRACE;
    terminator.on_time(now);
    assert_eq!(steps(&mut terminator), [LookAtGroup], "nobody may be left to be killed");
    terminator.on_group(GroupState::Alive, now);
    assert_eq!(steps(&mut terminator), [Kill]);
    for interval in [1, 2, 5] {
        assert_eq!(terminator.poll_deadline(), Some(now + ms(interval)));
        now += ms(interval);
        terminator.on_time(now);
        assert_eq!(steps(&mut terminator), [LookAtGroup]);
        terminator.on_group(GroupState::Alive, now);
    }
    assert!(terminator.keeps_leader());
    now += ms(10);
    terminator.on_time(now);
    drop(steps(&mut terminator));
    terminator.on_group(GroupState::Empty, now);
    assert_eq!((steps(&mut terminator), terminator.poll_deadline()), (vec![Reap], None));
    assert_eq!(terminator.poll_outcome(), None, "the leader's reason is not known yet");
    terminator.on_reaped(now);
    assert_eq!(terminator.poll_outcome(), ended(true, now - START));
    assert!(!terminator.is_under_way());
}

#[test]
fn a_group_that_ended_just_before_the_deadline_is_not_killed() {
    let mut terminator = begun(TerminationScope::Group);
    terminator.on_ended();
    assert_eq!(steps(&mut terminator), [LookAtGroup]);
    terminator.on_group(GroupState::Alive, START);
    terminator.on_time(START + GRACE);
    assert_eq!(steps(&mut terminator), [LookAtGroup]);
    terminator.on_group(GroupState::Empty, START + GRACE);
    assert_eq!(steps(&mut terminator), [Reap]);
    terminator.on_reaped(START + GRACE);
    assert_eq!(terminator.poll_outcome(), ended(false, GRACE));
}

#[test]
fn the_wait_ends_a_second_after_a_kill_without_effect() {
    // A member that cannot be killed.
    let mut terminator = begun(TerminationScope::Group);
    terminator.on_terminate(Signal::TERM, GRACE, START);
    terminator.on_ended();
    drop(steps(&mut terminator));
    terminator.on_group(GroupState::Alive, START + ms(990));
    assert_eq!(terminator.poll_deadline(), Some(START + ms(991)));
    terminator.on_time(START + ms(5000));
    assert_eq!(steps(&mut terminator), [LookAtGroup], "the loop was late");
    terminator.on_group(GroupState::Alive, START + ms(5000));
    assert_eq!(steps(&mut terminator), [Reap]);
    terminator.on_reaped(START + ms(5000));
    assert_eq!(terminator.poll_outcome(), survived(ms(5000)));
    // A leader that cannot be killed.
    let mut terminator = begun(TerminationScope::Group);
    terminator.on_terminate(Signal::TERM, GRACE, START);
    drop(steps(&mut terminator));
    terminator.on_time(START + ms(1000));
    assert_eq!(steps(&mut terminator), []);
    assert_eq!(terminator.poll_outcome(), survived(ms(1000)));
    assert!(!terminator.is_under_way() && !terminator.keeps_leader());
}

#[test]
fn without_a_view_of_the_group_the_leader_is_reaped_after_the_kill() {
    for (seen, outcome) in [
        (GroupState::Empty, ended(true, GRACE + ms(1))),
        (GroupState::Unknown, survived(GRACE + ms(1))),
    ] {
        let mut terminator = begun(TerminationScope::Group);
        terminator.on_ended();
        assert_eq!(steps(&mut terminator), [LookAtGroup]);
        terminator.on_group(GroupState::Unknown, START);
        terminator.on_time(START + GRACE);
        assert_eq!(steps(&mut terminator), [LookAtGroup]);
        terminator.on_group(GroupState::Unknown, START + GRACE);
        assert_eq!(steps(&mut terminator), [Kill]);
        terminator.on_time(START + GRACE + ms(1));
        assert_eq!(steps(&mut terminator), [LookAtGroup]);
        terminator.on_group(GroupState::Unknown, START + GRACE + ms(1));
        assert_eq!(steps(&mut terminator), [Reap]);
        terminator.on_reaped(START + GRACE + ms(1));
        assert_eq!(steps(&mut terminator), [LookAtGroup]);
        terminator.on_group(seen, START + GRACE + ms(1));
        assert_eq!(terminator.poll_outcome(), outcome);
    }
}

#[test]
fn a_call_after_the_reap_acts_on_the_group() {
    let mut terminator = Terminator::new(TerminationScope::Group);
    assert!(!terminator.keeps_leader());
    terminator.on_reaped(START);
    assert_eq!(steps(&mut terminator), []);
    terminator.on_terminate(Signal::TERM, GRACE, START);
    assert_eq!(steps(&mut terminator), [Send(Signal::TERM), Continue]);
    assert_eq!(terminator.poll_deadline(), Some(START + ms(1)));
    terminator.on_time(START + ms(1));
    assert_eq!(steps(&mut terminator), [LookAtGroup]);
    terminator.on_group(GroupState::Unknown, START + ms(3));
    let unseen = TerminationOutcome::Ended { escalated: false, is_gone: false, after: ms(3) };
    assert_eq!(terminator.poll_outcome(), Some(unseen));
    // The refusal proves nothing, so the next call tries again.
    terminator.on_terminate(Signal::TERM, Duration::ZERO, START);
    assert_eq!(steps(&mut terminator), [Send(Signal::TERM), Continue, Kill]);
    assert_eq!(terminator.poll_deadline(), Some(START + ms(1)));
    terminator.on_group(GroupState::Empty, START + ms(1));
    assert_eq!(terminator.poll_outcome(), ended(true, ms(1)));
    terminator.on_terminate(Signal::TERM, GRACE, START);
    assert_eq!(steps(&mut terminator), []);
    assert_eq!(terminator.poll_outcome(), Some(TerminationOutcome::TooLate));
}

#[test]
fn a_leader_that_somebody_else_reaped_ends_nothing() {
    let mut terminator = begun(TerminationScope::Group);
    terminator.on_reaped(START);
    assert_eq!(steps(&mut terminator), [LookAtGroup]);
    terminator.on_group(GroupState::Alive, START);
    assert!(terminator.is_under_way());
    terminator.on_group(GroupState::Empty, START + ms(1));
    assert_eq!(terminator.poll_outcome(), ended(false, ms(1)));
}

#[test]
fn a_reaped_child_is_not_signalled() {
    let mut terminator = Terminator::new(TerminationScope::Child);
    terminator.on_reaped(START);
    terminator.on_terminate(Signal::TERM, GRACE, START);
    assert_eq!(steps(&mut terminator), []);
    assert_eq!(terminator.poll_outcome(), Some(TerminationOutcome::TooLate));
}

#[test]
fn the_end_of_the_loop_kills_what_is_left_of_a_group() {
    let mut terminator = begun(TerminationScope::Group);
    terminator.on_ended();
    terminator.on_gone();
    assert_eq!(steps(&mut terminator), [Kill]);
    assert_eq!(terminator.poll_outcome(), Some(TerminationOutcome::Abandoned));
    assert_eq!(terminator.poll_deadline(), None);
    terminator.on_reaped(START);
    terminator.on_terminate(Signal::TERM, GRACE, START);
    assert_eq!(steps(&mut terminator), [Send(Signal::TERM), Continue, Kill]);
    assert_eq!(terminator.poll_outcome(), survived(Duration::ZERO), "nobody looks");
    let mut terminator = begun(TerminationScope::Group);
    terminator.on_gone();
    assert_eq!(steps(&mut terminator), [], "the leader is somebody else's to reap");
    assert_eq!(terminator.poll_outcome(), Some(TerminationOutcome::Abandoned));
}

#[test]
fn the_longest_grace_does_not_overflow() {
    let mut terminator = Terminator::new(TerminationScope::Group);
    terminator.on_terminate(Signal::TERM, Duration::MAX, START);
    assert_eq!(terminator.poll_deadline(), Some(Duration::MAX));
}

#[test]
fn the_state_of_a_group_does_not_matter_if_the_scope_is_the_child() {
    for state in [GroupState::Alive, GroupState::Empty, GroupState::Unknown] {
        let mut terminator = Terminator::new(TerminationScope::Child);
        terminator.on_terminate(Signal::TERM, GRACE, START);
        terminator.on_ended();
        while terminator.poll_step().is_some() {}
        terminator.on_terminate(Signal::TERM, GRACE, START);
        assert_eq!(terminator.poll_step(), Some(Kill));
        terminator.on_group(state, START);
        assert_eq!((terminator.poll_step(), terminator.poll_outcome()), (None, None), "{state:?}");
    }
}

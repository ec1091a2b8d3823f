//! What a termination asks for, case by case; `terminator_props.rs` has the laws.

use procession_core::Signal;
use procession_protocol::TerminationStep::{
    Continue, Kill, KillMembers, LookAtGroup, Signal as Send,
};
use procession_protocol::{
    GroupState, TerminationOutcome, TerminationScope, TerminationStep, Terminator,
};
use std::time::Duration;

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
    Some(TerminationOutcome::Ended { escalated, after })
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
        assert_eq!(terminator.poll_deadline(), None, "only the reap is waited for");
        terminator.on_terminate(Signal::INT, GRACE, START + ms(2));
        terminator.on_time(START + GRACE);
        assert_eq!(steps(&mut terminator), [], "one KILL is enough");
        terminator.on_reaped(START + ms(3));
        assert_eq!(terminator.poll_outcome(), ended(true, ms(3)));
        assert!(!terminator.is_under_way());
    }
}

#[test]
fn a_kill_that_was_not_taken_before_the_reap_goes_to_the_group_alone() {
    for (scope, left) in
        [(TerminationScope::Child, &[][..]), (TerminationScope::Group, &[Kill][..])]
    {
        let mut terminator = begun(scope);
        terminator.on_time(START + GRACE);
        terminator.on_reaped(START + GRACE);
        assert_eq!(steps(&mut terminator), left);
        assert_eq!(terminator.poll_outcome(), ended(true, GRACE));
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
fn members_that_outlive_their_leader_are_looked_at_and_killed_at_the_deadline() {
    let mut terminator = begun(TerminationScope::Group);
    let mut now = START + ms(10);
    terminator.on_reaped(now);
    assert_eq!(terminator.poll_outcome(), ended(false, ms(10)));
    for interval in [2, 4, 8, 16, 32, 64, 128, 200, 200] {
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
    terminator.on_time(START + GRACE);
    assert_eq!(steps(&mut terminator), [Kill]);
    assert_eq!(terminator.poll_outcome(), None, "nobody waits for it");
    assert!(!terminator.is_under_way());
}

#[test]
fn a_call_after_the_reap_acts_on_the_group() {
    let mut terminator = Terminator::new(TerminationScope::Group);
    terminator.on_reaped(START);
    assert_eq!(steps(&mut terminator), []);
    terminator.on_terminate(Signal::TERM, GRACE, START);
    assert_eq!(steps(&mut terminator), [Send(Signal::TERM), Continue]);
    assert_eq!(terminator.poll_deadline(), Some(START + ms(2)));
    terminator.on_time(START + ms(2));
    assert_eq!(steps(&mut terminator), [LookAtGroup]);
    terminator.on_group(GroupState::Unknown, START + ms(3));
    assert_eq!(terminator.poll_outcome(), ended(false, ms(3)));
    // That was no proof: the next one tries again.
    terminator.on_terminate(Signal::TERM, Duration::ZERO, START);
    assert_eq!(steps(&mut terminator), [Send(Signal::TERM), Continue, Kill]);
    assert_eq!(terminator.poll_outcome(), ended(true, Duration::ZERO));
    terminator.on_group(GroupState::Empty, START);
    terminator.on_terminate(Signal::TERM, GRACE, START);
    assert_eq!(steps(&mut terminator), []);
    assert_eq!(terminator.poll_outcome(), Some(TerminationOutcome::TooLate));
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
fn members_are_killed_before_the_reap_that_puts_them_out_of_reach() {
    let mut terminator = Terminator::new(TerminationScope::Group);
    terminator.on_group_slips_away();
    assert_eq!(steps(&mut terminator), [], "nothing is under way");
    terminator.on_terminate(Signal::TERM, GRACE, START);
    drop(steps(&mut terminator));
    terminator.on_group_slips_away();
    terminator.on_group_slips_away();
    assert_eq!(steps(&mut terminator), [KillMembers]);
    terminator.on_reaped(START);
    assert_eq!(terminator.poll_outcome(), ended(false, Duration::ZERO));
    assert_eq!(steps(&mut terminator), []);
    assert!(!terminator.is_under_way());
    let mut child = begun(TerminationScope::Child);
    child.on_group_slips_away();
    assert_eq!(steps(&mut child), [], "its group is none of ours");
}

#[test]
fn the_end_of_the_loop_kills_what_is_left_of_a_group() {
    let mut terminator = begun(TerminationScope::Group);
    terminator.on_reaped(START);
    drop((steps(&mut terminator), terminator.poll_outcome()));
    terminator.on_gone();
    assert_eq!(steps(&mut terminator), [Kill]);
    assert_eq!((terminator.poll_outcome(), terminator.poll_deadline()), (None, None));
    terminator.on_terminate(Signal::TERM, GRACE, START);
    assert_eq!(steps(&mut terminator), [Send(Signal::TERM), Continue, Kill]);
    assert_eq!(terminator.poll_outcome(), ended(true, Duration::ZERO));
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

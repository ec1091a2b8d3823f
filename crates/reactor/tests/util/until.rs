//! Drives a reactor to a condition.

use std::time::Duration;

use procession_reactor::Reactor;

use crate::bound::bound;

/// Turns until `done`, and fails after ten seconds, or what they are on a busy machine.
pub(crate) fn until(reactor: &mut Reactor, mut done: impl FnMut() -> bool) {
    let within = bound(Duration::from_secs(10));
    let deadline = reactor.now() + within;
    while !done() {
        let left = deadline.saturating_sub(reactor.now());
        assert!(!left.is_zero(), "not done within {within:?}");
        reactor.turn(Some(left)).expect("waiting does not fail");
    }
}

//! Drives a reactor until a condition holds.

use std::time::Duration;

use procession_reactor::Reactor;

use crate::bound::bound;

/// Turns until `done`. Fails after ten seconds; on a busy machine, after more.
pub(crate) fn until(reactor: &mut Reactor, mut done: impl FnMut() -> bool) {
    let within = bound(Duration::from_secs(10));
    let deadline = reactor.now() + within;
    while !done() {
        let left = deadline.saturating_sub(reactor.now());
        assert!(!left.is_zero(), "not done within {within:?}");
        reactor.turn(Some(left)).expect("waiting does not fail");
    }
}

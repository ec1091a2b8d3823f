//! Drives a reactor to a condition.

use std::time::Duration;

use procession_reactor::Reactor;

/// Turns until `done`, and fails after ten seconds.
pub(crate) fn until(reactor: &mut Reactor, mut done: impl FnMut() -> bool) {
    let deadline = reactor.now() + Duration::from_secs(10);
    while !done() {
        let left = deadline.checked_sub(reactor.now()).expect("it is done within ten seconds");
        reactor.turn(Some(left)).expect("waiting does not fail");
    }
}

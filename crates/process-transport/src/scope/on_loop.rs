//! The termination of a scope on a loop, by a timer: the loop goes on meanwhile.

use std::time::Duration;

use procession_core::Promise;
use procession_reactor::Handle;

use super::ending::{EndingStep, ScopeEnding, ScopeTermination};
use super::error::ScopeError;

/// Does what is due, and comes back after a pause.
pub(super) fn go_on(
    reactor: &Handle,
    mut ending: ScopeEnding,
    promise: Promise<ScopeTermination, ScopeError>,
    since: Duration,
) {
    match ending.step(reactor.now().saturating_sub(since)) {
        Ok(EndingStep::Done(termination)) => promise.complete(Ok(termination)),
        Err(error) => promise.complete(Err(error)),
        Ok(EndingStep::Wait(pause)) => {
            // Nothing cancels it.
            let _timer =
                reactor.call_later(pause, move |reactor| go_on(reactor, ending, promise, since));
        }
    }
}

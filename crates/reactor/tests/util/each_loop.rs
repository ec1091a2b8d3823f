//! Runs a test on both kinds of poller.

use procession_reactor::Reactor;

/// Runs `test` with the reactor for this system, then with the portable one.
pub(crate) fn each_loop(test: impl Fn(Reactor)) {
    test(Reactor::new().expect("this thread has no reactor"));
    test(Reactor::new_portable().expect("the first one is gone"));
}

//! Runs a test on both ways of waiting.

use procession_reactor::Reactor;

/// Runs `test` with the reactor of this system, then with that of other systems.
pub(crate) fn each_loop(test: impl Fn(Reactor)) {
    test(Reactor::new().expect("this thread has no reactor"));
    test(Reactor::new_portable().expect("the first one is gone"));
}

//! Drives the loop of a test until there is a result, or fails the test at a deadline.

use std::collections::BTreeMap;
use std::time::Duration;

use procession_core::{Deferred, Failed};
use procession_reactor::Reactor;
use procession_test_support::{WATCHDOG, bound, children, isolated, open_fds};
use procession_utils::Run;

/// Runs `body` with a loop in a process of its own, then waits until no descriptor and no child is
/// left.
pub(crate) fn behaviour(name: &str, body: impl FnOnce(&mut Driver)) {
    isolated(name, || {
        let mut driver = Driver::new();
        body(&mut driver);
        driver.until_nothing_is_left();
    });
}

/// A reactor and the baseline of open descriptors.
pub(crate) struct Driver {
    pub(crate) reactor: Reactor,
    fds: BTreeMap<i32, String>,
}

impl Driver {
    pub(crate) fn new() -> Self {
        let reactor = Reactor::new().expect("a reactor");
        let mut driver = Self { reactor, fds: BTreeMap::new() };
        // The first spawn opens descriptors that stay open.
        driver.get(Run::new("/bin/true").start()).expect("/bin/true");
        driver.fds = open_fds();
        driver
    }

    /// Turns until there is a result, and returns it.
    pub(crate) fn get<T: 'static, E: 'static>(
        &mut self,
        deferred: Deferred<T, E>,
    ) -> Result<T, Failed<E>> {
        let mut result = None;
        self.until("there is a result", WATCHDOG, |_| {
            result = deferred.try_take();
            result.is_some()
        });
        result.expect("it was waited for")
    }

    /// Turns until there is a result, and returns it with the time that it took.
    pub(crate) fn timed<T: 'static, E: 'static>(
        &mut self,
        deferred: Deferred<T, E>,
    ) -> (Result<T, Failed<E>>, Duration) {
        let start = self.reactor.now();
        let result = self.get(deferred);
        (result, self.reactor.now() - start)
    }

    /// Turns until `done`. Fails after [`bound`] of `within`.
    pub(crate) fn until(
        &mut self,
        what: &str,
        within: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) {
        let within = bound(within);
        let deadline = self.reactor.now() + within;
        while !done(self) {
            let left = deadline.saturating_sub(self.reactor.now());
            assert!(!left.is_zero(), "not within {within:?}: {what}; children: {:?}", children());
            // A condition outside of the loop, such as a process in /proc, is checked every 20 ms.
            let pause = left.min(Duration::from_millis(20));
            self.reactor.turn(Some(pause)).expect("a turn");
        }
    }

    /// Turns until this process has no child, neither a zombie nor a living one.
    pub(crate) fn until_no_children(&mut self, within: Duration) {
        self.until("no child is left", within, |_| children().is_empty());
    }

    /// Turns until no child and no descriptor is left.
    pub(crate) fn until_nothing_is_left(&mut self) {
        self.until_no_children(WATCHDOG);
        self.until("no descriptor is left", WATCHDOG, |driver| open_fds() == driver.fds);
    }

    /// Turns for `time`.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.reactor.now() + time;
        self.until("the time has passed", time + WATCHDOG, |driver| driver.reactor.now() >= end);
    }
}

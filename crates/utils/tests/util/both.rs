//! Runs one test on both drivers of a run: on a loop, and blocking in the thread of the test.

use std::time::{Duration, Instant};

use procession_core::Failed;
use procession_test_support::{Leaks, WATCHDOG, bound, children, isolated};
use procession_utils::{Outcome, OutputError, OutputLine, Run};

#[cfg(feature = "reactor")]
use super::drive::Driver;

/// How a test runs its programs.
pub(crate) enum Runner {
    #[cfg(feature = "reactor")]
    OnLoop(Box<Driver>),
    Blocking,
}

/// Runs `body` with each driver, in one process of its own. After each, no child and no descriptor
/// is left.
pub(crate) fn both(name: &str, body: impl Fn(&mut Runner)) {
    isolated(name, || {
        blocking_here(&body);
        #[cfg(feature = "reactor")]
        {
            let mut runner = Runner::OnLoop(Box::new(Driver::new()));
            body(&mut runner);
            let Runner::OnLoop(mut driver) = runner else { unreachable!("it was made above") };
            driver.until_nothing_is_left();
        }
    });
}

/// Runs `body` with the blocking driver alone, in a process of its own.
pub(crate) fn blocking(name: &str, body: impl FnOnce()) {
    isolated(name, || blocking_here(|_| body()));
}

fn blocking_here(body: impl FnOnce(&mut Runner)) {
    // The first spawn opens descriptors that stay open.
    Run::new("/bin/true").output_blocking().expect("/bin/true");
    let before = Leaks::baseline();
    body(&mut Runner::Blocking);
    until("no child is left", WATCHDOG, || children().is_empty());
    before.assert_none();
}

/// Looks every few milliseconds whether `done`. A spawn in between reaps children that were left.
pub(crate) fn until(what: &str, within: Duration, mut done: impl FnMut() -> bool) {
    let (start, within) = (now(), bound(within));
    while !done() {
        assert!(start.elapsed() < within, "not within {within:?}: {what}; {:?}", children());
        Run::new("/bin/true").output_blocking().expect("/bin/true");
    }
}

#[expect(clippy::disallowed_methods, reason = "a blocking run has no loop whose clock it could be")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

impl Runner {
    /// Runs the program to its result.
    pub(crate) fn get<F: FnMut(OutputLine) + 'static>(
        &mut self,
        run: Run<F>,
    ) -> Result<Outcome, OutputError> {
        match self {
            #[cfg(feature = "reactor")]
            Self::OnLoop(driver) => driver.get(run.start()).map_err(|error| match error {
                Failed::Error(error) => error,
                error => panic!("there is a result: {error:?}"),
            }),
            Self::Blocking => run.output_blocking(),
        }
    }

    /// Runs the program, and returns how long that took.
    pub(crate) fn timed<F: FnMut(OutputLine) + 'static>(
        &mut self,
        run: Run<F>,
    ) -> (Result<Outcome, OutputError>, Duration) {
        let start = now();
        let result = self.get(run);
        (result, start.elapsed())
    }

    /// Waits until `done`, while a loop, if there is one, goes on.
    pub(crate) fn until(&mut self, what: &str, within: Duration, done: impl FnMut() -> bool) {
        match self {
            #[cfg(feature = "reactor")]
            Self::OnLoop(driver) => {
                let mut done = done;
                driver.until(what, within, |_| done());
            }
            Self::Blocking => until(what, within, done),
        }
    }

    /// Waits until this process has no child.
    pub(crate) fn until_no_children(&mut self, within: Duration) {
        self.until("no child is left", within, || children().is_empty());
    }

    /// Waits for the end of a program that was left running.
    pub(crate) fn end(
        &mut self,
        ended: procession_utils::Ended,
    ) -> procession_protocol::ExitReason {
        match self {
            #[cfg(feature = "reactor")]
            Self::OnLoop(driver) => driver.get(ended.into_deferred()).expect("it ends"),
            Self::Blocking => ended.wait().expect("it ends"),
        }
    }

    /// Asserts that the loop, if there is one, has no timer left.
    pub(crate) fn assert_no_timer(&self) {
        #[cfg(feature = "reactor")]
        if let Self::OnLoop(driver) = self {
            assert_eq!(driver.reactor.next_deadline(), None, "no timer is left");
        }
    }
}

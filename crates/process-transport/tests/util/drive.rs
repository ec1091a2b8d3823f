//! Drives the loop of a test: spawns recorded children and turns until a condition holds.
//!
//! If the condition does not hold in time, the test fails and prints everything that was recorded.

use std::cell::Cell;
use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use procession_core::Failed;
use procession_process_transport::{Command, SpawnError, SpawnProcess};
use procession_protocol::Process;
use procession_reactor::{Handle, Reactor};
use procession_test_support::{Leaks, WATCHDOG, bound, children, isolated, open_fds};

use super::path::{command, forced_path};
use super::recorder::{Event, Record, Recorder};

/// Runs `body` with a loop in a process of its own, then checks that every child it started has
/// ended and that no descriptor and no child is left.
pub(crate) fn behaviour(name: &str, body: impl FnOnce(&mut Driver)) {
    isolated(name, || {
        let mut driver = Driver::new();
        body(&mut driver);
        driver.finish();
    });
}

/// A child and its recorded events.
#[derive(Clone)]
pub(crate) struct Spawned {
    /// The handle of the child.
    pub(crate) process: Process,
    /// The recorded events.
    pub(crate) record: Record,
}

/// A reactor, the children that were started on it, and the baseline of open descriptors.
pub(crate) struct Driver {
    reactor: Reactor,
    leaks: Leaks,
    records: Vec<Record>,
}

impl Driver {
    /// Makes a reactor, runs one child to its end, and takes the baseline.
    pub(crate) fn new() -> Self {
        let reactor = Reactor::new().expect("a reactor");
        let mut driver = Self { reactor, leaks: Leaks::baseline(), records: Vec::new() };
        driver.run(command("/bin/true"));
        driver.leaks = Leaks::baseline();
        driver
    }

    /// Returns the reactor.
    pub(crate) fn reactor(&mut self) -> &mut Reactor {
        &mut self.reactor
    }

    /// Returns a handle of the reactor.
    pub(crate) fn handle(&self) -> Handle {
        self.reactor.handle()
    }

    /// Returns the time of the reactor's clock.
    pub(crate) fn now(&self) -> Duration {
        self.reactor.now()
    }

    /// Returns the baseline of open descriptors.
    pub(crate) fn leaks(&self) -> &Leaks {
        &self.leaks
    }

    /// Takes the baseline again, for a test that opened descriptors itself.
    pub(crate) fn rebase(&mut self) {
        self.leaks = Leaks::baseline();
    }

    /// Starts a recorded child.
    pub(crate) fn spawn(&mut self, command: Command) -> Spawned {
        self.spawn_with(command, |_, _| ())
    }

    /// Starts a recorded child, with a hook that runs inside each callback.
    pub(crate) fn spawn_with(
        &mut self,
        command: Command,
        hook: impl FnMut(&Process, &Event) + 'static,
    ) -> Spawned {
        let shown = format!("{command:?}");
        self.try_spawn_with(command, hook)
            .unwrap_or_else(|error| panic!("{shown} does not start: {error}: {error:?}"))
    }

    /// Does the same as [`Driver::spawn_with`], for a spawn that may fail.
    pub(crate) fn try_spawn_with(
        &mut self,
        command: Command,
        hook: impl FnMut(&Process, &Event) + 'static,
    ) -> Result<Spawned, SpawnError> {
        let (recorder, record) = Recorder::with(hook);
        let spawned = self.reactor.spawn_process(recorder, command);
        match &spawned {
            Ok(_) => assert_eq!(record.events(), [Event::Made], "what spawn_process called back"),
            Err(_) => assert_eq!(record.events(), [], "a failed spawn calls nothing back"),
        }
        let process = spawned?;
        if let Some(forced) = forced_path() {
            assert_eq!(process.spawned_by(), Some(forced), "no silent way round the forced path");
        }
        self.records.push(record.clone());
        Ok(Spawned { process, record })
    }

    /// Starts a recorded child off the loop, and drives the loop until it has begun, or cannot.
    pub(crate) fn try_spawn_soon(
        &mut self,
        command: Command,
        hook: impl FnMut(&Process, &Event) + 'static,
    ) -> Result<Spawned, SpawnError> {
        let (recorder, record) = Recorder::with(hook);
        let started = self.reactor.spawn_process_soon(recorder, command);
        assert_eq!(record.events(), [], "spawn_process_soon calls nobody back");
        let mut result = None;
        self.until("the child has begun, or cannot", WATCHDOG, || {
            result = result.take().or_else(|| started.try_take());
            result.is_some()
        });
        let process = match result.expect("it is there") {
            Ok(process) => process,
            Err(Failed::Error(error)) => {
                assert_eq!(record.events(), [], "a failed spawn calls nothing back");
                return Err(error);
            }
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(record.events().first(), Some(&Event::Made));
        if let Some(forced) = forced_path() {
            assert_eq!(process.spawned_by(), Some(forced), "no silent way round the forced path");
        }
        self.records.push(record.clone());
        Ok(Spawned { process, record })
    }

    /// Spawns a command that must fail, and checks that it leaves no callback, child or descriptor.
    pub(crate) fn fails(&mut self, command: Command) -> SpawnError {
        let shown = format!("{command:?}");
        let before = open_fds();
        // Only pids are compared: states may change meanwhile, and a zombie is still a child.
        let pids = || children().into_iter().map(|(pid, ..)| pid).collect::<Vec<_>>();
        let alive = pids();
        let Err(error) = self.try_spawn_with(command, |_, _| ()) else {
            panic!("{shown} started");
        };
        assert_eq!(pids(), alive, "a failed spawn leaves no child: {shown}");
        // Descriptors that the command held are closed with it; none may be opened.
        let left: Vec<_> =
            open_fds().into_iter().filter(|(fd, link)| before.get(fd) != Some(link)).collect();
        assert_eq!(left, [], "a failed spawn leaves no descriptor: {shown}");
        error
    }

    /// Starts a child and drives it to its end.
    pub(crate) fn run(&mut self, command: Command) -> Record {
        let child = self.spawn(command);
        self.drive_to_end(&child.record);
        child.record
    }

    /// Starts a child with a hook and drives it to its end.
    pub(crate) fn run_with(
        &mut self,
        command: Command,
        hook: impl FnMut(&Process, &Event) + 'static,
    ) -> Record {
        let child = self.spawn_with(command, hook);
        self.drive_to_end(&child.record);
        child.record
    }

    /// Sends bytes to a child, and asserts that they come back.
    #[track_caller]
    pub(crate) fn assert_echoes(&mut self, command: Command, sent: &[u8]) {
        let child = self.spawn(command);
        child.process.write(sent.to_vec());
        child.process.close_stdin();
        self.drive_to_end(&child.record);
        assert!(child.record.data(1) == sent, "{} bytes", child.record.data(1).len());
        assert_eq!(child.record.code(), 0);
    }

    /// Drives the loop until the child has ended.
    pub(crate) fn drive_to_end(&mut self, record: &Record) {
        self.until("the child has ended", WATCHDOG, || record.ended().is_some());
    }

    /// Drives the loop until all children have ended.
    pub(crate) fn drive_all_to_end(&mut self, within: Duration) {
        let records = self.records.clone();
        let ended = || records.iter().all(|record| record.ended().is_some());
        self.until("all children have ended", within, ended);
    }

    /// Drives the loop until `done`. Fails after `within` and prints all events.
    pub(crate) fn until(&mut self, what: &str, within: Duration, mut done: impl FnMut() -> bool) {
        let within = bound(within);
        let deadline = self.now() + within;
        while !done() {
            let left = deadline.saturating_sub(self.now());
            assert!(!left.is_zero(), "not within {within:?}: {what}\n{}", self.dump());
            // A turn first does the work that was requested outside of turns. Look again before
            // waiting.
            self.turn();
            if !done() {
                self.reactor.turn(Some(left)).expect("a turn");
            }
        }
    }

    /// Does the same as [`Driver::until`], for a condition outside of the loop. No event reports
    /// that it holds, so it is checked every few milliseconds.
    pub(crate) fn until_seen(
        &mut self,
        what: &str,
        within: Duration,
        mut done: impl FnMut() -> bool,
    ) {
        let within = bound(within);
        let deadline = self.now() + within;
        while !done() {
            assert!(self.now() < deadline, "not within {within:?}: {what}\n{}", self.dump());
            self.reactor.turn(Some(Duration::from_millis(2))).expect("a turn");
        }
    }

    /// Starts a repeating timer of 10 ms. The counter shows how often it ran.
    pub(crate) fn ticker(&self) -> Rc<Cell<usize>> {
        fn tick(handle: &Handle, count: Rc<Cell<usize>>) {
            handle.call_later(Duration::from_millis(10), move |handle| {
                count.set(count.get() + 1);
                tick(handle, count);
            });
        }
        let count = Rc::new(Cell::new(0));
        tick(&self.handle(), count.clone());
        count
    }

    /// Drives the loop for `time`.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now() + time;
        loop {
            let left = end.saturating_sub(self.now());
            if left.is_zero() {
                return;
            }
            self.reactor.turn(Some(left)).expect("a turn");
        }
    }

    /// Returns how many turns the loop makes in `time`: one or two if nothing happens.
    pub(crate) fn turns_in(&mut self, time: Duration) -> usize {
        let end = self.now() + time;
        let mut turns = 0;
        while self.now() < end {
            let left = end.saturating_sub(self.now());
            self.reactor.turn(Some(left)).expect("a turn");
            turns += 1;
        }
        turns
    }

    /// Runs one turn that does not wait.
    pub(crate) fn turn(&mut self) {
        self.reactor.turn(Some(Duration::ZERO)).expect("a turn");
    }

    /// Checks that all children have ended and that no child and no descriptor is left.
    pub(crate) fn finish(self) {
        for record in &self.records {
            assert!(record.ended().is_some(), "a child has not ended:\n{}", self.dump());
        }
        self.leaks.assert_none();
    }

    /// Returns everything that was recorded, as text.
    pub(crate) fn dump(&self) -> String {
        let mut text = String::new();
        for (index, record) in self.records.iter().enumerate() {
            write!(text, "child {index}:\n{record:?}").expect("a String takes all");
        }
        text
    }
}

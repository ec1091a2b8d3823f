//! The loop of a test: spawns recorded children and turns until a condition holds.
//!
//! A condition that does not come true in time fails with everything that was recorded.

use std::fmt::Write;
use std::time::Duration;

use procession_process_transport::{Command, SpawnError, SpawnProcess};
use procession_protocol::Process;
use procession_reactor::{Handle, Reactor};
use procession_test_support::{Leaks, WATCHDOG, bound, children, isolated, open_fds};

use super::path::{command, forced_path};
use super::recorder::{Event, Record, Recorder};

/// Runs `body` with a loop in a process of its own, then checks that every child that it started
/// has ended and that no descriptor and no child is left.
pub(crate) fn behaviour(name: &str, body: impl FnOnce(&mut Driver)) {
    isolated(name, || {
        let mut driver = Driver::new();
        body(&mut driver);
        driver.finish();
    });
}

/// A child and what it did.
#[derive(Clone)]
pub(crate) struct Spawned {
    /// The handle.
    pub(crate) process: Process,
    /// The events.
    pub(crate) record: Record,
}

/// A reactor, the children that were started on it, and the descriptors that it may keep.
pub(crate) struct Driver {
    reactor: Reactor,
    leaks: Leaks,
    records: Vec<Record>,
}

impl Driver {
    /// Makes a reactor, starts one child to its end, and takes the baseline.
    pub(crate) fn new() -> Self {
        let reactor = Reactor::new().expect("a reactor");
        let mut driver = Self { reactor, leaks: Leaks::baseline(), records: Vec::new() };
        driver.run(command("/bin/true"));
        driver.leaks = Leaks::baseline();
        driver
    }

    /// The reactor.
    pub(crate) fn reactor(&mut self) -> &mut Reactor {
        &mut self.reactor
    }

    /// A handle of the reactor.
    pub(crate) fn handle(&self) -> Handle {
        self.reactor.handle()
    }

    /// The reactor's clock.
    pub(crate) fn now(&self) -> Duration {
        self.reactor.now()
    }

    /// The descriptors that were open at the beginning.
    pub(crate) fn leaks(&self) -> &Leaks {
        &self.leaks
    }

    /// Accepts what is open now as the baseline: for descriptors that the test itself opened.
    pub(crate) fn rebase(&mut self) {
        self.leaks = Leaks::baseline();
    }

    /// Starts a child that is recorded.
    pub(crate) fn spawn(&mut self, command: Command) -> Spawned {
        self.spawn_with(command, |_, _| ())
    }

    /// Starts a child that is recorded, with a hook that runs inside each callback.
    pub(crate) fn spawn_with(
        &mut self,
        command: Command,
        hook: impl FnMut(&Process, &Event) + 'static,
    ) -> Spawned {
        let shown = format!("{command:?}");
        self.try_spawn_with(command, hook)
            .unwrap_or_else(|error| panic!("{shown} does not start: {error}: {error:?}"))
    }

    /// Like [`Driver::spawn_with`], for a spawn that may fail.
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

    /// Starts a child that must not start: no callback, no child, no descriptor is left by it.
    pub(crate) fn fails(&mut self, command: Command) -> SpawnError {
        let shown = format!("{command:?}");
        let before = open_fds();
        // Their states may change meanwhile, and a zombie is still a child.
        let pids = || children().into_iter().map(|(pid, ..)| pid).collect::<Vec<_>>();
        let alive = pids();
        let Err(error) = self.try_spawn_with(command, |_, _| ()) else {
            panic!("{shown} started");
        };
        assert_eq!(pids(), alive, "a failed spawn leaves no child: {shown}");
        // What the command itself held is closed with it, nothing is opened.
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

    /// Drives the loop until `done`; fails with all events after `within`.
    pub(crate) fn until(&mut self, what: &str, within: Duration, mut done: impl FnMut() -> bool) {
        let within = bound(within);
        let deadline = self.now() + within;
        while !done() {
            let left = deadline.saturating_sub(self.now());
            assert!(!left.is_zero(), "not within {within:?}: {what}\n{}", self.dump());
            // What was asked for outside of turns is done before a turn waits: look before that.
            self.turn();
            if !done() {
                self.reactor.turn(Some(left)).expect("a turn");
            }
        }
    }

    /// Like [`Driver::until`], for a condition of the world outside: no event of the loop tells
    /// that it has come true, so that it is looked at every few milliseconds.
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

    /// Drives the loop for this long.
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

    /// How many turns that time takes: one or two where nothing happens.
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

    /// One turn that does not wait.
    pub(crate) fn turn(&mut self) {
        self.reactor.turn(Some(Duration::ZERO)).expect("a turn");
    }

    /// Checks that all children have ended and that nothing is left.
    pub(crate) fn finish(self) {
        for record in &self.records {
            assert!(record.ended().is_some(), "a child has not ended:\n{}", self.dump());
        }
        self.leaks.assert_none();
    }

    /// All that was recorded.
    pub(crate) fn dump(&self) -> String {
        let mut text = String::new();
        for (index, record) in self.records.iter().enumerate() {
            write!(text, "child {index}:\n{record:?}").expect("a String takes all");
        }
        text
    }
}

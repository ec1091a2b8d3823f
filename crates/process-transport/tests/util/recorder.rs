//! A protocol that records every event with its time, checks the grammar of events at each one, and
//! calls a hook of the test inside each callback.
//!
//! The grammar: `connection_made` comes first and once. Data are never empty and never come after
//! the loss of their fd. Each fd is lost once. `process_exited` comes once and before
//! `process_ended`, which is the last. The process has no pid from `process_exited` on. No callback
//! runs inside another one of the same protocol. A violation panics in the callback, which unwinds
//! out of the loop and fails the test.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use procession_protocol::{ChildFd, ExitReason, Process, ProcessProtocol};
use procession_reactor::Handle;

/// One callback.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// `connection_made`.
    Made,
    /// `child_data_received`.
    Data(i32, Bytes),
    /// `child_read_closed`.
    ReadClosed(i32),
    /// `child_connection_lost`.
    Lost(i32),
    /// `child_write_buffer_full`.
    Full(i32),
    /// `child_write_buffer_drained`.
    Drained(i32),
    /// `process_exited`.
    Exited(ExitReason),
    /// `process_ended`.
    Ended(ExitReason),
}

/// A closure that the test runs inside each callback, after the event was recorded.
type Hook = Box<dyn FnMut(&Process, &Event)>;

/// The recording protocol.
pub(crate) struct Recorder {
    record: Record,
    hook: Hook,
}

impl Recorder {
    /// Makes a protocol that only records.
    pub(crate) fn new() -> (Self, Record) {
        Self::with(|_, _| ())
    }

    /// Makes a protocol that records and then calls `hook`.
    pub(crate) fn with(hook: impl FnMut(&Process, &Event) + 'static) -> (Self, Record) {
        let record = Record::default();
        (Self { record: record.clone(), hook: Box::new(hook) }, record)
    }

    fn note(&mut self, process: &Process, event: Event) {
        self.record.enter(process, &event);
        (self.hook)(process, &event);
        self.record.leave();
    }
}

impl ProcessProtocol for Recorder {
    fn connection_made(&mut self, process: &Process) {
        self.note(process, Event::Made);
    }

    fn child_data_received(&mut self, process: &Process, fd: ChildFd, data: Bytes) {
        self.note(process, Event::Data(fd.as_raw(), data));
    }

    fn child_read_closed(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, Event::ReadClosed(fd.as_raw()));
    }

    fn child_connection_lost(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, Event::Lost(fd.as_raw()));
    }

    fn child_write_buffer_full(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, Event::Full(fd.as_raw()));
    }

    fn child_write_buffer_drained(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, Event::Drained(fd.as_raw()));
    }

    fn process_exited(&mut self, process: &Process, reason: ExitReason) {
        self.note(process, Event::Exited(reason));
    }

    fn process_ended(&mut self, process: &Process, reason: ExitReason) {
        self.note(process, Event::Ended(reason));
    }
}

/// The recorded events of a [`Recorder`], for the test.
#[derive(Clone, Default)]
pub(crate) struct Record(Rc<RefCell<RecordState>>);

#[derive(Default)]
struct RecordState {
    events: Vec<(Duration, Event)>,
    lost: BTreeSet<i32>,
    read_closed: BTreeSet<i32>,
    /// A callback is running.
    inside: bool,
}

impl Record {
    /// Records `event` and checks that the grammar allows it here.
    fn enter(&self, process: &Process, event: &Event) {
        let now = Handle::current().now();
        let pid = process.pid();
        let mut state = self.0.borrow_mut();
        let inside = std::mem::replace(&mut state.inside, true);
        let first = state.events.is_empty();
        let ended = matches!(state.events.last(), Some((_, Event::Ended(_))));
        let exited = state.events.iter().any(|(_, event)| matches!(event, Event::Exited(_)));
        state.events.push((now, event.clone()));
        let legal = match event {
            Event::Made => first && pid.is_some_and(|pid| pid > 0),
            Event::Data(fd, data) => {
                !data.is_empty() && !state.lost.contains(fd) && !state.read_closed.contains(fd)
            }
            Event::ReadClosed(fd) => !state.lost.contains(fd) && state.read_closed.insert(*fd),
            Event::Lost(fd) => state.lost.insert(*fd),
            Event::Full(fd) | Event::Drained(fd) => !state.lost.contains(fd),
            Event::Exited(_) => !exited && pid.is_none(),
            Event::Ended(_) => exited && pid.is_none(),
        };
        let legal = legal && !inside && !ended && first == (*event == Event::Made);
        drop(state);
        assert!(legal, "an illegal event (inside another: {inside}, pid {pid:?}):\n{self:?}");
    }

    fn leave(&self) {
        self.0.borrow_mut().inside = false;
    }

    /// Returns all events so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.borrow().events.iter().map(|(_, event)| event.clone()).collect()
    }

    /// Returns how many events so far match `like`.
    pub(crate) fn count(&self, like: impl Fn(&Event) -> bool) -> usize {
        self.0.borrow().events.iter().filter(|(_, event)| like(event)).count()
    }

    /// Returns whether an event that matches `like` was recorded.
    pub(crate) fn has(&self, like: impl Fn(&Event) -> bool) -> bool {
        self.count(like) > 0
    }

    /// Returns the index of the first event that matches `like`.
    pub(crate) fn position(&self, like: impl Fn(&Event) -> bool) -> Option<usize> {
        self.0.borrow().events.iter().position(|(_, event)| like(event))
    }

    /// Returns the time of the first event that matches `like`, by the reactor's clock.
    pub(crate) fn when(&self, like: impl Fn(&Event) -> bool) -> Option<Duration> {
        self.0.borrow().events.iter().find(|(_, event)| like(event)).map(|(when, _)| *when)
    }

    /// Returns whether the first event that matches `like` came between `earliest` and `latest`
    /// after the spawn.
    ///
    /// The child began to run at an unknown time between the start of the clock and
    /// `connection_made`. So `earliest` counts from the start of the clock, and `latest` from
    /// `connection_made`.
    pub(crate) fn came_within(
        &self,
        like: impl Fn(&Event) -> bool,
        earliest: Duration,
        latest: Duration,
    ) -> bool {
        let came = self.when(&like).is_some_and(|came| came >= earliest);
        came && self.after_made(like).is_some_and(|after| after < latest)
    }

    /// Returns how long after `connection_made` the first event that matches `like` came.
    pub(crate) fn after_made(&self, like: impl Fn(&Event) -> bool) -> Option<Duration> {
        let made = self.when(|event| *event == Event::Made)?;
        Some(self.when(like)?.saturating_sub(made))
    }

    /// Returns all data that came from `fd`.
    pub(crate) fn data(&self, fd: i32) -> Vec<u8> {
        let mut all = Vec::new();
        for (_, event) in &self.0.borrow().events {
            match event {
                Event::Data(number, data) if *number == fd => all.extend_from_slice(data),
                _ => {}
            }
        }
        all
    }

    /// Returns all data that came from `fd`, as text.
    pub(crate) fn text(&self, fd: i32) -> String {
        String::from_utf8_lossy(&self.data(fd)).into_owned()
    }

    /// Returns the fds that were lost, in ascending order.
    pub(crate) fn lost(&self) -> Vec<i32> {
        self.0.borrow().lost.iter().copied().collect()
    }

    /// Returns whether `fd` was lost.
    pub(crate) fn is_lost(&self, fd: i32) -> bool {
        self.0.borrow().lost.contains(&fd)
    }

    /// Returns the reason that `process_exited` got.
    pub(crate) fn exited(&self) -> Option<ExitReason> {
        self.0.borrow().events.iter().find_map(|(_, event)| match event {
            Event::Exited(reason) => Some(reason.clone()),
            _ => None,
        })
    }

    /// Returns the reason that `process_ended` got.
    pub(crate) fn ended(&self) -> Option<ExitReason> {
        match self.0.borrow().events.last() {
            Some((_, Event::Ended(reason))) => Some(reason.clone()),
            _ => None,
        }
    }

    /// Returns the exit code. Panics before the end and after a death by signal.
    pub(crate) fn code(&self) -> i32 {
        let reason = self.ended().unwrap_or_else(|| panic!("it has not ended:\n{self:?}"));
        code(&reason).unwrap_or_else(|| panic!("no exit code: {reason:?}"))
    }

    /// Returns the signal that ended the child. Panics before the end and after an exit.
    pub(crate) fn signal(&self) -> i32 {
        let reason = self.ended().unwrap_or_else(|| panic!("it has not ended:\n{self:?}"));
        signal(&reason).unwrap_or_else(|| panic!("no signal: {reason:?}"))
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (when, event) in &self.0.borrow().events {
            match event {
                Event::Data(fd, data) if data.len() > 200 => {
                    writeln!(f, "  {when:>12?} Data({fd}, {} bytes)", data.len())?;
                }
                _ => writeln!(f, "  {when:>12?} {event:?}")?,
            }
        }
        Ok(())
    }
}

/// Returns the exit code in a reason.
pub(crate) fn code(reason: &ExitReason) -> Option<i32> {
    match reason {
        Ok(_) => Some(0),
        Err(terminated) => terminated.exit_code(),
    }
}

/// Returns the signal in a reason.
pub(crate) fn signal(reason: &ExitReason) -> Option<i32> {
    reason.as_ref().err()?.signal().map(|signal| signal.as_raw())
}

//! Pure core: facts about a child in (`on_*`), callbacks that are due out (`poll_*`).
//!
//! # Model
//!
//! A child has a set of pipes, known from its start, and is reaped once, which is its exit. It has ended
//! when it is reaped and every pipe is closed, including those that the parent writes to.
//!
//! Inputs, in any order: data, marks, the end of one direction, the loss of a pipe, the reap, time,
//! pauses, the stop of the loop, the protocol's panic. Late and repeated facts are ignored.
//!
//! Outputs: [`Event`]s. `Made` comes first. Each pipe has any mix of `Data`, `Mark` and one `ReadClosed`
//! with no `Data` after it, then one `Lost` and nothing more. `Exited` comes once; `Ended` comes once,
//! last, when every pipe is lost. After a panic there is no event, but the getters stay correct.
//!
//! With `drain_after_exit` a deadline runs from the reap. When [`on_time`](Lifecycle::on_time)
//! passes it, [`poll_drain`](Lifecycle::poll_drain) returns each pipe that is still open, once; a
//! paused pipe only after it was resumed. The driver reads the bytes in it at that moment and closes it.

mod pipes;
mod reasons;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use procession_core::Mark;
use procession_core::driver::Spent;

use self::pipes::Pipes;
use crate::event::DataNow;
use crate::{ChildFd, Event, ExitReason};

/// Decides which callbacks of a child are due, and when. The module's page has the model.
///
/// # Examples
///
/// ```
/// use procession::{ChildFd, Event, ProcessDone};
/// use procession::driver::protocol::Lifecycle;
/// use std::time::Duration;
///
/// let mut child = Lifecycle::new([ChildFd::STDOUT], None);
/// assert_eq!(child.poll_event(), Some(Event::Made));
/// child.on_reaped(Ok(ProcessDone::default()), Duration::ZERO);
/// assert_eq!(child.poll_event(), Some(Event::Exited(Ok(ProcessDone::default()))));
/// assert_eq!(child.poll_event(), None); // its output is still open
/// child.on_pipe_closed(ChildFd::STDOUT);
/// assert_eq!(child.poll_event(), Some(Event::Lost(ChildFd::STDOUT)));
/// assert_eq!(child.poll_event(), Some(Event::Ended(Ok(ProcessDone::default()))));
/// ```
#[derive(Debug)]
pub struct Lifecycle {
    pipes: Pipes,
    /// `Some` from the reap on.
    reason: Option<ExitReason>,
    /// The limit on pipes that are open after the reap: until the reap how long it is, then the time at
    /// which it passes. `None` if there is none, and once it has passed.
    drain: Option<Duration>,
    /// The first event that is due, if it has no data. It needs no allocation, and nearly every event is
    /// delivered before the next one is due.
    first: Option<Notice>,
    /// Set once, when `Ended` is due.
    ended: bool,
    /// `Ended` is due, after everything else.
    end_due: bool,
    /// No event is queued once this is set.
    panicked: bool,
    /// The other events that are due; `Some` from the first one on. Boxed, because few children have any.
    #[expect(clippy::box_collection, reason = "as said")]
    due: Option<Box<VecDeque<Event>>>,
}

/// An event without data.
#[derive(Debug, Clone, Copy)]
enum Notice {
    Made,
    ReadClosed(ChildFd),
    Lost(ChildFd),
    Mark(ChildFd, Mark),
    /// With the reason as it is.
    Exited,
}

impl Lifecycle {
    /// Creates the lifecycle of a child with these pipes; a number that occurs twice counts once.
    pub fn new(
        pipes: impl IntoIterator<Item = ChildFd>,
        drain_after_exit: Option<Duration>,
    ) -> Self {
        Self {
            pipes: Pipes::new(pipes),
            reason: None,
            drain: drain_after_exit,
            first: Some(Notice::Made),
            ended: false,
            end_due: false,
            panicked: false,
            due: None,
        }
    }

    /// Sets the time after the reap at which open pipes are cut off. Ignored after the reap.
    pub fn set_drain_after_exit(&mut self, after: Option<Duration>) {
        if self.reason.is_none() {
            self.drain = after;
        }
    }

    /// Queues data that the child wrote. Returns data that are empty, or whose pipe is closed or has
    /// ended; drop those while nothing is borrowed.
    #[inline]
    #[must_use = "drop it while nothing is borrowed"]
    pub fn on_data(&mut self, fd: ChildFd, data: Bytes) -> Option<Bytes> {
        if data.is_empty() || !self.accepts(fd) {
            return Some(data);
        }
        self.queue(Event::Data(fd, data));
        None
    }

    /// Does the same as [`on_data`](Self::on_data); but if no event is due, it returns the data at
    /// once, as [`poll_event`](Self::poll_event) would.
    #[inline]
    pub fn on_data_now(&mut self, fd: ChildFd, data: Bytes) -> DataNow {
        if !self.has_event() && !data.is_empty() && self.accepts(fd) {
            return DataNow::Due(data);
        }
        self.on_data(fd, data).map_or(DataNow::Queued, DataNow::Refused)
    }

    /// Notes that a write queue crossed a limit.
    #[inline]
    pub fn on_mark(&mut self, fd: ChildFd, mark: Mark) {
        if self.is_open(fd) {
            self.push(Notice::Mark(fd, mark));
        }
    }

    /// Notes that the child will write no more to this socketpair; the parent still may.
    pub fn on_read_closed(&mut self, fd: ChildFd) {
        if self.pipes.close_reading(fd) {
            self.push(Notice::ReadClosed(fd));
        }
    }

    /// Notes that the parent's end is closed. Data that were read before are delivered before the loss.
    pub fn on_pipe_closed(&mut self, fd: ChildFd) {
        if self.pipes.close(fd) {
            self.push(Notice::Lost(fd));
            self.end_if_due();
        }
    }

    /// Notes that the child was reaped at `now`.
    pub fn on_reaped(&mut self, reason: ExitReason, now: Duration) {
        if self.reason.is_some() {
            return;
        }
        self.reason = Some(reason);
        self.drain = self.drain.map(|after| now.saturating_add(after));
        self.push(Notice::Exited);
        self.end_if_due();
    }

    /// Notes that the time is `now`, on the clock of [`on_reaped`](Self::on_reaped).
    pub fn on_time(&mut self, now: Duration) {
        if self.poll_deadline().is_some_and(|deadline| now >= deadline) {
            self.drain = None;
            self.pipes.drain_all();
        }
    }

    /// Notes that every process that may write to the pipes was terminated. All pipes are due from
    /// [`poll_drain`](Self::poll_drain), whatever `drain_after_exit` is. Ignored before the reap.
    pub fn on_terminated(&mut self) {
        if self.reason.is_some() {
            self.drain = None;
            self.pipes.drain_all();
        }
    }

    /// Notes that the program paused this pipe: it is not drained until it is resumed.
    pub fn on_paused(&mut self, fd: ChildFd) {
        self.pipes.set_paused(fd, true);
    }

    /// Notes that the program resumed this pipe.
    pub fn on_resumed(&mut self, fd: ChildFd) {
        self.pipes.set_paused(fd, false);
    }

    /// Notes that no process held a pipe from [`poll_drain`](Self::poll_drain) at the deadline.
    pub fn on_not_held(&mut self, fd: ChildFd) {
        self.pipes.clear_held(fd);
    }

    /// Notes that the loop stops and closes the open pipes: the exit reason names them.
    pub fn on_stop(&mut self) {
        self.pipes.stop();
    }

    /// Notes that the protocol panicked: there are no more events, only bookkeeping.
    ///
    /// Returns the data that were due; drop them while nothing is borrowed.
    pub fn on_panicked(&mut self) -> Spent {
        self.panicked = true;
        self.first = None;
        self.end_due = false;
        let mut spent = Spent::default();
        let due = self.due.take().map_or_else(VecDeque::new, |due| *due);
        spent.extend(due.into_iter().filter_map(|event| match event {
            Event::Data(_, data) => Some(data),
            _ => None,
        }));
        spent
    }

    /// Takes the next callback that is due.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(first) = self.first.take() {
            return self.event(first);
        }
        if let Some(event) = self.due.as_mut().and_then(|due| due.pop_front()) {
            return Some(event);
        }
        if mem::take(&mut self.end_due) { self.reason.clone().map(Event::Ended) } else { None }
    }

    /// Returns whether an event is due: whether [`poll_event`](Self::poll_event) returns one.
    #[inline]
    pub fn has_event(&self) -> bool {
        self.first.is_some() || self.end_due || self.has_queued()
    }

    /// Returns the time at which to call [`on_time`](Self::on_time), if there is one.
    pub fn poll_deadline(&self) -> Option<Duration> {
        self.drain.filter(|_| self.reason.is_some())
    }

    /// Takes the next pipe to drain: read the bytes that it holds now, then close it.
    ///
    /// The pipe counts as held, unless [`on_not_held`](Self::on_not_held) is called for it.
    pub fn poll_drain(&mut self) -> Option<ChildFd> {
        self.pipes.poll_drain()
    }

    /// Returns whether a pipe is to be drained: whether [`poll_drain`](Self::poll_drain) returns one.
    #[inline]
    pub fn has_drain(&self) -> bool {
        self.pipes.has_drain()
    }

    /// Returns whether the parent's end of `fd` is open.
    #[inline]
    pub fn is_open(&self, fd: ChildFd) -> bool {
        self.pipes.is_open(fd)
    }

    /// Returns whether data of `fd` would be delivered.
    #[inline]
    pub fn accepts(&self, fd: ChildFd) -> bool {
        !self.panicked && self.pipes.is_readable(fd)
    }

    /// Returns the open pipes.
    pub fn open_fds(&self) -> impl Iterator<Item = ChildFd> {
        self.pipes.fds()
    }

    /// Returns how the child ended, once it is reaped.
    pub fn reason(&self) -> Option<&ExitReason> {
        self.reason.as_ref()
    }

    /// Returns whether the child was reaped.
    #[inline]
    pub fn is_reaped(&self) -> bool {
        self.reason.is_some()
    }

    /// Returns whether the child was reaped and every pipe is closed; `Ended` may still be due.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Returns how the child ended, once `Ended` is no longer due.
    pub fn reported_end(&self) -> Option<&ExitReason> {
        self.reason().filter(|_| self.ended && !self.has_event())
    }

    /// Returns whether neither an event nor a pipe to drain is due.
    #[inline]
    pub fn is_idle(&self) -> bool {
        !self.has_event() && !self.pipes.has_drain()
    }

    fn has_queued(&self) -> bool {
        self.due.as_ref().is_some_and(|due| !due.is_empty())
    }

    fn push(&mut self, notice: Notice) {
        if self.panicked {
            return;
        }
        if self.first.is_none() && !self.has_queued() {
            self.first = Some(notice);
        } else if let Some(event) = self.event(notice) {
            self.queue(event);
        }
    }

    fn queue(&mut self, event: Event) {
        self.due.get_or_insert_default().push_back(event);
    }

    /// Makes the event; `Exited` follows the reap, so there is a reason.
    fn event(&self, notice: Notice) -> Option<Event> {
        Some(match notice {
            Notice::Made => Event::Made,
            Notice::ReadClosed(fd) => Event::ReadClosed(fd),
            Notice::Lost(fd) => Event::Lost(fd),
            Notice::Mark(fd, mark) => Event::Mark(fd, mark),
            Notice::Exited => Event::Exited(self.reason.clone()?),
        })
    }

    fn end_if_due(&mut self) {
        if !self.pipes.is_empty() || self.ended {
            return;
        }
        let Some(reason) = &self.reason else { return };
        if self.pipes.has_cut_off() {
            let named = self.pipes.name_cut_off(reason.clone());
            // `Exited` has the reason without the pipes that were cut off.
            let exited = self.first.take_if(|first| matches!(first, Notice::Exited));
            if let Some(exited) = exited.and_then(|exited| self.event(exited)) {
                self.due.get_or_insert_default().push_front(exited);
            }
            self.reason = Some(named);
        }
        self.ended = true;
        self.drain = None;
        self.end_due = !self.panicked;
    }
}

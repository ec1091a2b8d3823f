//! Pure core: facts about a child in (`on_*`), callbacks that are due out (`poll_*`).
//!
//! # Model
//!
//! A child has a set of pipes, known at its birth, and is reaped once. Exited means reaped. Ended
//! means reaped and every pipe closed, those that the parent writes to as well.
//!
//! Inputs: data, marks, the end of one direction, the loss of a pipe, the reap, time, pauses, the
//! stop of the loop, the protocol's panic. They may come in any order; a fact that is late (data of
//! a closed pipe) or repeated (a second reap) is ignored.
//!
//! Outputs: [`Event`]s. `Made` first; for one pipe any mix of `Data`, `Mark` and one `ReadClosed`
//! with no `Data` after it, then one `Lost` and nothing more; `Exited` once; `Ended` once, last,
//! when every pipe is lost. After a panic no event at all, but the getters go on counting.
//!
//! With `drain_after_exit` a deadline runs from the reap. When [`on_time`](Lifecycle::on_time)
//! passes it, each pipe still open is due once from [`poll_drain`](Lifecycle::poll_drain), a paused
//! one after it was resumed; the driver reads what it holds at that moment and closes it.

mod pipes;

use self::pipes::Pipes;
use crate::{ChildFd, DataNow, Event, ExitReason};
use bytes::Bytes;
use procession_core::{Mark, Spent};
use std::collections::VecDeque;
use std::time::Duration;

/// Decides which callbacks are due, and when: the one place that does, for real children and fakes.
///
/// The module's page has the model.
///
/// # Examples
///
/// ```
/// use procession_protocol::{ChildFd, Event, Lifecycle, ProcessDone};
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
    drain_after_exit: Option<Duration>,
    /// `Some` from the reap until the time has passed, if there is something to wait for.
    deadline: Option<Duration>,
    /// Set once, when `Ended` is queued, or would be.
    ended: bool,
    /// No event is queued once this is set.
    panicked: bool,
    due: VecDeque<Event>,
}

impl Lifecycle {
    /// Starts the life of a child with these pipes; a number that occurs twice counts once.
    pub fn new(
        pipes: impl IntoIterator<Item = ChildFd>,
        drain_after_exit: Option<Duration>,
    ) -> Self {
        Self {
            pipes: Pipes::new(pipes),
            reason: None,
            drain_after_exit,
            deadline: None,
            ended: false,
            panicked: false,
            due: VecDeque::from([Event::Made]),
        }
    }

    /// Changes how long after the reap pipes are cut off. Ignored from the reap on.
    pub fn set_drain_after_exit(&mut self, after: Option<Duration>) {
        if self.reason.is_none() {
            self.drain_after_exit = after;
        }
    }

    /// The child wrote. Empty data, and data of a pipe that is closed or whose end was met, are
    /// handed back, to be dropped where nothing is borrowed.
    #[inline]
    #[must_use = "drop it where nothing is borrowed"]
    pub fn on_data(&mut self, fd: ChildFd, data: Bytes) -> Option<Bytes> {
        if data.is_empty() || !self.accepts(fd) {
            return Some(data);
        }
        self.due.push_back(Event::Data(fd, data));
        None
    }

    /// Does the same, but where nothing else is due the data are handed over at once, as
    /// [`poll_event`](Self::poll_event) would after it.
    #[inline]
    pub fn on_data_now(&mut self, fd: ChildFd, data: Bytes) -> DataNow {
        if self.due.is_empty() && !data.is_empty() && self.accepts(fd) {
            return DataNow::Due(data);
        }
        match self.on_data(fd, data) {
            None => DataNow::Queued,
            Some(refused) => DataNow::Refused(refused),
        }
    }

    /// A write queue crossed a limit.
    #[inline]
    pub fn on_mark(&mut self, fd: ChildFd, mark: Mark) {
        if self.is_open(fd) {
            self.push(Event::Mark(fd, mark));
        }
    }

    /// The child will write no more to this socketpair, but the parent may.
    pub fn on_read_closed(&mut self, fd: ChildFd) {
        if self.pipes.close_reading(fd) {
            self.push(Event::ReadClosed(fd));
        }
    }

    /// The parent's end is gone. What was read before is still delivered before the loss.
    pub fn on_pipe_closed(&mut self, fd: ChildFd) {
        if self.pipes.close(fd) {
            self.push(Event::Lost(fd));
            self.end_if_due();
        }
    }

    /// The child was reaped at `now`.
    pub fn on_reaped(&mut self, reason: ExitReason, now: Duration) {
        if self.reason.is_some() {
            return;
        }
        self.reason = Some(reason.clone());
        self.deadline = self.drain_after_exit.map(|after| now.saturating_add(after));
        self.push(Event::Exited(reason));
        self.end_if_due();
    }

    /// It is `now`, on the clock that the reap was told by.
    pub fn on_time(&mut self, now: Duration) {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.deadline = None;
            self.pipes.drain_all();
        }
    }

    /// Whoever may write to the pipes was terminated: what they hold is read, and they are closed,
    /// whatever `drain_after_exit` says. Ignored before the reap.
    pub fn on_terminated(&mut self) {
        if self.reason.is_some() {
            self.deadline = None;
            self.pipes.drain_all();
        }
    }

    /// The program paused this pipe: it is not to be drained before it is resumed.
    pub fn on_paused(&mut self, fd: ChildFd) {
        self.pipes.set_paused(fd, true);
    }

    /// The program resumed this pipe.
    pub fn on_resumed(&mut self, fd: ChildFd) {
        self.pipes.set_paused(fd, false);
    }

    /// Nobody held a pipe from [`poll_drain`](Self::poll_drain) when the deadline passed.
    pub fn on_not_held(&mut self, fd: ChildFd) {
        self.pipes.clear_held(fd);
    }

    /// The loop stops, and closes the pipes that are open: the reason of the end names them.
    pub fn on_stop(&mut self) {
        self.pipes.stop();
    }

    /// The protocol panicked: there are no more events, only bookkeeping.
    ///
    /// What was due is returned, to be dropped where nothing is borrowed.
    pub fn on_panicked(&mut self) -> Spent {
        self.panicked = true;
        let mut spent = Spent::default();
        spent.extend(self.due.drain(..).filter_map(|event| match event {
            Event::Data(_, data) => Some(data),
            _ => None,
        }));
        spent
    }

    /// Takes the callback that is due next.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.due.pop_front()
    }

    /// Tells whether an event is due: whether [`poll_event`](Self::poll_event) gives one.
    #[inline]
    pub fn has_event(&self) -> bool {
        !self.due.is_empty()
    }

    /// Returns when [`on_time`](Self::on_time) is to be called, if it is.
    pub fn poll_deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Takes a pipe that is to be read once more, for what it holds now, and closed.
    ///
    /// It is recorded as held, unless [`on_not_held`](Self::on_not_held) says otherwise.
    pub fn poll_drain(&mut self) -> Option<ChildFd> {
        self.pipes.poll_drain()
    }

    /// Tells whether a pipe is to be drained: whether [`poll_drain`](Self::poll_drain) gives one.
    #[inline]
    pub fn has_drain(&self) -> bool {
        self.pipes.has_drain()
    }

    /// Tells whether the parent's end of `fd` is open.
    #[inline]
    pub fn is_open(&self, fd: ChildFd) -> bool {
        self.pipes.is_open(fd)
    }

    /// Tells whether data of `fd` would be delivered.
    #[inline]
    pub fn accepts(&self, fd: ChildFd) -> bool {
        !self.panicked && self.pipes.is_readable(fd)
    }

    /// Returns the pipes that are open.
    pub fn open_fds(&self) -> impl Iterator<Item = ChildFd> {
        self.pipes.fds()
    }

    /// Returns how the child ended, from its reap on.
    pub fn reason(&self) -> Option<&ExitReason> {
        self.reason.as_ref()
    }

    /// Tells whether the child was reaped.
    #[inline]
    pub fn is_reaped(&self) -> bool {
        self.reason.is_some()
    }

    /// Tells whether the child was reaped and every pipe is closed; `Ended` may still be due.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Returns how the child ended, once `Ended` is no longer due.
    pub fn reported_end(&self) -> Option<&ExitReason> {
        self.reason().filter(|_| self.ended && self.due.is_empty())
    }

    /// Tells whether the protocol panicked.
    pub fn is_panicked(&self) -> bool {
        self.panicked
    }

    /// Tells whether neither an event nor a pipe to drain is due.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.due.is_empty() && !self.pipes.has_drain()
    }

    fn push(&mut self, event: Event) {
        if !self.panicked {
            self.due.push_back(event);
        }
    }

    fn end_if_due(&mut self) {
        if !self.pipes.is_empty() || self.ended {
            return;
        }
        let Some(reason) = self.reason.take() else { return };
        let reason = self.pipes.name_cut_off(reason);
        self.reason = Some(reason.clone());
        self.ended = true;
        self.deadline = None;
        self.push(Event::Ended(reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ProcessDone, with_held_fds};

    const OUT: ChildFd = ChildFd::STDOUT;
    const GRACE: Duration = Duration::from_secs(1);

    fn events(child: &mut Lifecycle) -> Vec<Event> {
        std::iter::from_fn(|| child.poll_event()).collect()
    }

    fn done() -> ExitReason {
        Ok(ProcessDone::default())
    }

    #[test]
    fn exit_before_eof_ends_after_the_last_pipe() {
        let mut child = Lifecycle::new([OUT, ChildFd::STDERR], None);
        assert!(!child.is_idle() && child.reason().is_none());
        child.on_reaped(done(), Duration::ZERO);
        assert_eq!(child.reason(), Some(&done()));
        child.on_pipe_closed(OUT);
        assert_eq!(events(&mut child), [Event::Made, Event::Exited(done()), Event::Lost(OUT)]);
        assert!(child.is_idle(), "an open pipe alone is nothing to do");
        child.on_pipe_closed(ChildFd::STDERR);
        assert_eq!(events(&mut child), [Event::Lost(ChildFd::STDERR), Event::Ended(done())]);
        assert!(child.is_ended() && child.is_idle());
    }

    #[test]
    fn a_child_without_pipes_ends_when_it_is_reaped() {
        let mut child = Lifecycle::new([], Some(GRACE));
        child.on_reaped(done(), Duration::ZERO);
        assert_eq!(events(&mut child), [Event::Made, Event::Exited(done()), Event::Ended(done())]);
        assert_eq!(child.poll_deadline(), None);
    }

    #[test]
    fn a_held_pipe_is_drained_at_the_deadline_and_named() {
        let mut child = Lifecycle::new([OUT], Some(GRACE));
        child.on_reaped(done(), GRACE);
        assert_eq!(child.poll_deadline(), Some(GRACE * 2));
        child.on_time(GRACE * 2 - Duration::from_nanos(1));
        assert_eq!(child.poll_drain(), None);
        assert_eq!(events(&mut child).len(), 2);
        assert!(child.is_idle());
        child.on_time(GRACE * 2);
        assert!(!child.is_idle(), "a pipe is to be drained, though no event is due");
        assert_eq!((child.poll_drain(), child.poll_drain()), (Some(OUT), None));
        child.on_pipe_closed(OUT);
        let last = events(&mut child).pop().unwrap();
        assert_eq!(last, Event::Ended(with_held_fds(done(), vec![OUT])));
    }

    #[test]
    fn a_pipe_whose_last_read_met_the_end_was_not_held() {
        let mut child = Lifecycle::new([OUT], Some(GRACE));
        child.on_reaped(done(), Duration::ZERO);
        child.on_time(GRACE);
        assert_eq!(child.poll_drain(), Some(OUT));
        child.on_not_held(OUT);
        child.on_pipe_closed(OUT);
        assert_eq!(events(&mut child).pop(), Some(Event::Ended(done())));
    }

    #[test]
    fn a_paused_pipe_is_drained_when_it_is_resumed() {
        let mut child = Lifecycle::new([OUT], Some(GRACE));
        child.on_paused(OUT);
        child.on_reaped(done(), Duration::ZERO);
        child.on_time(GRACE);
        assert_eq!(child.poll_drain(), None);
        drop(events(&mut child));
        assert!(child.is_idle(), "until it is resumed");
        child.on_resumed(OUT);
        assert!(!child.is_idle());
        assert_eq!(child.poll_drain(), Some(OUT));
    }

    #[test]
    fn a_stop_names_the_pipes_that_it_finds_open() {
        let mut child = Lifecycle::new([ChildFd::STDIN, OUT], None);
        child.on_pipe_closed(ChildFd::STDIN);
        child.on_stop();
        child.on_stop();
        child.on_pipe_closed(OUT);
        child.on_reaped(done(), Duration::ZERO);
        let Some(Event::Ended(Ok(done))) = events(&mut child).pop() else { panic!("it ended") };
        assert_eq!((done.stopped_fds(), done.held_fds()), (&[OUT][..], &[][..]));
    }

    #[test]
    fn after_a_panic_there_is_bookkeeping_and_no_event() {
        let mut child = Lifecycle::new([OUT], None);
        assert_eq!(child.on_data(OUT, Bytes::from_static(b"lost")), None);
        assert!(!child.is_panicked());
        assert!(!child.on_panicked().is_empty(), "the data are the caller's to drop");
        assert!(child.is_panicked());
        assert!(child.on_data(OUT, Bytes::from_static(b"lost")).is_some());
        child.on_reaped(done(), Duration::ZERO);
        child.on_pipe_closed(OUT);
        assert!(child.is_ended() && child.is_reaped());
        assert_eq!(child.poll_event(), None);
    }
}

//! What is known of one child: its parts, and the lifecycle that is told what they see. Every method
//! is a short change under the transport's borrow: no callback, and what may run foreign code when
//! dropped is handed out as [`Leftovers`].

use super::parts::{
    AfterRead, ChildTermination, Ends, ExitWatch, Leftovers, SeenOfEnd, SettledCalls,
};
use crate::launch::{ParentEnd, Policy};
use crate::spawned::{AtDrop, OwnedChild, Spawned, since};
use crate::sys::Peeked;
use procession_protocol::ChildFd;
use procession_protocol::driver::{DataNow, Lifecycle, TerminationScope};
use procession_reactor::driver::Read;
use procession_reactor::forward::Forward;
use procession_reactor::pipe::{Direction, Pipe, READ_BUDGET_BYTES, ReadEvent};
use procession_reactor::{DelayedCall, Handle, Readiness};
use std::rc::Rc;
use std::time::{Duration, Instant};

mod leaving;

/// Of a child that the program does not kill where it drops it.
const GRACE_AT_THE_END_MS: u16 = 2000;

/// One child's state.
pub(super) struct State {
    pub(super) lifecycle: Lifecycle,
    pub(super) ends: Ends,
    pub(super) exit: ExitWatch,
    pub(super) termination: ChildTermination,
    /// Of the bound on descendants that hold a pipe.
    pub(super) drain_timer: Option<DelayedCall>,
    policy: Policy,
    /// When the child was reaped, if that was before the loop took it.
    reaped: Option<Instant>,
}

/// What came of an event.
pub(super) enum Seen {
    /// A read, if anything.
    Read(Option<Read>),
    More(Wants),
}

/// What an event asks for, where it is more than a read.
pub(super) struct Wants {
    pub(super) read: bool,
    pub(super) flush: bool,
    pub(super) close: bool,
}

impl State {
    /// The state of a child that has begun to run, and its ends, not yet part of it.
    pub(super) fn new(spawned: Spawned, now: Duration) -> (Self, Vec<ParentEnd>) {
        let Spawned { child, ends, taken, terminal, policy, parent_peak_kib, reason, reaped } =
            spawned;
        let fds = ends.iter().map(|end| end.fd).chain(taken.iter().copied());
        // What is left of the bound on what holds the pipes of a child that was reaped before.
        let passed = reaped.map_or(Duration::ZERO, since);
        let drain = policy.drain_after_exit.map(|drain| drain.saturating_sub(passed));
        let mut lifecycle = Lifecycle::new(fds, drain);
        for fd in &taken {
            lifecycle.on_pipe_closed(*fd);
        }
        let exit = ExitWatch::new(child, policy.leads_group, parent_peak_kib, reason.is_some());
        let mut termination = ChildTermination::new(policy.scope());
        if let Some(reason) = reason {
            lifecycle.on_reaped(reason, now);
            termination.on_reaped(now);
        }
        let in_loop = Ends::new(taken, terminal, ends.len());
        let mut state =
            Self { lifecycle, ends: in_loop, exit, termination, drain_timer: None, policy, reaped };
        state.let_live_if_over();
        (state, ends)
    }

    /// Takes everything out of the loop again; `left` are the ends that were not given to it.
    pub(super) fn give_back(&mut self, reactor: &Handle, left: Vec<ParentEnd>) -> Spawned {
        let (ends, taken, terminal) = self.ends.give_back(reactor, left);
        let child = self.take_child(reactor);
        Spawned { ends, taken, terminal, ..child }
    }

    /// Takes the child out of the loop, without its ends.
    fn take_child(&mut self, reactor: &Handle) -> Spawned {
        let reason = self.lifecycle.reason().cloned();
        let place = self.exit.take_place();
        let pidfd = self.exit.take_back(reactor);
        let at_drop = if reason.is_some() { AtDrop::Nothing } else { AtDrop::of(&self.policy) };
        Spawned {
            child: OwnedChild {
                pid: self.exit.number(),
                place,
                pidfd,
                path: self.exit.path(),
                at_drop,
                launched_by: self.policy.launched_by,
            },
            ends: Vec::new(),
            taken: Vec::new(),
            terminal: None,
            policy: self.policy.clone(),
            parent_peak_kib: self.exit.parent_peak_kib(),
            reason,
            reaped: self.reaped,
        }
    }

    pub(super) fn add_end(&mut self, fd: ChildFd, direction: Direction, mut pipe: Pipe) {
        // Sockets and terminals go both ways.
        if self.policy.pipes_grow && direction != Direction::Both {
            pipe.set_adaptive();
        }
        self.ends.add(fd, direction, pipe);
    }

    /// Sorts out what the poller saw of one end, and reads once where that is all.
    #[inline]
    pub(super) fn on_ready(&mut self, reactor: &Handle, fd: ChildFd, seen: Readiness) -> Seen {
        let Some(end) = self.ends.get(fd) else { return Seen::Read(None) };
        match end.on_ready(reactor, seen) {
            SeenOfEnd::Nothing => Seen::Read(None),
            SeenOfEnd::Readable => {
                let event = end.read(reactor, READ_BUDGET_BYTES);
                Seen::Read(event.map(|event| read(&mut self.lifecycle, fd, event)))
            }
            SeenOfEnd::More { read, flush, close } => Seen::More(Wants { read, flush, close }),
        }
    }

    /// Reads once, of what is left of the turn's budget; `None` if the end is paused, closed, or
    /// forwarded by now.
    pub(super) fn read(&mut self, reactor: &Handle, fd: ChildFd, budget: usize) -> Option<Read> {
        let event = self.ends.get(fd)?.read(reactor, budget)?;
        Some(read(&mut self.lifecycle, fd, event))
    }

    /// Writes what is queued and closes what is to be closed, for every end.
    #[inline]
    pub(super) fn flush(&mut self, reactor: &Handle, left: &mut Leftovers) {
        let mut flushed = 0;
        while let Some((index, fd)) =
            self.ends.after(flushed).enumerate().find_map(|(index, end)| {
                end.flush(reactor, &mut self.lifecycle, left).then(|| (index, end.fd()))
            })
        {
            flushed += index + 1;
            self.close(reactor, fd, left);
        }
    }

    /// Closes the parent's end now; its loss is due.
    pub(super) fn close(&mut self, reactor: &Handle, fd: ChildFd, left: &mut Leftovers) {
        if let Some(end) = self.ends.get(fd) {
            end.close(reactor, left);
        }
        self.lose(fd);
    }

    /// The parent's end is lost, as far as the program is concerned.
    fn lose(&mut self, fd: ChildFd) {
        self.ends.on_loss();
        self.lifecycle.on_pipe_closed(fd);
        if self.lifecycle.is_ended()
            && let Some(timer) = self.drain_timer.take()
        {
            timer.cancel(); // it holds this transport, and with it the pidfd of a leader
        }
        self.let_live_if_over();
    }

    /// The child writes no more to this end: all of it, but for a socketpair that is still written.
    pub(super) fn on_read_end(&mut self, reactor: &Handle, fd: ChildFd, left: &mut Leftovers) {
        match self.ends.get(fd).and_then(|end| end.on_read_end(reactor, left)) {
            None => {}
            Some(AfterRead::Nothing) => self.close(reactor, fd, left),
            Some(AfterRead::Writing) => self.lifecycle.on_read_closed(fd),
        }
    }

    /// True once: when the first end is lost while the child lives.
    #[inline]
    pub(super) fn seems_to_end(&mut self) -> bool {
        self.ends.take_first_loss() && !self.lifecycle.is_reaped()
    }

    /// The child may have ended: it is reaped then, unless its termination keeps it; what is left over.
    pub(super) fn on_exit_seen(&mut self, reactor: &Handle) -> Option<Leftovers> {
        if self.termination.keeps_leader() {
            self.notice_end(reactor)?;
        } else {
            self.reap(reactor)?;
        }
        let mut left = Leftovers::default();
        left.complete(self.terminate_on(reactor));
        Some(left)
    }

    /// It is time for something of the termination.
    pub(super) fn on_termination_due(&mut self, reactor: &Handle) -> Option<SettledCalls> {
        if self.termination.keeps_leader() && !self.exit.is_kept() {
            // Told first: what has ended just now is not killed.
            self.notice_end(reactor);
        }
        self.termination.on_time(reactor.now());
        self.terminate_on(reactor)
    }

    /// Does what the termination asks for; the calls that are settled come back.
    pub(super) fn terminate_on(&mut self, reactor: &Handle) -> Option<SettledCalls> {
        while self.termination.act(&self.exit, reactor) {
            if self.reap(reactor).is_none() {
                // A tracer has it now: its exit is told anew.
                self.exit.watch_again(reactor);
                break;
            }
        }
        let settled = self.termination.settle(self.lifecycle.reason())?;
        self.let_live_if_over();
        if settled.has_ended() && self.termination.scope() == TerminationScope::Group {
            // Who still holds a pipe is not of the group.
            self.lifecycle.on_terminated();
            if settled.is_gone() {
                self.exit.forget_group();
            }
        }
        Some(settled)
    }

    /// Looks for the end of a child whose termination keeps it; `None` while it runs.
    fn notice_end(&mut self, reactor: &Handle) -> Option<()> {
        match self.exit.peek(reactor) {
            Peeked::Running => None,
            Peeked::Ended => {
                self.exit.keep(reactor);
                self.termination.on_ended();
                Some(())
            }
            Peeked::Lost => self.reap(reactor),
        }
    }

    /// Reaps the child if it has ended: the one place that does.
    fn reap(&mut self, reactor: &Handle) -> Option<()> {
        let reason = self.exit.try_reap(reactor)?;
        self.ends.close_slave();
        self.termination.on_reaped(reactor.now());
        self.lifecycle.on_reaped(reason, reactor.now());
        self.let_live_if_over();
        Some(())
    }

    /// What the child has left in its group ends with the program as long as somebody waits for it.
    fn let_live_if_over(&mut self) {
        if self.lifecycle.is_ended() && !self.termination.is_under_way() {
            self.exit.let_live();
        }
    }

    /// Begins to drain the ends whose time has come; those that are forwarded come back, with how many
    /// bytes they hold.
    pub(super) fn begin_to_drain(&mut self, reactor: &Handle) -> Vec<(Rc<Forward>, usize)> {
        if !self.lifecycle.has_drain() {
            return Vec::new();
        }
        // Of all, before one is closed: that may end whoever holds the others.
        for end in self.ends.iter_mut() {
            end.note_held(reactor);
        }
        let mut forwards = Vec::new();
        while let Some(fd) = self.lifecycle.poll_drain() {
            let Some(end) = self.ends.get(fd) else { continue };
            let bytes = end.begin_to_drain(reactor);
            if !end.was_held() {
                self.lifecycle.on_not_held(fd);
            }
            forwards.extend(end.forward().map(|forward| (Rc::clone(forward), bytes)));
        }
        forwards
    }

    /// Returns how long its group has between TERM and KILL where the program ends before it.
    pub(super) fn grace_at_the_end(&self) -> Duration {
        let entry = self.policy.entry.as_ref();
        Duration::from_millis(entry.map_or(GRACE_AT_THE_END_MS, |entry| entry.grace_ms).into())
    }

    /// Returns whether the child, which has not come to its end, leads a group that is the program's, or
    /// has left it.
    pub(super) fn leads_owned_group(&self) -> bool {
        self.termination.scope() == TerminationScope::Group && !self.lifecycle.is_ended()
    }

    /// Returns whether the child, which runs, is killed on drop, and nobody is ending it.
    pub(super) fn is_to_end_with_owner(&self, reactor: &Handle) -> bool {
        let is_running = !self.lifecycle.is_reaped() && !self.termination.is_under_way();
        self.policy.kill_on_drop && is_running && self.is_launched_here(reactor)
    }

    /// Returns whether a drop may do anything to the child: a forked copy has no children of its parent.
    pub(super) fn is_launched_here(&self, reactor: &Handle) -> bool {
        match self.policy.launched_by {
            0 => !reactor.is_inherited(),
            pid => pid == std::process::id(),
        }
    }

    /// The protocol is gone: nothing more is written, and what the child writes is read and thrown
    /// away, so that it can come to its end.
    pub(super) fn on_panicked(&mut self, reactor: &Handle) -> Leftovers {
        let mut left = Leftovers::default();
        left.take(self.lifecycle.on_panicked());
        for fd in self.ends.fds() {
            let Some(end) = self.ends.get(fd).filter(|end| end.key().is_some()) else { continue };
            if end.throw_away(reactor, &mut left) {
                self.lifecycle.on_resumed(fd);
            } else {
                self.close(reactor, fd, &mut left);
            }
        }
        left
    }
}

/// Tells the lifecycle of what was read.
#[inline]
fn read(lifecycle: &mut Lifecycle, fd: ChildFd, event: ReadEvent) -> Read {
    let data = match event {
        ReadEvent::Data(data) => data,
        event => return Read::Event(event),
    };
    let bytes = data.len();
    match lifecycle.on_data_now(fd, data) {
        DataNow::Due(data) => Read::Data(data),
        DataNow::Queued => Read::Queued(bytes),
        // It counts all the same.
        DataNow::Refused(refused) => Read::Event(ReadEvent::Data(refused)),
    }
}

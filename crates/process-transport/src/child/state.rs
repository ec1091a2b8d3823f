//! The state of one child: its parts, and the lifecycle that learns what they see. Every method is
//! a short change under the transport's borrow, without callbacks. Values whose drop may run
//! foreign code are returned as [`Leftovers`].

use std::rc::Rc;
use std::time::{Duration, Instant};

use procession_core::driver::{Direction, WithCell};
use procession_protocol::ChildFd;
use procession_protocol::driver::{DataNow, Lifecycle, TerminationScope};
use procession_reactor::driver::{Forward, Pipe, ReadEvent};
use procession_reactor::{DelayedCall, Handle, Readiness};

use super::parts::{
    AfterRead, ChildTermination, EndReadiness, Ends, ExitWatch, Leftovers, SettledCalls,
};
use crate::launch::{ParentEnd, Policy};
use crate::spawned::{DropAction, OwnedChild, Spawned, since};
use crate::sys::PeekOutcome;
use crate::trace;

mod leaving;

/// The grace at the end of the program for a child that a drop does not kill.
const GRACE_AT_THE_END_MS: u16 = 2000;

/// One child's state.
pub(super) struct ChildState {
    pub(super) lifecycle: Lifecycle,
    pub(super) ends: Ends,
    pub(super) exit: ExitWatch,
    pub(super) termination: ChildTermination,
    /// The timer of the limit on descendants that hold a pipe. Boxed, because few children have one.
    pub(super) drain_timer: Option<Box<DelayedCall>>,
    policy: Policy,
}

/// What a child is made of beside its state.
#[derive(Default)]
pub(super) struct Remainder {
    /// The ends that the loop does not have.
    pub(super) ends: Vec<ParentEnd>,
    /// The ends that the program had taken before the loop took the child.
    pub(super) taken: Vec<ChildFd>,
    /// When the child was reaped, if that was before the loop took it.
    pub(super) reaped: Option<Instant>,
}

/// Holds the state. A change of it reaches the subscribers of tracing when the borrow has ended.
pub(super) struct StateCell(WithCell<ChildState>);

impl StateCell {
    pub(super) fn new(state: ChildState) -> Self {
        Self(WithCell::new(state))
    }

    #[inline]
    #[track_caller]
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut ChildState) -> R) -> R {
        trace::after(|| self.0.with(change))
    }
}

/// The result of an event.
pub(super) enum ReadyOutcome {
    /// The result of a read, if there was one.
    Read(Option<ReadEvent>),
    More(ReadyWork),
}

/// What an event requires beyond a read.
pub(super) struct ReadyWork {
    pub(super) read: bool,
    pub(super) flush: bool,
    pub(super) close: bool,
}

impl ChildState {
    /// Creates the state of a child, which has no ends yet.
    #[inline]
    pub(super) fn new(spawned: Spawned, reactor: &Handle, left: &mut Remainder) -> Self {
        let Spawned { mut child, ends, taken, terminal, policy, parent_peak_kib, reason, reaped } =
            spawned;
        let branch = child.branch.take();
        let fds = ends.iter().map(|end| end.fd).chain(taken.iter().copied());
        // What is left of the limit on its pipes, if the child was reaped before.
        let passed = reaped.map_or(Duration::ZERO, since);
        let drain = policy.drain_after_exit.map(|drain| drain.saturating_sub(passed));
        let mut lifecycle = Lifecycle::new(fds, drain);
        for fd in &taken {
            lifecycle.on_pipe_closed(*fd);
        }
        let exit = ExitWatch::new(child, policy.leads_group, parent_peak_kib, reason.is_some());
        let mut termination = ChildTermination::new(policy.scope(), branch);
        if let Some(reason) = reason {
            let now = reactor.now();
            lifecycle.on_reaped(reason, now);
            termination.on_reaped(now);
        }
        let in_loop = Ends::new(terminal, ends.len());
        let mut state =
            Self { lifecycle, ends: in_loop, exit, termination, drain_timer: None, policy };
        state.let_live_if_over();
        *left = Remainder { ends, taken, reaped };
        state
    }

    /// Takes everything out of the loop again; `left` has the ends that the loop did not get.
    pub(super) fn give_back(&mut self, reactor: &Handle, left: Remainder) -> Spawned {
        let Remainder { ends: left, mut taken, reaped } = left;
        let (ends, terminal) = self.ends.give_back(reactor, left, &mut taken);
        let child = self.take_child(reactor);
        Spawned { ends, taken, terminal, reaped, ..child }
    }

    /// Takes the child out of the loop, without its ends.
    fn take_child(&mut self, reactor: &Handle) -> Spawned {
        let reason = self.lifecycle.reason().cloned();
        let place = self.exit.take_place();
        let pidfd = self.exit.take_back(reactor);
        let at_drop =
            if reason.is_some() { DropAction::Nothing } else { DropAction::of(&self.policy) };
        Spawned {
            child: OwnedChild {
                pid: self.exit.number(),
                place,
                pidfd,
                branch: self.termination.take_branch(),
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
            reaped: None, // only for a wait that reads its outputs
        }
    }

    pub(super) fn add_end(&mut self, fd: ChildFd, direction: Direction, mut pipe: Pipe) {
        // Sockets and terminals are bidirectional, and do not grow.
        if self.policy.pipes_grow && direction != Direction::Both {
            pipe.set_adaptive();
        }
        self.ends.add(fd, direction, pipe);
    }

    /// Handles what the poller saw at one end, and reads once if nothing else is due.
    #[inline]
    pub(super) fn on_ready(
        &mut self,
        reactor: &Handle,
        fd: ChildFd,
        seen: Readiness,
    ) -> ReadyOutcome {
        let Some(end) = self.ends.get(fd) else { return ReadyOutcome::Read(None) };
        match end.on_ready(reactor, seen) {
            EndReadiness::Nothing => ReadyOutcome::Read(None),
            EndReadiness::Readable => {
                let event = end.read(reactor, Pipe::READ_BUDGET_BYTES);
                ReadyOutcome::Read(event.map(|event| read(&mut self.lifecycle, fd, event)))
            }
            EndReadiness::More { read, flush, close } => {
                ReadyOutcome::More(ReadyWork { read, flush, close })
            }
        }
    }

    /// Reads once within the rest of the turn's budget; returns `None` if the end is paused, closed
    /// or forwarded by now.
    pub(super) fn read(
        &mut self,
        reactor: &Handle,
        fd: ChildFd,
        budget: usize,
    ) -> Option<ReadEvent> {
        let event = self.ends.get(fd)?.read(reactor, budget)?;
        Some(read(&mut self.lifecycle, fd, event))
    }

    /// Writes what is queued and closes what must be closed, for every end.
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

    /// Records the loss of the parent's end for the program.
    fn lose(&mut self, fd: ChildFd) {
        self.ends.on_loss();
        self.lifecycle.on_pipe_closed(fd);
        if self.lifecycle.is_ended()
            && let Some(timer) = self.drain_timer.take()
        {
            timer.cancel(); // it holds this transport, and so the pidfd of a leader
        }
        self.let_live_if_over();
    }

    /// Handles the end of what the child writes here. Closes the end, unless it is a socketpair
    /// that the parent still writes.
    pub(super) fn on_read_end(&mut self, reactor: &Handle, fd: ChildFd, left: &mut Leftovers) {
        match self.ends.get(fd).and_then(|end| end.on_read_end(reactor, left)) {
            None => {}
            Some(AfterRead::Nothing) => self.close(reactor, fd, left),
            Some(AfterRead::Writing) => self.lifecycle.on_read_closed(fd),
        }
    }

    /// Returns true once: after the first end is lost while the child lives.
    #[inline]
    pub(super) fn seems_to_end(&mut self) -> bool {
        self.ends.take_first_loss() && !self.lifecycle.is_reaped()
    }

    /// Reaps the child if it has ended, unless its termination keeps it; returns `None` while it
    /// runs.
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

    /// Does what the termination has scheduled for now.
    pub(super) fn on_termination_due(&mut self, reactor: &Handle) -> Option<SettledCalls> {
        if self.termination.keeps_leader() && !self.exit.is_kept() {
            // First, so that a child that has just ended is not killed.
            self.notice_end(reactor);
        }
        self.termination.on_time(reactor.now());
        self.terminate_on(reactor)
    }

    /// Does what the termination asks for; returns the calls that are settled.
    pub(super) fn terminate_on(&mut self, reactor: &Handle) -> Option<SettledCalls> {
        while self.termination.act(&self.exit, reactor) {
            if self.reap(reactor).is_none() {
                // A tracer holds it now; its exit will be reported again.
                self.exit.watch_again(reactor);
                break;
            }
        }
        let settled = self.termination.settle(self.lifecycle.reason())?;
        self.let_live_if_over();
        if settled.has_ended() && self.termination.scope() == TerminationScope::Group {
            // A process that still holds a pipe is not in the group.
            self.lifecycle.on_terminated();
            if settled.is_gone() {
                self.exit.forget_group();
            }
        }
        Some(settled)
    }

    /// Checks whether a child that its termination keeps has ended; returns `None` while it runs.
    fn notice_end(&mut self, reactor: &Handle) -> Option<()> {
        match self.exit.peek(reactor) {
            PeekOutcome::Running => None,
            PeekOutcome::Ended => {
                self.exit.keep(reactor);
                self.termination.on_ended();
                Some(())
            }
            PeekOutcome::Lost => self.reap(reactor),
        }
    }

    /// Reaps the child if it has ended; nothing else in the loop does.
    fn reap(&mut self, reactor: &Handle) -> Option<()> {
        let reason = self.exit.try_reap(reactor)?;
        self.ends.close_slave();
        let now = reactor.now();
        self.termination.on_reaped(now);
        self.lifecycle.on_reaped(reason, now);
        self.let_live_if_over();
        Some(())
    }

    /// Once nothing waits for the child any more, the end of the program leaves the rest of its
    /// group alone.
    fn let_live_if_over(&mut self) {
        if self.lifecycle.is_ended() && !self.termination.is_under_way() {
            self.exit.let_live();
        }
    }

    /// Begins to drain the ends that are due; returns those that are forwarded, with the number of
    /// bytes that they hold.
    pub(super) fn begin_to_drain(&mut self, reactor: &Handle) -> Vec<(Rc<Forward>, usize)> {
        if !self.lifecycle.has_drain() {
            return Vec::new();
        }
        // For all ends, before one is closed: a close may end the process that holds the others.
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

    /// Returns whether a loop that stops ends the group of the child.
    pub(super) fn is_ended_by_loop(&self) -> bool {
        self.leads_owned_group() && !self.policy.owner_end.is_by_owner
    }

    /// Returns the time between TERM and KILL for its group if the program ends first.
    pub(super) fn grace_at_the_end(&self) -> Duration {
        let entry = self.policy.entry.as_ref();
        Duration::from_millis(entry.map_or(GRACE_AT_THE_END_MS, |entry| entry.grace_ms).into())
    }

    /// Returns whether the child has not come to its end, and leads or led an owned group.
    pub(super) fn leads_owned_group(&self) -> bool {
        self.termination.scope() == TerminationScope::Group && !self.lifecycle.is_ended()
    }

    /// Returns whether the child runs, or its owned group holds an output, and whether it is killed on drop
    /// and not being terminated.
    pub(super) fn is_to_end_with_owner(&self, reactor: &Handle) -> bool {
        let lives = !self.lifecycle.is_reaped() || self.leads_owned_group();
        let is_to_end = lives && !self.termination.is_under_way();
        self.policy.kill_on_drop && is_to_end && self.is_launched_here(reactor)
    }

    /// Returns whether a drop may act on the child: a forked copy is not the parent of the child.
    pub(super) fn is_launched_here(&self, reactor: &Handle) -> bool {
        match self.policy.launched_by {
            0 => !reactor.io().is_inherited(),
            pid => pid == std::process::id(),
        }
    }

    /// Handles the loss of the protocol to a panic: writes nothing more, and reads and discards
    /// what the child writes, so that it can end.
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

/// Passes what was read to the lifecycle.
#[inline]
fn read(lifecycle: &mut Lifecycle, fd: ChildFd, event: ReadEvent) -> ReadEvent {
    let data = match event {
        ReadEvent::Data(data) => data,
        event => return event,
    };
    let bytes = data.len();
    match lifecycle.on_data_now(fd, data) {
        DataNow::Due(data) => ReadEvent::Data(data),
        DataNow::Queued => ReadEvent::Queued(bytes),
        // The data counts as read all the same.
        DataNow::Refused(refused) => ReadEvent::Refused(refused),
    }
}

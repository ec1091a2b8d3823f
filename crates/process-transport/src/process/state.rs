//! What is known of one child. Every method is a short change under the transport's borrow: no
//! callback, and what may run foreign code when dropped is handed out as [`Leftovers`]. Writing,
//! draining, forwarding and signals are in files of their own.

use super::leftovers::{Leftovers, Told};
use super::parts::{ChildTermination, ExitWatch};
use super::running::Running;
use super::writing::shut_down;
use crate::launch::{ParentEnd, Policy, Terminal, take_in};
use crate::spawned::{AtDrop, OwnedChild, Spawned};
use procession_core::{Signal, WriteQueue};
use procession_protocol::{ChildFd, DataNow, Lifecycle, TerminationScope};
use procession_reactor::driver::Read;
use procession_reactor::forward::Forward;
use procession_reactor::pipe::{Direction, Pipe, READ_BUDGET_BYTES, ReadEvent};
use procession_reactor::{DelayedCall, Handle, Readiness};
use std::rc::Rc;
use std::time::Duration;

/// One child's state.
pub(super) struct State {
    pub(super) lifecycle: Lifecycle,
    pub(super) ends: Vec<End>,
    /// The ends that the program had taken before the loop took the child.
    taken: Vec<ChildFd>,
    pub(super) policy: Policy,
    pub(super) exit: ExitWatch,
    pub(super) termination: ChildTermination,
    pub(super) drain_timer: Option<DelayedCall>,
    /// The end of child fd 1 is the master of the child's terminal, its 0 to 2.
    pub(super) has_terminal: bool,
    /// Whether an end was lost; see [`State::seems_to_end`].
    first_loss: FirstLoss,
    /// Until the child is reaped.
    terminal: Option<Terminal>,
    /// Until it is reaped, or nobody's here any more.
    pub(super) running: Option<Running>,
}

/// Whether an end was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstLoss {
    No,
    Now,
    Past,
}

/// The parent's end of one of the child's descriptors.
pub(super) struct End {
    pub(super) fd: ChildFd,
    pub(super) direction: Direction,
    /// The program asked for its close; nothing is read any more.
    pub(super) closing: bool,
    /// Only the parent's direction of a socketpair ends.
    pub(super) shutting_down: bool,
    /// The poller saw that nobody reads what is written.
    pub(super) peer_gone: bool,
    /// What it reads is moved on instead of being told.
    pub(super) forward: Option<Rc<Forward>>,
    /// What it writes comes from there.
    pub(super) fed_by: Option<Rc<Forward>>,
    /// It is to be closed after so many bytes more: see [`super::draining`].
    pub(super) draining: Option<usize>,
    /// `None` once it is closed.
    pub(super) pipe: Option<Pipe>,
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
    /// Nothing is left to learn of it.
    pub(super) close: bool,
}

impl State {
    /// The state of a child that has begun to run, and its ends, not yet part of it.
    pub(super) fn new(spawned: Spawned, now: Duration) -> (Self, Vec<ParentEnd>) {
        let Spawned { child, ends, taken, terminal, policy, parent_peak_kib, reason } = spawned;
        let fds = ends.iter().map(|end| end.fd).chain(taken.iter().copied());
        let mut lifecycle = Lifecycle::new(fds, policy.drain_after_exit);
        for fd in &taken {
            lifecycle.on_pipe_closed(*fd);
        }
        let exit = ExitWatch::new(child, policy.leads_group, parent_peak_kib, reason.is_some());
        let scope = match policy.owned && policy.leads_group {
            true => TerminationScope::Group,
            false => TerminationScope::Child,
        };
        let mut termination = ChildTermination::new(scope);
        let mut running = None;
        match reason {
            None => running = Some(Running::begin()),
            Some(reason) => {
                lifecycle.on_reaped(reason, now);
                termination.on_reaped(now);
            }
        }
        let state = Self {
            lifecycle,
            ends: Vec::with_capacity(ends.len()),
            taken,
            policy,
            exit,
            termination,
            drain_timer: None,
            has_terminal: terminal.is_some(),
            first_loss: FirstLoss::No,
            terminal: terminal.filter(|terminal| terminal.slave.is_some()),
            running,
        };
        (state, ends)
    }

    /// The loop has taken all of it: what was set of a caller's terminal stays.
    pub(super) fn keep_terminal(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.before.forget();
        }
    }

    /// Takes everything out of the loop again; `left` are the ends that were not given to it.
    pub(super) fn give_back(&mut self, reactor: &Handle, left: Vec<ParentEnd>) -> Spawned {
        let reason = self.lifecycle.reason().cloned();
        let pidfd = self.exit.take_back(reactor);
        let mut ends = Vec::with_capacity(self.ends.len() + left.len());
        let mut taken = std::mem::take(&mut self.taken);
        for end in &mut self.ends {
            let (fd, direction) = (end.fd, end.direction);
            match end.pipe.take().and_then(|pipe| pipe.into_fd(reactor)) {
                Some(end) => ends.push(ParentEnd { fd, end, direction }),
                None => taken.push(fd),
            }
        }
        ends.extend(left);
        self.running = None;
        let at_drop = if reason.is_some() { AtDrop::Nothing } else { AtDrop::of(&self.policy) };
        Spawned {
            child: OwnedChild { pid: self.exit.number(), pidfd, path: self.exit.path(), at_drop },
            ends,
            taken,
            terminal: self.terminal.take(),
            policy: self.policy.clone(),
            parent_peak_kib: self.exit.parent_peak_kib(),
            reason,
        }
    }

    pub(super) fn add_end(&mut self, fd: ChildFd, direction: Direction, mut pipe: Pipe) {
        // Sockets and terminals go both ways.
        if self.policy.pipes_grow && direction != Direction::Both {
            pipe.set_adaptive();
        }
        let pipe = Some(pipe);
        self.ends.push(End {
            fd,
            direction,
            closing: false,
            shutting_down: false,
            peer_gone: false,
            forward: None,
            fed_by: None,
            draining: None,
            pipe,
        });
    }

    /// The end of one child fd, open or closed; a handful at most in nearly every child.
    pub(super) fn end(&mut self, fd: ChildFd) -> Option<&mut End> {
        self.ends.iter_mut().find(|end| end.fd == fd)
    }

    pub(super) fn fds(&self) -> Vec<ChildFd> {
        self.ends.iter().map(|end| end.fd).collect()
    }

    /// Reads once, of what is left of the turn's budget, and tells the lifecycle; `None` if the end
    /// is paused, closed, or forwarded by now.
    pub(super) fn read(&mut self, reactor: &Handle, fd: ChildFd, budget: usize) -> Option<Read> {
        let index = self.ends.iter().position(|end| end.fd == fd)?;
        self.read_at(reactor, index, budget)
    }

    #[inline]
    fn read_at(&mut self, reactor: &Handle, index: usize, budget: usize) -> Option<Read> {
        let end = &mut self.ends[index];
        let pipe = end.pipe.as_mut()?;
        if end.closing || pipe.is_paused() || end.forward.is_some() {
            return None;
        }
        let data = match pipe.read_within(reactor, budget) {
            ReadEvent::Data(data) => data,
            event => return Some(Read::Event(event)),
        };
        let bytes = data.len();
        Some(match self.lifecycle.on_data_now(end.fd, data) {
            DataNow::Due(data) => Read::Data(data),
            DataNow::Queued => Read::Queued(bytes),
            // It counts all the same.
            DataNow::Refused(refused) => Read::Event(ReadEvent::Data(refused)),
        })
    }

    /// Closes the parent's end now; its loss is due.
    pub(super) fn close(&mut self, reactor: &Handle, fd: ChildFd, left: &mut Leftovers) {
        if let Some(end) = self.end(fd) {
            let unsent = end.pipe.as_mut().and_then(Pipe::queue).map_or(0, |queue| queue.len());
            end.draining = None;
            left.tell(end.forward.take().map(Told::SourceClosed));
            left.tell(end.fed_by.take().map(|forward| Told::SinkLost(forward, unsent)));
            if let Some(pipe) = end.pipe.take() {
                left.take(pipe.close(reactor));
            }
        }
        self.lifecycle.on_pipe_closed(fd);
        if self.lifecycle.is_ended()
            && let Some(timer) = self.drain_timer.take()
        {
            timer.cancel(); // it holds this transport, and with it the pidfd of a leader
        }
        if self.first_loss == FirstLoss::No {
            self.first_loss = FirstLoss::Now;
        }
    }

    /// True once: when the first end is lost while the child lives.
    pub(super) fn seems_to_end(&mut self) -> bool {
        let now = self.first_loss == FirstLoss::Now;
        if now {
            self.first_loss = FirstLoss::Past;
        }
        now && !self.lifecycle.is_reaped()
    }

    /// The child writes no more to this end: all of it, but for a socketpair that is still written.
    pub(super) fn on_read_end(&mut self, reactor: &Handle, fd: ChildFd, left: &mut Leftovers) {
        let terminal = self.is_terminal(fd);
        let Some(end) = self.end(fd) else { return };
        let Some(pipe) = &mut end.pipe else { return };
        if terminal || !pipe.is_writing() || end.peer_gone {
            return self.close(reactor, fd, left);
        }
        pipe.end_reading(reactor);
        left.tell(end.forward.take().map(Told::SourceClosed));
        self.lifecycle.on_read_closed(fd);
    }

    /// Sorts out what the poller saw of one end, and reads once where that is all.
    #[inline]
    pub(super) fn on_ready(&mut self, reactor: &Handle, fd: ChildFd, seen: Readiness) -> Seen {
        let Some(index) = self.ends.iter().position(|end| end.fd == fd) else {
            return Seen::Read(None);
        };
        let end = &mut self.ends[index];
        let Some(pipe) = &mut end.pipe else { return Seen::Read(None) };
        let ready = pipe.on_ready(reactor, seen);
        end.peer_gone |= ready.peer_gone;
        // A socketpair tells by its reads; of a pipe there is nothing left to learn.
        let close = ready.peer_gone && !pipe.is_reading();
        if close || ready.unblocked || end.forward.is_some() {
            return Seen::More(Wants { read: ready.readable, flush: ready.unblocked, close });
        }
        if !ready.readable {
            return Seen::Read(None);
        }
        Seen::Read(self.read_at(reactor, index, READ_BUDGET_BYTES))
    }

    /// Whether `fd` is one that the child has its terminal on.
    pub(super) fn is_terminal(&self, fd: ChildFd) -> bool {
        self.has_terminal && fd <= ChildFd::STDERR
    }

    /// The child is reaped: what its terminal still holds ends in the end of the master.
    pub(super) fn close_slave(&mut self) {
        if let Some(slave) = self.terminal.take().and_then(|terminal| terminal.slave) {
            take_in(&slave);
        }
    }

    /// The protocol is gone: nothing more is written, and what the child writes is read and thrown
    /// away, so that it can come to its end.
    pub(super) fn on_panicked(&mut self, reactor: &Handle) -> Leftovers {
        let mut left = Leftovers::default();
        left.take(self.lifecycle.on_panicked());
        for fd in self.fds() {
            let terminal = self.is_terminal(fd);
            let Some(end) = self.end(fd) else { continue };
            let Some(pipe) = &mut end.pipe else { continue };
            if !pipe.is_reading() {
                self.close(reactor, fd, &mut left);
                continue;
            }
            if terminal {
                left.chunks.extend(pipe.queue().map(WriteQueue::on_abort).into_iter().flatten());
            } else if pipe.is_writing() {
                shut_down(reactor, pipe);
                left.chunks.extend(pipe.end_writing(reactor));
            }
            match end.forward.clone() {
                // What it moves is none of the protocol's business.
                Some(forward) => left.tell(Some(Told::Unpause(forward))),
                // On failure the child blocks, and dies with its reader.
                None => drop(pipe.resume(reactor)),
            }
            self.lifecycle.on_resumed(fd);
        }
        left
    }

    /// The loop is going away with every descriptor in it.
    ///
    /// What it leaves over is only dropped: nobody is told anything any more.
    pub(super) fn on_reactor_dropped(&mut self, reactor: &Handle) -> Leftovers {
        let mut left = Leftovers::default();
        for fd in self.fds() {
            self.close(reactor, fd, &mut left);
        }
        if !self.lifecycle.is_reaped() {
            if self.policy.kill_on_drop {
                let scope = self.termination.scope();
                // It may have ended already.
                self.exit.signal_scope(reactor, scope, Signal::KILL).ok();
            }
            crate::orphans::abandon(self.exit.number(), self.exit.take_back(reactor));
        }
        self.running = None;
        self.terminal = None;
        self.termination.on_gone();
        left.complete(self.termination.act(&self.exit, reactor, self.lifecycle.reason()));
        left
    }
}

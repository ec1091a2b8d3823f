//! The bound on descendants that hold a pipe: what a pipe holds when it passes is delivered, and the
//! pipe is closed. A paused one waits for its resume, one that is forwarded moves its rest on.

use super::Transport;
use super::leftovers::Leftovers;
use super::state::State;
use bytes::Bytes;
use procession_protocol::ChildFd;
use procession_reactor::Handle;
use procession_reactor::driver::Drive;
use procession_reactor::forward::Forward;
use procession_reactor::pipe::{ReadEvent, has_ended};
use std::rc::Rc;

/// More than the kernel keeps of what a terminal's child wrote, in bytes. FIONREAD counts only the 4
/// KiB that are next (`ioctl_tty(2)`), not what waits behind them.
const TERMINAL_BYTES: usize = 128 << 10;

/// What is next for an end that is drained.
enum Step {
    /// Deliver it, and go on.
    Data(Bytes),
    /// It is paused, or closed.
    Wait,
    /// A callback has it forwarded, with so many bytes still to come.
    MoveOn(Rc<Forward>, usize),
    /// It has had its turn.
    Close,
}

impl Transport {
    /// The bound has passed, or a paused end was resumed after it.
    pub(super) fn drain(&self) {
        let _pump = self.pump_after_a_panic();
        let now = self.reactor().now();
        self.state.with(|state| state.lifecycle.on_time(now));
        while let Some(fd) = self.state.with(|state| state.lifecycle.poll_drain()) {
            let (forward, held) = self.state.with(|state| {
                let held = state.begin_to_drain(self.reactor(), fd);
                (state.forward(fd), held)
            });
            if let Some(forward) = forward {
                forward.drain(held);
            }
        }
        for fd in self.state.with(|state| state.draining()) {
            self.drain_one(fd);
        }
        self.pump();
    }

    /// Reads what the pipe held, and closes it.
    fn drain_one(&self, fd: ChildFd) {
        loop {
            match self.state.with(|state| state.drain_step(self.reactor(), fd)) {
                Step::Wait => return,
                Step::MoveOn(forward, left) => return forward.drain(left),
                Step::Close => break,
                Step::Data(data) => {
                    let refused = self.state.with(|state| state.lifecycle.on_data(fd, data));
                    drop(refused);
                    self.pump();
                }
            }
        }
        let mut left = Leftovers::default();
        self.state.with(|state| state.close(self.reactor(), fd, &mut left));
        left.settle();
    }
}

impl State {
    /// Notes how many bytes can be read at this moment, and returns it.
    fn begin_to_drain(&mut self, reactor: &Handle, fd: ChildFd) -> usize {
        let terminal = self.is_terminal(fd);
        let Some(end) = self.end(fd) else { return 0 };
        let Some(pipe) = end.pipe.as_ref().filter(|pipe| pipe.is_reading()) else {
            end.draining = Some(0);
            return 0;
        };
        let counted = reactor.with_fd(pipe.key(), |fd| rustix::io::ioctl_fionread(fd));
        let counted = counted.and_then(Result::ok).and_then(|bytes| usize::try_from(bytes).ok());
        let held = if terminal { Some(TERMINAL_BYTES) } else { counted };
        end.draining = held.or(Some(0));
        held.unwrap_or(0)
    }

    /// Those that are to be drained here and now.
    fn draining(&self) -> Vec<ChildFd> {
        let due = self.ends.iter().filter(|end| end.draining.is_some() && end.forward.is_none());
        due.map(|end| end.fd).collect()
    }

    fn drain_step(&mut self, reactor: &Handle, fd: ChildFd) -> Step {
        let Some(end) = self.end(fd) else { return Step::Wait };
        let (Some(pipe), Some(left)) = (end.pipe.as_mut(), end.draining) else { return Step::Wait };
        if let Some(forward) = &end.forward {
            return Step::MoveOn(Rc::clone(forward), left);
        }
        if pipe.is_paused() {
            return Step::Wait;
        }
        if !pipe.is_reading() {
            if has_ended(reactor, pipe.key()) {
                self.lifecycle.on_not_held(fd);
            }
            return Step::Close;
        }
        // With its last writer gone the pipe was not held, and what it holds is finite.
        if left == 0 && !has_ended(reactor, pipe.key()) {
            return Step::Close;
        }
        match pipe.read(reactor) {
            ReadEvent::Data(data) => {
                end.draining = Some(left.saturating_sub(data.len()));
                Step::Data(data)
            }
            ReadEvent::WouldBlock => Step::Close,
            _ => {
                self.lifecycle.on_not_held(fd);
                Step::Close
            }
        }
    }
}

//! The actions of a [`Process`](crate::Process) handle on a fake child.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use procession_core::driver::{Spent, WriteQueue};
use procession_core::{Deferred, NoError, Signal, WriteError};

use super::engine::{Engine, FakeState};
use super::pipe::FakePipe;
use crate::control::{ProcessControl, no_terminal};
use crate::transport_control::Producers;
use crate::{ChildFd, ExitReason, SignalError, Termination};

impl Engine {
    /// Changes the queue of a pipe.
    fn change_queue<R>(
        &self,
        fd: ChildFd,
        change: impl FnOnce(&mut WriteQueue) -> R,
    ) -> Result<R, WriteError> {
        let result = self.with_queue(fd, change);
        self.on_changed();
        result
    }

    fn with_queue<R>(
        &self,
        fd: ChildFd,
        call: impl FnOnce(&mut WriteQueue) -> R,
    ) -> Result<R, WriteError> {
        self.state.with(|state| {
            let pipe = state.pipes.get_mut(&fd).ok_or(WriteError::UnknownFd)?;
            pipe.queue().map(call)
        })
    }

    /// Calls `act` on the pipe `fd`, or on all. Data that are left over are dropped after the borrow.
    fn with_pipes(&self, fd: Option<ChildFd>, act: impl Fn(&mut FakePipe, &mut Spent)) {
        self.change(|state, spent| {
            for (number, pipe) in &mut state.pipes {
                if fd.is_none_or(|fd| fd == *number) {
                    act(pipe, spent);
                }
            }
        });
        self.on_changed();
    }

    fn set_paused(&self, fd: Option<ChildFd>, paused: bool) {
        self.state.with(|state| {
            let FakeState { lifecycle, pipes, .. } = state;
            for (number, pipe) in pipes.iter_mut() {
                if fd.is_some_and(|fd| fd != *number) || !pipe.set_paused(paused) {
                    continue;
                }
                if paused {
                    lifecycle.on_paused(*number);
                } else {
                    lifecycle.on_resumed(*number);
                }
            }
        });
        self.on_changed();
    }
}

/// Refuses a number that is no signal, as `kill(2)` does.
fn check(signal: Signal) -> Result<(), SignalError> {
    if (0..=MOST_SIGNAL).contains(&signal.as_raw()) {
        return Ok(());
    }
    let reason = io::Error::new(io::ErrorKind::InvalidInput, "there is no such signal");
    Err(SignalError::Os(reason))
}

/// The greatest number of a signal on Linux.
const MOST_SIGNAL: i32 = 64;

impl ProcessControl for Engine {
    fn write(&self, fd: ChildFd, mut data: Bytes) -> Result<(), WriteError> {
        // Refused data stay in `data`, and are dropped after the borrow.
        self.change_queue(fd, |queue| queue.on_write_from(&mut data))?
    }

    fn write_buffered(&self, fd: ChildFd) -> usize {
        self.state.with(|state| state.pipes.get(&fd).map_or(0, FakePipe::buffered))
    }

    fn set_write_limits(&self, fd: ChildFd, high: usize, low: usize) -> Result<(), WriteError> {
        self.change_queue(fd, |queue| queue.set_limits(high, low))
    }

    fn write_limits(&self, fd: ChildFd) -> Option<(usize, usize)> {
        self.with_queue(fd, |queue| queue.limits()).ok()
    }

    fn set_write_hard_limit(&self, fd: ChildFd, max: Option<usize>) -> Result<(), WriteError> {
        self.change_queue(fd, |queue| queue.set_hard_limit(max))
    }

    fn close_child_fd(&self, fd: ChildFd) {
        self.with_pipes(Some(fd), |pipe, _| pipe.close());
    }

    fn shutdown_write(&self, fd: ChildFd) {
        self.with_pipes(Some(fd), |pipe, _| pipe.shut_down());
    }

    fn abort_connection(&self, fd: ChildFd) {
        self.with_pipes(Some(fd), FakePipe::abort);
    }

    fn hold_open(&self, fd: ChildFd, held: bool) {
        self.with_pipes(Some(fd), |pipe, _| pipe.hold_open(held));
    }

    fn close_all(&self) {
        self.with_pipes(None, |pipe, _| pipe.close());
    }

    fn pause(&self, fd: ChildFd) {
        self.set_paused(Some(fd), true);
    }

    fn resume(&self, fd: ChildFd) {
        self.set_paused(Some(fd), false);
    }

    fn pause_all(&self) {
        self.set_paused(None, true);
    }

    fn resume_all(&self) {
        self.set_paused(None, false);
    }

    fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        check(signal)?;
        self.state.with(|state| {
            if state.lifecycle.is_reaped() {
                return Err(SignalError::ProcessExitedAlready);
            }
            state.sent.to_child.push(signal);
            Ok(())
        })?;
        self.on_changed();
        Ok(())
    }

    fn signal_group(&self, signal: Signal) -> Result<(), SignalError> {
        check(signal)?;
        self.state.with(|state| {
            if state.lifecycle.is_reaped() && state.termination.members() == 0 {
                return Err(SignalError::ProcessExitedAlready);
            }
            state.sent.to_group.push(signal);
            Ok(())
        })?;
        self.on_changed();
        Ok(())
    }

    fn terminate(&self, signal: Signal, grace: Duration) -> Deferred<Termination, SignalError> {
        for fd in self.slot.producers().cut_off() {
            self.hold_open(fd, false);
        }
        let (promise, deferred) = Deferred::new();
        let now = self.now();
        self.state.with(|state| state.termination.on_terminate(promise, signal, grace, now));
        self.advance_termination();
        self.on_changed();
        deferred
    }

    /// For a fake that a script plays: its input ends.
    fn send_eof(&self) -> io::Result<()> {
        if !self.is_driven() {
            return Err(no_terminal(ProcessControl::pid(self), "type the end-of-file character"));
        }
        self.close_child_fd(ChildFd::STDIN);
        Ok(())
    }

    fn producers(&self) -> Option<&Producers> {
        Some(self.slot.producers())
    }

    fn ended(&self) -> Deferred<ExitReason, NoError> {
        self.slot.ended(self.state.with(|state| state.lifecycle.reported_end().cloned()))
    }

    fn pid(&self) -> Option<u32> {
        self.state.with(|state| (!state.lifecycle.is_reaped()).then_some(self.pid))
    }

    fn group(&self) -> Option<u32> {
        Some(self.pid)
    }
}

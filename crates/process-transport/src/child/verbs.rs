//! The verbs of a program on its child: [`ProcessControl`] over the state. No method calls back.

use std::any::Any;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use procession_core::driver::WriteQueue;
use procession_core::{Deferred, NoError, Signal, WriteError};
use procession_protocol::driver::{ProcessControl, Producers};
use procession_protocol::{
    ChildFd, ExitReason, ForwardError, SignalError, SpawnPath, Target, Termination, Termios,
    WindowSize,
};
use procession_reactor::driver::{Machine, SinkPort};
use rustix::termios::{tcgetwinsize, tcsetwinsize};

use super::driver::ChildTransport;
use super::parts::{End, Leftovers, reactor_gone};
use super::ports::{SinkEnd, forward};
use crate::launch::kernel_size;
use crate::spawned::{no_pidfd, no_terminal};
use crate::sys::{self, platform};

impl ProcessControl for ChildTransport {
    fn write(&self, fd: ChildFd, mut data: Bytes) -> Result<(), WriteError> {
        let written = self.state.with(|state| state.ends.writable(fd)?.write(&mut data));
        written.map_err(|error| self.write_error(error))?;
        self.queue_flush();
        Ok(())
    }

    fn write_buffered(&self, fd: ChildFd) -> usize {
        self.with_queue(fd, |queue| queue.len()).unwrap_or(0)
    }

    fn set_write_limits(&self, fd: ChildFd, high: usize, low: usize) -> Result<(), WriteError> {
        self.with_queue(fd, |queue| queue.set_limits(high, low))?;
        self.queue_flush(); // a mark may be due
        Ok(())
    }

    fn write_limits(&self, fd: ChildFd) -> Option<(usize, usize)> {
        self.with_queue(fd, |queue| queue.limits()).ok()
    }

    fn set_write_hard_limit(&self, fd: ChildFd, max: Option<usize>) -> Result<(), WriteError> {
        self.with_queue(fd, |queue| queue.set_hard_limit(max))
    }

    fn close_child_fd(&self, fd: ChildFd) {
        if self.state.with(|state| state.ends.get(fd).is_some_and(End::ask_close)) {
            self.queue_flush();
        }
    }

    fn shutdown_write(&self, fd: ChildFd) {
        if self.state.with(|state| state.ends.get(fd).is_some_and(End::ask_shutdown)) {
            self.queue_flush();
        }
    }

    fn abort_connection(&self, fd: ChildFd) {
        let mut left = Leftovers::default();
        self.state.with(|state| {
            if !state.ends.is_terminal(fd) {
                state.close(self.reactor(), fd, &mut left);
            }
        });
        self.queue_flush();
        left.settle_in_verb();
    }

    fn hold_open(&self, fd: ChildFd, held: bool) {
        let hold = |end: &mut End| end.hold_open(held);
        if self.state.with(|state| state.ends.writable(fd).is_ok_and(hold)) {
            self.queue_flush();
        }
    }

    fn lose_connection(&self) {
        for fd in [ChildFd::STDIN, ChildFd::STDOUT, ChildFd::STDERR] {
            self.close_child_fd(fd);
        }
        if self.state.with(|state| state.ends.master().is_some_and(End::ask_hang_up)) {
            self.queue_flush();
        }
    }

    fn close_all(&self) {
        for fd in self.state.with(|state| state.ends.fds()) {
            self.close_child_fd(fd);
        }
        self.lose_connection();
    }

    fn pause(&self, fd: ChildFd) {
        self.set_paused(fd, true);
    }

    fn resume(&self, fd: ChildFd) {
        self.set_paused(fd, false);
        self.queue_flush(); // the last read of a drain may be due
    }

    fn pause_all(&self) {
        for fd in self.state.with(|state| state.ends.fds()) {
            self.pause(fd);
        }
    }

    fn resume_all(&self) {
        for fd in self.state.with(|state| state.ends.fds()) {
            self.resume(fd);
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        self.state.with(|state| state.exit.signal(self.reactor(), signal))
    }

    fn signal_group(&self, signal: Signal) -> Result<(), SignalError> {
        match self.state.with(|state| state.exit.signal_group(self.reactor(), signal)) {
            Err(SignalError::NoGroup) if self.is_cut_off() => Err(SignalError::ReactorGone),
            sent => sent,
        }
    }

    fn terminate(&self, signal: Signal, grace: Duration) -> Deferred<Termination, SignalError> {
        self.terminate_with(signal, grace)
    }

    fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let size = kernel_size(WindowSize::new(rows, columns));
        self.with_master("set the window size", |master| Ok(tcsetwinsize(master, size)?))
    }

    fn window_size(&self) -> io::Result<WindowSize> {
        let size = self.with_master("read the window size", |master| Ok(tcgetwinsize(master)?))?;
        Ok(WindowSize::new(size.ws_row, size.ws_col).with_pixels(size.ws_xpixel, size.ws_ypixel))
    }

    fn termios(&self) -> io::Result<Termios> {
        self.with_master("read the terminal settings", sys::termios)
    }

    fn set_termios(&self, settings: &Termios) -> io::Result<()> {
        self.with_master("change the terminal settings", |master| {
            sys::set_termios(master, settings)
        })
    }

    fn send_eof(&self) -> io::Result<()> {
        let eof = self.with_master("type the end-of-file character", sys::eof_char)?;
        Ok(self.write(ChildFd::STDIN, Bytes::copy_from_slice(&[eof]))?)
    }

    fn forward(&self, fd: ChildFd, target: Target) -> Deferred<u64, ForwardError> {
        match self.me().upgrade() {
            Some(me) => forward(&me, fd, target),
            None => Deferred::ready(Err(ForwardError::new(0, reactor_gone()))),
        }
    }

    fn pipe_size(&self, fd: ChildFd) -> Option<usize> {
        let key = self.state.with(|state| state.ends.get(fd)?.key())?;
        self.reactor().io().with_owned(key, platform::pipe_size).flatten()
    }

    fn sink_port(&self, fd: ChildFd) -> Option<Box<dyn Any>> {
        let port: Rc<dyn SinkPort> = Rc::new(SinkEnd::new(self.me().clone(), fd));
        Some(port.into_any())
    }

    fn producers(&self) -> Option<&Producers> {
        Some(self.slot.producers())
    }

    fn ended(&self) -> Deferred<ExitReason, NoError> {
        self.slot.ended(self.state.with(|state| state.lifecycle.reported_end().cloned()))
    }

    fn pid(&self) -> Option<u32> {
        self.state.with(|state| state.exit.pid())
    }

    fn stopped_by(&self) -> Option<Signal> {
        self.state.with(|state| state.exit.stopped_by(self.reactor()))
    }

    fn group(&self) -> Option<u32> {
        self.state.with(|state| state.exit.group())
    }

    fn spawned_by(&self) -> Option<SpawnPath> {
        Some(self.state.with(|state| state.exit.path()))
    }

    fn is_launched_here(&self) -> bool {
        self.state.with(|state| state.is_launched_here(self.reactor()))
    }

    fn with_fd(&self, fd: ChildFd, call: &mut dyn FnMut(BorrowedFd<'_>)) -> bool {
        let key = self.state.with(|state| state.ends.get(fd)?.key());
        key.and_then(|key| self.reactor().io().with_fd(key, call)).is_some()
    }

    fn pidfd(&self) -> io::Result<OwnedFd> {
        if cfg!(not(target_os = "linux")) {
            return Err(no_pidfd());
        }
        self.state.with(|state| state.exit.duplicate(self.reactor()))
    }
}

impl ChildTransport {
    /// Closes an input after its queue is written, unless a producer or a forwarding feeds it;
    /// these close it themselves.
    pub(crate) fn close_idle_input(&self, fd: ChildFd) {
        let is_fed = self.state.with(|state| state.ends.get(fd).is_some_and(|end| end.is_fed()));
        if !is_fed && !self.slot.producers().has(fd) {
            self.shutdown_write(fd);
        }
    }

    fn set_paused(&self, fd: ChildFd, paused: bool) {
        let forward = self.state.with(|state| {
            let end = state.ends.get(fd).filter(|end| end.is_reading())?;
            let forward = end.forward().cloned();
            if paused {
                end.pause(self.reactor());
                state.lifecycle.on_paused(fd);
            } else {
                end.resume(self.reactor());
                state.lifecycle.on_resumed(fd);
            }
            forward
        });
        if let Some(forward) = forward {
            forward.set_paused(paused);
        }
    }

    fn with_queue<R>(
        &self,
        fd: ChildFd,
        change: impl FnOnce(&mut WriteQueue) -> R,
    ) -> Result<R, WriteError> {
        let changed = self
            .state
            .with(|state| Ok(change(state.ends.writable(fd)?.queue().ok_or(WriteError::Closed)?)));
        changed.map_err(|error| self.write_error(error))
    }

    /// Returns whether the reactor was gone before the child had ended.
    pub(super) fn is_cut_off(&self) -> bool {
        self.reactor().is_closed() && !self.state.with(|state| state.lifecycle.is_reaped())
    }

    /// Returns the error of a closed end; names the reactor if its drop closed the end.
    #[cold]
    pub(super) fn write_error(&self, error: WriteError) -> WriteError {
        match error {
            WriteError::Closed if self.is_cut_off() => WriteError::ReactorGone,
            error => error,
        }
    }

    /// Lends the terminal's master to `call`, which is about to `what`.
    fn with_master<R>(
        &self,
        what: &str,
        call: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        if self.is_cut_off() {
            return Err(reactor_gone());
        }
        let (pid, has_terminal, key) = self.state.with(|state| {
            let key = state.ends.master().and_then(|end| end.key());
            (state.exit.number(), state.ends.has_terminal(), key)
        });
        if !has_terminal {
            return Err(no_terminal(pid, what));
        }
        key.and_then(|key| self.reactor().io().with_fd(key, call)).unwrap_or_else(|| {
            let text = format!("cannot {what} of process {pid}: its terminal is closed");
            Err(io::Error::new(io::ErrorKind::BrokenPipe, text))
        })
    }
}

//! The protocol of a program that is watched while it runs: its lines, its readiness on a descriptor, and
//! its exit.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use procession_core::{Deferred, Signal};
use procession_process_transport::{Command, Fd};
use procession_protocol::{
    ChildFd, ExitReason, LineReceiver, Process, ProcessProtocol, SignalError, Termination,
};

use crate::lines::Lines;
use crate::{OutputLine, Stream};

/// Receives what a program does. No method is called while anything is borrowed.
pub(crate) trait Listener: 'static {
    fn on_started(&self, process: &Process);
    fn on_line(&self, line: OutputLine);
    /// The program has written to the descriptor that is neither of its outputs.
    fn on_fd_data(&self, fd: ChildFd, data: &[u8]);
    /// The leader was reaped. Its outputs may still be open.
    fn on_exited(&self, reason: ExitReason);
    /// No event follows. If `on_exited` has not come, the reactor is gone, or a callback has panicked.
    fn on_dropped(&self);
}

/// Gives the events of a child to a [`Listener`].
pub(crate) struct Listening<L: Listener> {
    to: Rc<L>,
    lines: Lines,
    /// Pipes that nobody writes to.
    unused: Vec<ChildFd>,
}

impl<L: Listener> Listening<L> {
    pub(crate) fn new(to: &Rc<L>, command: &Command) -> Self {
        let lines = Lines::new(LineReceiver::DEFAULT_MAX_LENGTH);
        Self { to: Rc::clone(to), lines, unused: command.input_fds() }
    }

    fn deliver(&mut self, stream: Stream) {
        let Self { to, lines, .. } = self;
        lines.deliver(stream, &mut |line| to.on_line(line), || true);
    }
}

impl<L: Listener> ProcessProtocol for Listening<L> {
    fn connection_made(&mut self, process: &Process) {
        for fd in self.unused.drain(..) {
            process.shutdown_write(fd);
        }
        self.to.on_started(process);
    }

    fn child_data_received(&mut self, _: &Process, fd: ChildFd, data: Bytes) {
        match Stream::of(fd) {
            Some(stream) => {
                self.lines.on_data(stream, data);
                self.deliver(stream);
            }
            None => self.to.on_fd_data(fd, &data),
        }
    }

    fn child_connection_lost(&mut self, _: &Process, fd: ChildFd) {
        if let Some(stream) = Stream::of(fd) {
            self.lines.on_end(stream);
            self.deliver(stream);
        }
    }

    fn process_exited(&mut self, _: &Process, reason: ExitReason) {
        self.to.on_exited(reason);
    }
}

impl<L: Listener> Drop for Listening<L> {
    fn drop(&mut self) {
        self.to.on_dropped();
    }
}

/// Returns the command with an empty standard input, unless it has a terminal or says something else: a
/// program that is kept running has nobody who writes to it.
pub(crate) fn without_input(command: Command) -> Command {
    let is_pipe = command.get_pty().is_none() && command.input_fds().contains(&ChildFd::STDIN);
    if is_pipe { command.stdin(Fd::null()) } else { command }
}

/// Terminates the group of a program. A forked copy of this program is not its parent, and signals nobody.
pub(crate) fn terminate(
    process: &Process,
    signal: Signal,
    grace: Duration,
) -> Deferred<Termination, SignalError> {
    if process.is_launched_here() {
        process.terminate(signal, grace)
    } else {
        Deferred::ready(Err(SignalError::ReactorGone))
    }
}

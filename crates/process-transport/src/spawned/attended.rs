//! [`Attended`]: a child whose thread waits for it one step at a time, and decides between the steps.
//!
//! # Model
//!
//! Each [`turn`](Attended::turn) is one `poll(2)` over the exit, all outputs, and the input if the
//! caller has data for it. The caller writes the input, keeps the time and ends the child. The child
//! is over when it is reaped and every end is closed; the time that descendants may hold the outputs
//! is that of the command.

use std::io;
use std::time::Duration;

use procession_core::Signal;
use procession_core::driver::Direction;
use procession_protocol::{ChildFd, ExitReason};
use rustix::io::Errno;

use super::clock::{self, Stopwatch};
use super::gather::{PollWait, Polled, Reader, pause, reads};
use super::handle::Spawned;
use super::intake::Intake;
use super::owned_child::DropAction;
use super::sink::Sink;
use super::terminate::Terminating;
use crate::command::Command;
use crate::error::SpawnError;
use crate::launch::ParentEnd;
use crate::own_children::KnownEnd;
use crate::program_end::AtProgramEnd;
use crate::sys;

/// A child that its thread waits for. Its drop does what the command says.
#[derive(Debug)]
pub struct Attended {
    child: Spawned,
    stopwatch: Stopwatch,
    /// The input that is written to. Every other input is closed.
    input: Option<ChildFd>,
    intake: Intake,
}

/// What a turn has seen.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Turn {
    /// The input takes data, or its reader is gone.
    pub has_room: bool,
    /// Nothing was ready.
    pub is_idle: bool,
}

impl Attended {
    /// Starts the child, and the stopwatch before that. All inputs but `input` are closed, and the
    /// parent's direction of sockets. An owned child that is killed on drop ends with the program, as
    /// a child of a reactor does.
    ///
    /// # Errors
    ///
    /// As for [`Command::spawn`].
    pub fn spawn(command: &Command, input: Option<ChildFd>) -> Result<Self, SpawnError> {
        let stopwatch = Stopwatch::start();
        let child = Spawned::start_without_loop(command, AtProgramEnd::Ends)?;
        let intake = Intake::new(child.policy.pipes_grow);
        let mut this = Self { child, stopwatch, input: None, intake };
        let input = input.and_then(|fd| this.take_input(fd));
        this.child.close_inputs();
        this.child.unblock_terminal();
        if this.child.terminal.is_none() {
            // Nothing is written there, and nothing that comes from there is kept.
            this.close(ChildFd::STDIN);
        }
        if let Some(end) = input {
            this.input = Some(end.fd);
            this.child.ends.push(end);
        }
        Ok(this)
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Returns the stopwatch that runs since before the start.
    pub fn stopwatch(&self) -> Stopwatch {
        self.stopwatch
    }

    /// Returns how the child ended, once it is reaped and every end is closed.
    pub fn end(&self) -> Option<&ExitReason> {
        self.child.reason.as_ref().filter(|_| self.child.ends.is_empty())
    }

    /// Returns the signal that stopped the child, if it is stopped.
    pub fn stopped_by(&self) -> Option<Signal> {
        let is_reaped = self.child.reason.is_some();
        let stopped = if is_reaped { None } else { sys::stopped_by(self.child.child.as_sys()) };
        stopped.map(Signal::from_raw)
    }

    /// Writes as much as the input takes now, which may be nothing.
    ///
    /// # Errors
    ///
    /// Nobody reads the input any more. It is closed then.
    pub fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let end = self.child.ends.iter().find(|end| Some(end.fd) == self.input);
        let end = end.ok_or(io::ErrorKind::BrokenPipe)?;
        let write = || rustix::io::write(&end.end, data);
        match sys::without_sigpipe(|| rustix::io::retry_on_intr(write)) {
            Ok(bytes) => Ok(bytes),
            Err(Errno::AGAIN) => Ok(0),
            Err(error) => {
                self.close_input();
                Err(error.into())
            }
        }
    }

    /// Closes the input.
    pub fn close_input(&mut self) {
        if let Some(fd) = self.input.take() {
            self.close(fd);
        }
    }

    /// Waits until something is ready, at most until the stopwatch shows `until`, and reads once
    /// from each output that is ready. `is_feeding` if the caller waits for room in the input.
    /// Returns at once if the child is over.
    ///
    /// # Errors
    ///
    /// The system refuses the wait (`waitid(2)`, `poll(2)`).
    pub fn turn(
        &mut self,
        until: Option<Duration>,
        is_feeding: bool,
        sink: &mut dyn Sink,
    ) -> io::Result<Turn> {
        if self.end().is_some() {
            return Ok(Turn::default()); // the caller has closed the last end
        }
        let reader = &mut Reader::new(sink, &mut self.intake);
        let now = clock::now();
        let cut_off = self.child.cut_off_at();
        if cut_off.is_some_and(|cut_off| now >= cut_off) {
            // An input whose reader is gone was closed in an earlier turn.
            let inputs = self.child.ends.iter().filter(|end| !reads(end));
            let held = inputs.map(|end| end.fd).collect();
            self.child.cut_off(reader, held);
            return Ok(Turn::default());
        }
        let until = until.map(|until| until.saturating_sub(self.stopwatch.now()));
        let cut_off = cut_off.map(|cut_off| cut_off.saturating_duration_since(now));
        let timeout = until.into_iter().chain(cut_off).min();
        let room_of = self.input.filter(|_| is_feeding);
        let wait = PollWait { timeout, watches_exit: true, room_of };
        let Polled { exit_seen, has_room, is_idle } = self.child.poll_once(&wait, reader)?;
        if exit_seen || self.child.child.pidfd.is_none() {
            self.child.try_reap(KnownEnd::seen(exit_seen))?;
        }
        if exit_seen && self.child.reason.is_none() {
            // A tracer holds the child: it is dead, and cannot be reaped yet.
            pause();
        }
        Ok(Turn { has_room, is_idle })
    }

    /// Terminates the child, and the group of an owned child, and waits for the end: at most the
    /// grace and a second. It sends TERM, or KILL if the grace is zero.
    ///
    /// Outputs are read and dropped meanwhile, and the input is closed.
    pub fn terminate(&mut self, grace: Duration) {
        self.close_input();
        let signal = if grace.is_zero() { Signal::KILL } else { Signal::TERM };
        // A target that cannot be signalled is gone, or not ours to end.
        Terminating::run(&mut self.child, signal, grace).ok();
    }

    /// Lets the child live on when this is dropped.
    pub fn let_live(&mut self) {
        let at_drop = &mut self.child.child.at_drop;
        if *at_drop != DropAction::Nothing {
            *at_drop = DropAction::LetLive;
        }
    }

    /// Takes the end of an input out, if it is only an input, and makes it non-blocking.
    fn take_input(&mut self, fd: ChildFd) -> Option<ParentEnd> {
        let is_input = |end: &ParentEnd| end.fd == fd && end.direction == Direction::Write;
        let at = self.child.ends.iter().position(is_input)?;
        let mut end = self.child.ends.remove(at);
        // It cannot fail for an open pipe. If a filter refuses it, a write may wait for its reader.
        end.make_nonblocking().ok();
        Some(end)
    }

    fn close(&mut self, fd: ChildFd) {
        let ends = &mut self.child.ends;
        if let Some(at) = ends.iter().position(|end| end.fd == fd) {
            self.child.taken.push(fd);
            drop(ends.remove(at));
        }
    }
}

//! The loop of the blocking verbs: one `poll(2)` over the exit and all outputs.

use super::clock;
use super::handle::Spawned;
use super::output::Output;
use crate::launch::{ParentEnd, take_in};
use crate::sys::{Peeked, Waited};
use procession_core::driver::Direction;
use procession_protocol::ProcessTerminated;
use procession_protocol::driver::Lifecycle;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};
use std::io;
use std::time::{Duration, Instant};

/// One read, in bytes: what a pipe of the system's size holds.
const BUFFER_BYTES: usize = 64 << 10;

/// How often a child is asked that no descriptor tells of.
const ASK_AGAIN: Duration = Duration::from_millis(5);

impl Spawned {
    /// Nothing more is to come: neither of the child nor of its outputs.
    pub(super) fn is_over(&self) -> bool {
        self.reason.is_some() && !self.ends.iter().any(reads)
    }

    /// Closes the ends that are only written, and the writing half of sockets. A terminal stays: its
    /// close would hang the child up.
    pub(super) fn close_inputs(&mut self) {
        let taken = &mut self.taken;
        self.ends.retain(|end| {
            let keep = reads(end);
            if !keep {
                taken.push(end.fd);
            }
            keep
        });
        if self.terminal.is_none() {
            for end in &self.ends {
                if end.direction == Direction::Both {
                    shutdown(&end.end, Shutdown::Write).ok(); // its peer may be gone
                }
            }
        }
    }

    /// Reads outputs, and reaps the child, until `done`, or until the deadline: false then.
    pub(super) fn gather(
        &mut self,
        mut kept: Option<&mut Output>,
        deadline: Option<Instant>,
        done: impl Fn(&Self) -> bool,
    ) -> io::Result<bool> {
        crate::orphans::reap();
        loop {
            self.try_reap()?;
            if done(self) {
                return Ok(true);
            }
            let after = self.policy.drain_after_exit;
            let cut_off = self.reaped.and_then(|reaped| reaped.checked_add(after?));
            let now = clock::now();
            if cut_off.is_some_and(|cut_off| now >= cut_off) {
                self.cut_off(kept.as_deref_mut());
                continue;
            }
            let is_late = deadline.is_some_and(|deadline| now >= deadline);
            let until = [deadline, cut_off].into_iter().flatten().min();
            let timeout = until.map(|until| until.saturating_duration_since(now));
            let exit_seen = self.poll_once(timeout, true, kept.as_deref_mut())?;
            self.try_reap()?;
            if is_late {
                return Ok(done(self));
            }
            if exit_seen && self.reason.is_none() {
                // A tracer holds it: it is dead, and cannot be reaped yet.
                pause();
            }
        }
    }

    /// Reads and drops outputs, and reaps nobody, until the deadline, or until the child has ended
    /// where that is watched for.
    pub(super) fn gather_unreaped(
        &mut self,
        deadline: Option<Instant>,
        watches_exit: bool,
    ) -> io::Result<()> {
        loop {
            if watches_exit && self.child.peek() != Peeked::Running {
                return Ok(());
            }
            let now = clock::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(());
            }
            let timeout = deadline.map(|deadline| deadline - now);
            let exit_seen = self.poll_once(timeout, watches_exit, None)?;
            if exit_seen && self.child.peek() == Peeked::Running {
                // A tracer holds it: it is dead, and cannot be reaped yet.
                pause();
            }
        }
    }

    /// Waits for the exit or for output, and reads each output that has some once. True if the pidfd
    /// told of the exit.
    fn poll_once(
        &mut self,
        timeout: Option<Duration>,
        watches_exit: bool,
        mut kept: Option<&mut Output>,
    ) -> io::Result<bool> {
        let watches_exit = watches_exit && self.reason.is_none();
        let pidfd = self.child.pidfd.as_ref().filter(|_| watches_exit);
        let is_blind = pidfd.is_none() && watches_exit;
        let timeout = if is_blind {
            Some(timeout.map_or(ASK_AGAIN, |timeout| timeout.min(ASK_AGAIN)))
        } else {
            timeout
        };
        let ready: Vec<bool> = {
            let outputs = self.ends.iter().filter(|end| reads(end));
            let outputs = outputs.map(|end| PollFd::new(&end.end, PollFlags::IN));
            let exit = pidfd.map(|pidfd| PollFd::new(pidfd, PollFlags::IN));
            let mut fds: Vec<PollFd<'_>> = outputs.chain(exit).collect();
            match poll(&mut fds, timeout.map(timespec).as_ref()) {
                Ok(_) => fds.iter().map(|fd| !fd.revents().is_empty()).collect(),
                Err(Errno::INTR) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        };
        let exit_seen = pidfd.is_some() && ready.last() == Some(&true);
        let mut buffer = Vec::new();
        let mut ready = ready.into_iter();
        let taken = &mut self.taken;
        let mut refused = None;
        self.ends.retain(|end| {
            if !reads(end) || ready.next() != Some(true) {
                return true;
            }
            buffer.resize(BUFFER_BYTES, 0);
            let ending = read_once(end, &mut buffer, kept.as_deref_mut());
            if let Ending::Refused(error) = ending {
                refused = Some(error);
            }
            let open = matches!(ending, Ending::GoesOn | Ending::NothingNow);
            if !open {
                taken.push(end.fd);
            }
            open
        });
        match refused {
            // What is dropped anyway is no loss.
            Some(error) if kept.is_some() => Err(error.into()),
            _ => Ok(exit_seen),
        }
    }

    /// Reads what the outputs hold at this moment, of each no more than a pipe can hold, for a
    /// descendant may go on writing; closes them, and notes which were held.
    pub(super) fn cut_off(&mut self, mut kept: Option<&mut Output>) {
        const MOST_READS: usize = (1 << 20) / BUFFER_BYTES;
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut held = Vec::new();
        for end in self.ends.iter().filter(|end| reads(end)) {
            let mut reads =
                (0..MOST_READS).map(|_| read_once(end, &mut buffer, kept.as_deref_mut()));
            if reads.find(|ending| *ending != Ending::GoesOn) != Some(Ending::Ended) {
                held.push(end.fd);
            }
        }
        self.taken.extend(self.ends.drain(..).map(|end| end.fd));
        self.reason = self.reason.take().map(|reason| Lifecycle::with_held_fds(reason, held));
    }

    /// Reaps the child if it has ended. What is left of its group ends with the program until nothing
    /// more is to come.
    pub(super) fn try_reap(&mut self) -> io::Result<()> {
        self.reap()?;
        if self.is_over() {
            self.child.let_live();
        }
        Ok(())
    }

    fn reap(&mut self) -> io::Result<()> {
        if self.reason.is_some() {
            return Ok(());
        }
        let reason = match self.child.try_reap(self.parent_peak_kib, self.policy.leads_group)? {
            Waited::Running => return Ok(()),
            Waited::Reaped(status, usage) => Lifecycle::exit_reason(status, Some(usage)),
            Waited::Kept(status) => Lifecycle::exit_reason(status, None),
            Waited::Lost(why) => Err(ProcessTerminated::unknown(why)),
        };
        self.reason = Some(reason);
        self.reaped = Some(clock::now());
        if let Some(slave) = self.terminal.as_mut().and_then(|terminal| terminal.slave.take()) {
            take_in(&slave);
        }
        Ok(())
    }
}

/// What a read says of its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    GoesOn,
    NothingNow,
    Ended,
    /// By a filter, say: there may be more, which nobody can have.
    Refused(Errno),
}

fn read_once(end: &ParentEnd, buffer: &mut [u8], kept: Option<&mut Output>) -> Ending {
    match rustix::io::retry_on_intr(|| rustix::io::read(&end.end, &mut *buffer)) {
        Ok(0) => Ending::Ended,
        Ok(bytes) => {
            if let Some(kept) = kept {
                kept.push(end.fd, &buffer[..bytes]);
            }
            Ending::GoesOn
        }
        Err(Errno::AGAIN) => Ending::NothingNow,
        // EIO is a terminal's end, and a socket that was reset has nothing more.
        Err(Errno::IO | Errno::CONNRESET) => Ending::Ended,
        Err(error) => Ending::Refused(error),
    }
}

fn reads(end: &ParentEnd) -> bool {
    end.direction != Direction::Write
}

/// A moment, for what no descriptor tells of.
pub(super) fn pause() {
    poll(&mut [], Some(&timespec(ASK_AGAIN))).ok(); // a signal cuts it short
}

fn timespec(time: Duration) -> Timespec {
    let tv_sec = time.as_secs().try_into().unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: time.subsec_nanos().into() }
}

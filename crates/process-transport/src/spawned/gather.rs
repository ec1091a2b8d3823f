//! The loop of the blocking verbs: one `poll(2)` over the exit and all outputs.

use std::io;
use std::time::{Duration, Instant};

use procession_core::driver::Direction;
use procession_protocol::ProcessTerminated;
use procession_protocol::driver::Lifecycle;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};

use super::clock;
use super::handle::Spawned;
use super::output::Output;
use crate::launch::{ParentEnd, take_in};
use crate::sys::{PeekOutcome, WaitOutcome};

/// The size of one read, in bytes: the capacity of a pipe of the system's size.
const BUFFER_BYTES: usize = 64 << 10;

/// The interval at which a child without a usable pidfd is polled.
const ASK_AGAIN: Duration = Duration::from_millis(5);

impl Spawned {
    /// Returns whether nothing more will come, neither from the child nor from its outputs.
    pub(super) fn is_over(&self) -> bool {
        self.reason.is_some() && !self.ends.iter().any(reads)
    }

    /// Closes the ends that the parent only writes, and the writing half of sockets. A terminal
    /// stays open, because its close would hang up the child.
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

    /// Reads outputs and reaps the child until `done`, or until the deadline; then it returns
    /// false.
    pub(super) fn gather(
        &mut self,
        mut kept: Option<&mut Output>,
        deadline: Option<Instant>,
        done: impl Fn(&Self) -> bool,
    ) -> io::Result<bool> {
        crate::orphans::reap();
        self.unblock_terminal();
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
                // A tracer holds the child: it is dead, and cannot be reaped yet.
                pause();
            }
        }
    }

    /// Reads and drops outputs, without a reap, until the deadline, or until the child has ended if
    /// `watches_exit`.
    pub(super) fn gather_unreaped(
        &mut self,
        deadline: Option<Instant>,
        watches_exit: bool,
    ) -> io::Result<()> {
        self.unblock_terminal();
        loop {
            if watches_exit && self.child.peek() != PeekOutcome::Running {
                return Ok(());
            }
            let now = clock::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(());
            }
            let timeout = deadline.map(|deadline| deadline - now);
            let exit_seen = self.poll_once(timeout, watches_exit, None)?;
            if exit_seen && self.child.peek() == PeekOutcome::Running {
                // A tracer holds the child: it is dead, and cannot be reaped yet.
                pause();
            }
        }
    }

    /// Waits for the exit or for output, and reads once from each output that is ready. Returns
    /// true if the pidfd reported the exit.
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
            if let ReadOutcome::Refused(error) = ending {
                refused = Some(error);
            }
            let open = matches!(ending, ReadOutcome::GoesOn | ReadOutcome::NothingNow);
            if !open {
                taken.push(end.fd);
            }
            open
        });
        match refused {
            // The output is dropped anyway, so the error loses nothing.
            Some(error) if kept.is_some() => Err(error.into()),
            _ => Ok(exit_seen),
        }
    }

    /// Makes a terminal's master and sockets non-blocking. What poll saw in a terminal may be gone
    /// before the read: the child can discard it (`tcflush(3)`). A pipe keeps what it has.
    fn unblock_terminal(&mut self) {
        for end in &mut self.ends {
            if end.direction == Direction::Both {
                // Neither call can fail for an open descriptor; a filter may refuse them.
                end.make_nonblocking().ok();
            }
        }
    }

    /// Reads what the outputs hold at this moment, closes them, and records which ones were still
    /// held open by another process. Reads at most what a pipe can hold from each, because a
    /// descendant may go on writing.
    pub(super) fn cut_off(&mut self, mut kept: Option<&mut Output>) {
        const MOST_READS: usize = (1 << 20) / BUFFER_BYTES;
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut held = Vec::new();
        for end in self.ends.iter().filter(|end| reads(end)) {
            let mut reads =
                (0..MOST_READS).map(|_| read_now(end, &mut buffer, kept.as_deref_mut()));
            if reads.find(|ending| *ending != ReadOutcome::GoesOn) != Some(ReadOutcome::Ended) {
                held.push(end.fd);
            }
        }
        self.taken.extend(self.ends.drain(..).map(|end| end.fd));
        self.reason = self.reason.take().map(|reason| Lifecycle::with_held_fds(reason, held));
    }

    /// Reaps the child if it has ended. As long as more output may come, the end of the program
    /// also ends the rest of the child's group.
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
            WaitOutcome::Running => return Ok(()),
            WaitOutcome::Reaped(status, usage) => Lifecycle::exit_reason(status, Some(usage)),
            WaitOutcome::Kept(status) => Lifecycle::exit_reason(status, None),
            WaitOutcome::Lost(why) => Err(ProcessTerminated::unknown(why)),
        };
        self.reason = Some(reason);
        self.reaped = Some(clock::now());
        if let Some(slave) = self.terminal.as_mut().and_then(|terminal| terminal.slave.take()) {
            take_in(&slave);
        }
        Ok(())
    }
}

/// The result of one read of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadOutcome {
    GoesOn,
    NothingNow,
    Ended,
    /// The system refused the read, a filter for instance: there may be more that cannot be read.
    Refused(Errno),
}

fn read_once(end: &ParentEnd, buffer: &mut [u8], kept: Option<&mut Output>) -> ReadOutcome {
    match rustix::io::retry_on_intr(|| rustix::io::read(&end.end, &mut *buffer)) {
        Ok(0) => ReadOutcome::Ended,
        Ok(bytes) => {
            if let Some(kept) = kept {
                kept.push(end.fd, &buffer[..bytes]);
            }
            ReadOutcome::GoesOn
        }
        Err(Errno::AGAIN) => ReadOutcome::NothingNow,
        // EIO is the end of a terminal; a socket that was reset has no more data.
        Err(Errno::IO | Errno::CONNRESET) => ReadOutcome::Ended,
        Err(error) => ReadOutcome::Refused(error),
    }
}

/// Reads once, without waiting for output.
fn read_now(end: &ParentEnd, buffer: &mut [u8], kept: Option<&mut Output>) -> ReadOutcome {
    let mut polled = [PollFd::new(&end.end, PollFlags::IN)];
    match rustix::io::retry_on_intr(|| poll(&mut polled, Some(&Timespec::default()))) {
        Ok(0) => ReadOutcome::NothingNow,
        Ok(_) => read_once(end, buffer, kept),
        Err(error) => ReadOutcome::Refused(error),
    }
}

fn reads(end: &ParentEnd) -> bool {
    end.direction != Direction::Write
}

/// Waits a moment, for a change that no descriptor reports.
pub(super) fn pause() {
    poll(&mut [], Some(&timespec(ASK_AGAIN))).ok(); // a signal may cut it short
}

fn timespec(time: Duration) -> Timespec {
    let tv_sec = time.as_secs().try_into().unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: time.subsec_nanos().into() }
}

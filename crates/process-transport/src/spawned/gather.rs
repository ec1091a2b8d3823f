//! The loop of the blocking verbs: one `poll(2)` over the exit and all outputs.

use std::io;
use std::time::{Duration, Instant};

use procession_core::driver::Direction;
use procession_protocol::driver::Lifecycle;
use procession_protocol::{ChildFd, ProcessTerminated};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};

use super::clock;
use super::handle::Spawned;
use super::intake::{Intake, USUAL_BYTES};
use super::sink::{Discarded, Sink};
use crate::launch::{ParentEnd, take_in};
use crate::own_children::KnownEnd;
use crate::sys::{PeekOutcome, WaitOutcome};

/// The interval at which a child without a usable pidfd is polled.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// What one poll waits for.
pub(super) struct PollWait {
    pub(super) timeout: Option<Duration>,
    pub(super) watches_exit: bool,
    /// An input to which the caller wants to write.
    pub(super) room_of: Option<ChildFd>,
}

/// What one poll has seen.
#[derive(Debug, Default)]
pub(super) struct Polled {
    /// The pidfd reported the exit.
    pub(super) exit_seen: bool,
    /// The input takes data, or its reader is gone.
    pub(super) has_room: bool,
    /// Nothing was ready.
    pub(super) is_idle: bool,
}

/// A sink, and what the outputs are read into.
pub(super) struct Reader<'a> {
    sink: &'a mut dyn Sink,
    intake: &'a mut Intake,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sink: &'a mut dyn Sink, intake: &'a mut Intake) -> Self {
        Self { sink, intake }
    }

    fn read_once(&mut self, end: &ParentEnd) -> ReadOutcome {
        match self.intake.read(end) {
            Ok(0) => ReadOutcome::Ended,
            Ok(_) => {
                self.sink.on_data(end.fd, &mut self.intake.buffer);
                ReadOutcome::GoesOn
            }
            Err(Errno::AGAIN) => ReadOutcome::NothingNow,
            // EIO is the end of a terminal; a socket that was reset has no more data.
            Err(Errno::IO | Errno::CONNRESET) => ReadOutcome::Ended,
            Err(error) => ReadOutcome::Refused(error),
        }
    }

    /// Reads once, without waiting for output.
    fn read_now(&mut self, end: &ParentEnd) -> ReadOutcome {
        let mut polled = [PollFd::new(&end.end, PollFlags::IN)];
        match rustix::io::retry_on_intr(|| poll(&mut polled, Some(&Timespec::default()))) {
            Ok(0) => ReadOutcome::NothingNow,
            Ok(_) => self.read_once(end),
            Err(error) => ReadOutcome::Refused(error),
        }
    }
}

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
        sink: &mut dyn Sink,
        deadline: Option<Instant>,
        done: impl Fn(&Self) -> bool,
    ) -> io::Result<bool> {
        crate::orphans::reap();
        self.unblock_terminal();
        let mut intake = Intake::new(self.policy.pipes_grow);
        let mut reader = Reader::new(sink, &mut intake);
        loop {
            self.try_reap(KnownEnd::Unknown)?;
            if done(self) {
                return Ok(true);
            }
            let cut_off = self.cut_off_at();
            let now = clock::now();
            if cut_off.is_some_and(|cut_off| now >= cut_off) {
                self.cut_off(&mut reader, Vec::new());
                continue;
            }
            let is_late = deadline.is_some_and(|deadline| now >= deadline);
            let until = [deadline, cut_off].into_iter().flatten().min();
            let timeout = until.map(|until| until.saturating_duration_since(now));
            let wait = PollWait { timeout, watches_exit: true, room_of: None };
            let polled = self.poll_once(&wait, &mut reader)?;
            self.try_reap(KnownEnd::seen(polled.exit_seen))?;
            if is_late {
                return Ok(done(self));
            }
            if polled.exit_seen && self.reason.is_none() {
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
        let (mut sink, mut intake) = (Discarded, Intake::new(self.policy.pipes_grow));
        let mut reader = Reader::new(&mut sink, &mut intake);
        loop {
            if watches_exit && self.child.peek() != PeekOutcome::Running {
                return Ok(());
            }
            let now = clock::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(());
            }
            let timeout = deadline.map(|deadline| deadline - now);
            let wait = PollWait { timeout, watches_exit, room_of: None };
            let polled = self.poll_once(&wait, &mut reader)?;
            if polled.exit_seen && self.child.peek() == PeekOutcome::Running {
                // A tracer holds the child: it is dead, and cannot be reaped yet.
                pause();
            }
        }
    }

    /// Returns when outputs that descendants hold are cut off, once the child is reaped.
    pub(super) fn cut_off_at(&self) -> Option<Instant> {
        self.reaped?.checked_add(self.policy.drain_after_exit?)
    }

    /// Waits for the exit, for output or for room in an input, and reads once from each output that
    /// is ready.
    pub(super) fn poll_once(
        &mut self,
        wait: &PollWait,
        reader: &mut Reader<'_>,
    ) -> io::Result<Polled> {
        let watches_exit = wait.watches_exit && self.reason.is_none();
        let pidfd = self.child.pidfd.as_ref().filter(|_| watches_exit);
        let is_blind = pidfd.is_none() && watches_exit;
        let timeout = if is_blind {
            Some(wait.timeout.map_or(ASK_AGAIN, |timeout| timeout.min(ASK_AGAIN)))
        } else {
            wait.timeout
        };
        let input = self.ends.iter().find(|end| Some(end.fd) == wait.room_of);
        let ready: Vec<bool> = {
            let outputs = self.ends.iter().filter(|end| reads(end));
            let outputs = outputs.map(|end| PollFd::new(&end.end, PollFlags::IN));
            let input = input.map(|end| PollFd::new(&end.end, PollFlags::OUT));
            let exit = pidfd.map(|pidfd| PollFd::new(pidfd, PollFlags::IN));
            let mut fds: Vec<PollFd<'_>> = outputs.chain(input).chain(exit).collect();
            match poll(&mut fds, timeout.map(timespec).as_ref()) {
                Ok(_) => fds.iter().map(|fd| !fd.revents().is_empty()).collect(),
                Err(Errno::INTR) => return Ok(Polled::default()),
                Err(error) => return Err(error.into()),
            }
        };
        let is_idle = !ready.contains(&true);
        let mut others = ready.iter().copied().rev();
        let exit_seen = pidfd.is_some() && others.next() == Some(true);
        let has_room = input.is_some() && others.next() == Some(true);
        let mut ready = ready.into_iter();
        let taken = &mut self.taken;
        let mut refused = None;
        self.ends.retain(|end| {
            if !reads(end) || ready.next() != Some(true) {
                return true;
            }
            let ending = reader.read_once(end);
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
            Some(error) if reader.sink.needs_all() => Err(error.into()),
            _ => Ok(Polled { exit_seen, has_room, is_idle }),
        }
    }

    /// Makes a terminal's master and sockets non-blocking. What poll saw in a terminal may be gone
    /// before the read: the child can discard it (`tcflush(3)`). A pipe keeps what it has.
    pub(super) fn unblock_terminal(&mut self) {
        for end in &mut self.ends {
            if end.direction == Direction::Both {
                // Neither call can fail for an open descriptor; a filter may refuse them.
                end.make_nonblocking().ok();
            }
        }
    }

    /// Reads what the outputs hold at this moment, closes them, and records which ones were still
    /// held open by another process. Reads a limited number of times from each, because a descendant
    /// may go on writing. `held` has the inputs that are held open.
    pub(super) fn cut_off(&mut self, reader: &mut Reader<'_>, mut held: Vec<ChildFd>) {
        /// The most that a pipe can hold, in reads of the usual size.
        const MOST_READS: usize = (1 << 20) / USUAL_BYTES;
        for end in self.ends.iter().filter(|end| reads(end)) {
            let mut reads = (0..MOST_READS).map(|_| reader.read_now(end));
            if reads.find(|ending| *ending != ReadOutcome::GoesOn) != Some(ReadOutcome::Ended) {
                held.push(end.fd);
            }
        }
        self.taken.extend(self.ends.drain(..).map(|end| end.fd));
        self.reason = self.reason.take().map(|reason| Lifecycle::with_held_fds(reason, held));
    }

    /// Reaps the child if it has ended. As long as more output may come, the end of the program
    /// also ends the rest of the child's group.
    pub(super) fn try_reap(&mut self, known: KnownEnd) -> io::Result<()> {
        self.reap(known)?;
        if self.is_over() {
            self.child.let_live();
        }
        Ok(())
    }

    fn reap(&mut self, known: KnownEnd) -> io::Result<()> {
        if self.reason.is_some() {
            return Ok(());
        }
        let (peak, leads_group) = (self.parent_peak_kib, self.policy.leads_group);
        let reason = match self.child.try_reap(known, peak, leads_group)? {
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

pub(super) fn reads(end: &ParentEnd) -> bool {
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

//! The child's number, its pidfd and its group: every signal goes through here, and so does the
//! reap.
//!
//! The number is used only while the child is neither reaped nor given away; afterwards it may be
//! another process's. A group whose leader is reaped is signalled by the pidfd alone.

use std::io;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use procession_core::Signal;
use procession_protocol::driver::{GroupState, Lifecycle, TerminationScope};
use procession_protocol::{ExitReason, ProcessTerminated, SignalError, SpawnPath, UnknownEnd};
use procession_reactor::driver::Key;
use procession_reactor::{Handle, Interest};

use super::running::RunningChild;
use crate::group::{self, GroupLook};
use crate::own_children::{KnownEnd, try_reap};
use crate::pauses::Pauses;
use crate::spawned::{OwnedChild, no_pidfd, signal_error};
use crate::sys::{self, PeekOutcome, Place, WaitOutcome};
use crate::trace::{self, SentTo};

/// Watches one child's exit, and signals the child.
#[derive(Debug)]
pub(crate) struct ExitWatch {
    pid: u32,
    path: SpawnPath,
    /// The child leads the group that has its pid.
    leads_group: bool,
    parent_peak_kib: i64,
    is_reaped: bool,
    seen: ExitSeen,
    /// The child's place among those that end with the program: until the reap, or for a leader
    /// until [`let_live`](Self::let_live). Its field comes before the pidfd, because it must be
    /// released before the pidfd is closed.
    place: Option<Place>,
    pidfd: PidfdState,
    /// `Some` until it is reaped or given away.
    running: Option<RunningChild>,
}

/// What was seen of a child that is not reaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExitSeen {
    /// Nothing: its pidfd is watched.
    Nothing,
    /// It has ended, and a tracer holds it: nobody can reap it until the tracer lets go. Its pidfd
    /// stays readable, so it is not watched; the child is polled after pauses.
    Held(Pauses),
    /// It has ended, and is kept as a zombie. Its pidfd is not watched.
    Kept,
}

/// The location of the child's pidfd.
#[derive(Debug)]
enum PidfdState {
    /// Not yet given to the loop; `None` if there is no pidfd, and SIGCHLD is watched instead.
    New(Option<OwnedFd>),
    /// In the loop.
    Source(Key),
    /// The child is reaped; the pidfd is kept for signals to the group that the child led.
    Kept(OwnedFd),
    /// The child is reaped.
    Gone,
    /// The child, or its group, was given away to another owner.
    GivenAway,
}

impl ExitWatch {
    /// Takes over a child, which may already be reaped.
    pub(crate) fn new(
        mut child: OwnedChild,
        leads_group: bool,
        parent_peak_kib: i64,
        is_reaped: bool,
    ) -> Self {
        let (place, pidfd) = child.give_away();
        let pidfd = match pidfd {
            pidfd if !is_reaped => PidfdState::New(pidfd),
            Some(pidfd) if leads_group => PidfdState::Kept(pidfd),
            _ => PidfdState::Gone,
        };
        let (pid, path) = (child.pid, child.path);
        let running = (!is_reaped).then(RunningChild::begin);
        Self {
            pid,
            path,
            leads_group,
            parent_peak_kib,
            is_reaped,
            seen: ExitSeen::Nothing,
            place,
            pidfd,
            running,
        }
    }

    /// Takes the pidfd for the loop; returns `None` if there is no pidfd.
    pub(crate) fn take_new(&mut self) -> Option<OwnedFd> {
        if let PidfdState::New(pidfd) = &mut self.pidfd { pidfd.take() } else { None }
    }

    /// Puts back a pidfd that the loop refused.
    pub(crate) fn put_back(&mut self, pidfd: Option<OwnedFd>) {
        self.pidfd = PidfdState::New(pidfd);
    }

    /// Records that the loop has the pidfd.
    pub(crate) fn on_watched(&mut self, key: Key) {
        self.pidfd = PidfdState::Source(key);
    }

    /// Records that a termination begins.
    pub(crate) fn on_asked_to_end(&self) {
        if let Some(place) = &self.place {
            place.ask_to_end();
        }
    }

    /// Takes the place, which must be released before the pidfd is closed and the child reaped.
    pub(crate) fn take_place(&mut self) -> Option<Place> {
        self.place.take()
    }

    /// Takes the pidfd back, in whatever state. Afterwards no signal is sent any more, and the
    /// child does not end with the program, unless its place was taken before.
    pub(crate) fn take_back(&mut self, reactor: &Handle) -> Option<OwnedFd> {
        self.running = None;
        self.place = None;
        match mem::replace(&mut self.pidfd, PidfdState::GivenAway) {
            PidfdState::Source(key) => reactor.io().take_fd(key),
            PidfdState::New(pidfd) => pidfd,
            PidfdState::Kept(pidfd) => Some(pidfd),
            PidfdState::Gone | PidfdState::GivenAway => None,
        }
    }

    /// Returns whether there is nothing to watch: the child is reaped, or was given away.
    pub(crate) fn is_over(&self) -> bool {
        self.is_reaped || matches!(self.pidfd, PidfdState::Gone | PidfdState::GivenAway)
    }

    /// Returns the pid, as long as it is certainly the child's.
    pub(crate) fn pid(&self) -> Option<u32> {
        (!self.is_over()).then_some(self.pid)
    }

    /// Returns the number that the child got at its clone.
    pub(crate) fn number(&self) -> u32 {
        self.pid
    }

    /// Returns the number of the group that the child leads or led.
    pub(crate) fn group(&self) -> Option<u32> {
        self.leads_group.then_some(self.pid)
    }

    pub(crate) fn path(&self) -> SpawnPath {
        self.path
    }

    pub(crate) fn parent_peak_kib(&self) -> i64 {
        self.parent_peak_kib
    }

    /// Duplicates the pidfd.
    pub(crate) fn duplicate(&self, reactor: &Handle) -> io::Result<OwnedFd> {
        match &self.pidfd {
            PidfdState::New(Some(fd)) | PidfdState::Kept(fd) => fd.try_clone(),
            PidfdState::Source(key) => reactor
                .io()
                .with_owned(*key, |fd| fd.try_clone_to_owned())
                .unwrap_or_else(|| Err(io::ErrorKind::NotFound.into())),
            PidfdState::New(None) => Err(no_pidfd()),
            PidfdState::GivenAway if !self.is_reaped => Err(reactor_gone()),
            PidfdState::Gone | PidfdState::GivenAway => {
                Err(io::Error::from_raw_os_error(libc::ESRCH))
            }
        }
    }

    /// Sends a signal to the child.
    pub(crate) fn signal(&self, reactor: &Handle, signal: Signal) -> Result<(), SignalError> {
        let sent = self.with_child(reactor, |child| sys::send(child, signal));
        trace::signalled(SentTo::Child, self.pid, signal, sent == Some(Ok(())));
        match sent {
            Some(sent) => sent.map_err(signal_error),
            None if self.is_reaped => Err(SignalError::ProcessExitedAlready),
            None => Err(SignalError::ReactorGone),
        }
    }

    /// Sends a signal to the group that the child leads.
    pub(crate) fn signal_group(&self, reactor: &Handle, signal: Signal) -> Result<(), SignalError> {
        if !self.leads_group {
            return Err(SignalError::NoGroup);
        }
        let sent = self.send_to_group(reactor, signal);
        trace::signalled(SentTo::Group, self.pid, signal, sent.is_ok());
        sent
    }

    fn send_to_group(&self, reactor: &Handle, signal: Signal) -> Result<(), SignalError> {
        let by_pidfd = match &self.pidfd {
            PidfdState::Source(key) => {
                reactor.io().with_owned(*key, |fd| sys::send_to_group(fd, signal))
            }
            PidfdState::New(Some(fd)) | PidfdState::Kept(fd) => {
                Some(sys::send_to_group(fd.as_fd(), signal))
            }
            PidfdState::New(None) => Some(Err(libc::EINVAL)),
            PidfdState::Gone => None,
            PidfdState::GivenAway => return Err(SignalError::ReactorGone),
        };
        match by_pidfd {
            // No such flag (before Linux 6.9), no such signal, or a filter: the number shows which.
            // It is the child's as long as the child is not reaped.
            Some(Err(errno)) if sys::is_refusal(errno) && !self.is_reaped => {
                let by_number = |leader: sys::ChildId<'_>| group::send_by_number(leader, signal);
                let sent = match &self.pidfd {
                    PidfdState::Kept(fd) => by_number(sys::ChildId::Fd(fd.as_fd(), self.pid)),
                    _ => self.with_child(reactor, by_number).unwrap_or(Err(libc::ESRCH)),
                };
                sent.map_err(signal_error)
            }
            Some(Err(libc::EINVAL | libc::ENOSYS)) | None => Err(SignalError::ProcessExitedAlready),
            Some(result) => result.map_err(signal_error),
        }
    }

    /// Sends a signal to what a termination acts on; for a group also to a leader that left it.
    pub(crate) fn signal_scope(
        &self,
        reactor: &Handle,
        scope: TerminationScope,
        signal: Signal,
    ) -> Result<(), SignalError> {
        if scope != TerminationScope::Group {
            return self.signal(reactor, signal);
        }
        let to_group = self.signal_group(reactor, signal);
        if !self.is_reaped && !group::is_led_by(self.pid) {
            return self.signal(reactor, signal).or(to_group);
        }
        to_group
    }

    /// Kills what a termination acts on. The child comes first, because one that has just begun may
    /// not lead its group yet. Errors mean that the target is gone.
    pub(crate) fn kill_scope(&self, reactor: &Handle, scope: TerminationScope) {
        self.signal(reactor, Signal::KILL).ok();
        if scope == TerminationScope::Group {
            self.signal_group(reactor, Signal::KILL).ok();
        }
    }

    /// Looks whether any process lives in the group that the child leads or led.
    pub(crate) fn look_at_group(&self, look: &mut GroupLook) -> GroupState {
        let pidfd = match &self.pidfd {
            PidfdState::Kept(pidfd) => Some(pidfd.as_fd()),
            _ => None,
        };
        group::look(look, self.pid, pidfd, self.is_reaped)
    }

    /// Checks whether the child has ended, without a reap.
    pub(crate) fn peek(&self, reactor: &Handle) -> PeekOutcome {
        self.with_child(reactor, sys::peek).unwrap_or(PeekOutcome::Lost)
    }

    /// Returns the signal that stopped the child, if it is stopped.
    pub(crate) fn stopped_by(&self, reactor: &Handle) -> Option<Signal> {
        self.with_child(reactor, sys::stopped_by)?.map(Signal::from_raw)
    }

    /// Records that the child has ended and must not be reaped yet.
    pub(crate) fn keep(&mut self, reactor: &Handle) {
        self.set_seen(reactor, ExitSeen::Kept);
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.seen == ExitSeen::Kept
    }

    /// Watches the pidfd again, because the child is no longer kept.
    pub(crate) fn watch_again(&mut self, reactor: &Handle) {
        if self.is_kept() {
            self.set_seen(reactor, ExitSeen::Nothing);
        }
    }

    /// Handles a readable pidfd of a child that cannot be reaped yet; returns the delay before the
    /// next look. `None` without a pidfd in the loop, because then no such event occurs.
    pub(crate) fn on_held(&mut self, reactor: &Handle) -> Option<Duration> {
        if !matches!(self.pidfd, PidfdState::Source(_)) || self.is_kept() {
            return None;
        }
        let mut pauses = match self.seen {
            ExitSeen::Held(pauses) => pauses,
            ExitSeen::Nothing | ExitSeen::Kept => Pauses::default(),
        };
        let pause = pauses.next();
        self.set_seen(reactor, ExitSeen::Held(pauses));
        Some(pause)
    }

    fn set_seen(&mut self, reactor: &Handle, seen: ExitSeen) {
        let was_watched = self.seen == ExitSeen::Nothing;
        self.seen = seen;
        let is_watched = seen == ExitSeen::Nothing;
        let PidfdState::Source(key) = &self.pidfd else { return };
        if is_watched != was_watched {
            let interest = if is_watched { Interest::READABLE_LATE } else { Interest::PAUSED };
            // The poller had it before, so it has room for it.
            reactor.io().set_interest(*key, interest).ok();
        }
    }

    /// Reaps the child if it has ended. A pidfd in the loop is readable when this is called.
    pub(crate) fn try_reap(&mut self, reactor: &Handle) -> Option<ExitReason> {
        let peak = self.parent_peak_kib;
        let known = KnownEnd::seen(matches!(self.pidfd, PidfdState::Source(_)));
        let mut place = self.place.take();
        let waited = self.with_child(reactor, |child| try_reap(child, &mut place, known, peak));
        self.place = place;
        let reason = match waited? {
            Ok(WaitOutcome::Running) => return None,
            Ok(WaitOutcome::Reaped(status, usage)) => Lifecycle::exit_reason(status, Some(usage)),
            Ok(WaitOutcome::Kept(status)) => Lifecycle::exit_reason(status, None),
            Ok(WaitOutcome::Lost(why)) => Err(ProcessTerminated::unknown(why)),
            // Nothing else can be learnt about it: an end without a status.
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                Err(ProcessTerminated::unknown(UnknownEnd::WaitRefused(errno)))
            }
        };
        self.is_reaped = true;
        self.running = None;
        self.put_pidfd_away(reactor);
        Some(reason)
    }

    /// Keeps a leader's pidfd after the reap, because signals to its group need it; else closes it.
    fn put_pidfd_away(&mut self, reactor: &Handle) {
        let pidfd = mem::replace(&mut self.pidfd, PidfdState::Gone);
        if let (PidfdState::Source(key), true) = (&pidfd, self.leads_group)
            && let Some(pidfd) = reactor.io().take_fd(*key)
        {
            self.pidfd = PidfdState::Kept(pidfd);
            return;
        }
        self.place = None;
        if let PidfdState::Source(key) = pidfd {
            reactor.io().close(key);
        }
    }

    /// Releases the place of a reaped child from which nothing more will come: the end of the
    /// program then leaves the rest of its group alone.
    pub(crate) fn let_live(&mut self) {
        if self.is_reaped {
            self.place = None;
        }
    }

    /// Forgets the group that it led, which is empty for good: the pidfd of a reaped leader names
    /// no process.
    pub(crate) fn forget_group(&mut self) {
        if self.is_reaped && matches!(self.pidfd, PidfdState::Kept(_)) {
            self.place = None;
            self.pidfd = PidfdState::Gone;
        }
    }

    /// Calls with the pidfd, or with the number of a child that is not reaped.
    fn with_child<R>(
        &self,
        reactor: &Handle,
        call: impl FnOnce(sys::ChildId<'_>) -> R,
    ) -> Option<R> {
        match &self.pidfd {
            PidfdState::Source(key) => {
                reactor.io().with_owned(*key, |fd| call(sys::ChildId::Fd(fd, self.pid)))
            }
            PidfdState::New(Some(fd)) => Some(call(sys::ChildId::Fd(fd.as_fd(), self.pid))),
            PidfdState::New(None) => Some(call(sys::ChildId::Pid(self.pid))),
            PidfdState::Kept(_) | PidfdState::Gone | PidfdState::GivenAway => None,
        }
    }
}

/// Returns the error of the verbs once the reactor is gone.
pub(crate) fn reactor_gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the reactor is gone")
}

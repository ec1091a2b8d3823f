//! The child's number, its pidfd and its group: every signal goes through here, and so does the reap.
//!
//! The number is used as long as the child is not reaped, and not after it was given away: it may be
//! somebody else's then. A group whose leader is reaped is signalled by the pidfd alone.

use super::running::Running;
use crate::group::{self, GroupLook};
use crate::own_children::try_reap;
use crate::pauses::Pauses;
use crate::spawned::{OwnedChild, no_pidfd};
use crate::sys::{self, Peeked, Place, Waited};
use procession_core::Signal;
use procession_protocol::driver::{GroupState, Lifecycle, TerminationScope};
use procession_protocol::{ExitReason, ProcessTerminated, SignalError, SpawnPath, UnknownEnd};
use procession_reactor::{Handle, Interest, Key};
use std::io;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// Watches one child's exit, and signals it.
#[derive(Debug)]
pub(crate) struct ExitWatch {
    pid: u32,
    path: SpawnPath,
    /// The child leads the group that has its pid.
    leads_group: bool,
    parent_peak_kib: i64,
    is_reaped: bool,
    seen: Seen,
    /// Among the children that end with the program: until the reap, and a leader's until
    /// [`let_live`](Self::let_live). It stands before the pidfd, and is given back before that is closed.
    place: Option<Place>,
    pidfd: Pidfd,
    /// Until it is reaped, or given away.
    running: Option<Running>,
}

/// What was seen of a child that is not reaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Nothing: its pidfd is watched.
    Nothing,
    /// It has ended, and a tracer holds it: nobody can reap it until that lets go. Its pidfd, which
    /// stays readable, is not watched, and it is asked again after pauses.
    Held(Pauses),
    /// It has ended, and is kept as a zombie: its pidfd is not watched.
    Kept,
}

/// Where the child's pidfd is.
#[derive(Debug)]
enum Pidfd {
    /// Not given to the loop; `None` where there is none, and SIGCHLD is watched instead.
    New(Option<OwnedFd>),
    /// In the loop.
    Source(Key),
    /// Reaped; kept for signals to the group that the child led.
    Kept(OwnedFd),
    /// Reaped.
    Gone,
    /// The child, or its group, was given away: it is somebody else's.
    GivenAway,
}

impl ExitWatch {
    /// Takes over a child, which may be reaped by now.
    pub(crate) fn new(
        mut child: OwnedChild,
        leads_group: bool,
        parent_peak_kib: i64,
        is_reaped: bool,
    ) -> Self {
        let (place, pidfd) = child.give_away();
        let pidfd = match pidfd {
            pidfd if !is_reaped => Pidfd::New(pidfd),
            Some(pidfd) if leads_group => Pidfd::Kept(pidfd),
            _ => Pidfd::Gone,
        };
        let (pid, path) = (child.pid, child.path);
        let running = (!is_reaped).then(Running::begin);
        Self {
            pid,
            path,
            leads_group,
            parent_peak_kib,
            is_reaped,
            seen: Seen::Nothing,
            place,
            pidfd,
            running,
        }
    }

    /// Takes the pidfd, for the loop; `None` where there is none.
    pub(crate) fn take_new(&mut self) -> Option<OwnedFd> {
        match &mut self.pidfd {
            Pidfd::New(pidfd) if pidfd.is_some() => {
                let pidfd = pidfd.take();
                self.pidfd = Pidfd::Gone;
                pidfd
            }
            _ => None,
        }
    }

    /// The loop has the pidfd.
    pub(crate) fn on_watched(&mut self, key: Key) {
        self.pidfd = Pidfd::Source(key);
    }

    /// A termination begins.
    pub(crate) fn on_asked_to_end(&self) {
        if let Some(place) = &self.place {
            place.ask_to_end();
        }
    }

    /// Takes the place, which is to be given back before the pidfd is closed and the child reaped.
    pub(crate) fn take_place(&mut self) -> Option<Place> {
        self.place.take()
    }

    /// Takes the pidfd back, whatever it is kept for. Nothing is signalled any more, and the child is
    /// among those that end with the program no more, unless its place was taken before.
    pub(crate) fn take_back(&mut self, reactor: &Handle) -> Option<OwnedFd> {
        self.running = None;
        self.place = None;
        match mem::replace(&mut self.pidfd, Pidfd::GivenAway) {
            Pidfd::Source(key) => reactor.take_fd(key),
            Pidfd::New(pidfd) => pidfd,
            Pidfd::Kept(pidfd) => Some(pidfd),
            Pidfd::Gone | Pidfd::GivenAway => None,
        }
    }

    /// Returns whether there is nothing to watch: the child is reaped, or was given away.
    pub(crate) fn is_over(&self) -> bool {
        self.is_reaped || matches!(self.pidfd, Pidfd::Gone | Pidfd::GivenAway)
    }

    /// Returns the pid, while it is the child's for certain.
    pub(crate) fn pid(&self) -> Option<u32> {
        (!self.is_over()).then_some(self.pid)
    }

    /// Returns the number that was the child's at its birth.
    pub(crate) fn number(&self) -> u32 {
        self.pid
    }

    /// Returns the number of the group that the child leads, or led.
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
            Pidfd::New(Some(fd)) | Pidfd::Kept(fd) => fd.try_clone(),
            Pidfd::Source(key) => reactor
                .with_fd(*key, |fd| fd.try_clone_to_owned())
                .unwrap_or_else(|| Err(io::ErrorKind::NotFound.into())),
            Pidfd::New(None) => Err(no_pidfd()),
            Pidfd::GivenAway if !self.is_reaped => Err(reactor_gone()),
            Pidfd::Gone | Pidfd::GivenAway => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        }
    }

    /// Sends a signal to the child.
    pub(crate) fn signal(&self, reactor: &Handle, signal: Signal) -> Result<(), SignalError> {
        match self.with_child(reactor, |child| sys::send(child, signal)) {
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
        let by_pidfd = match &self.pidfd {
            Pidfd::Source(key) => reactor.with_fd(*key, |fd| sys::send_to_group(fd, signal)),
            Pidfd::New(Some(fd)) | Pidfd::Kept(fd) => Some(sys::send_to_group(fd.as_fd(), signal)),
            Pidfd::New(None) => Some(Err(libc::EINVAL)),
            Pidfd::Gone => None,
            Pidfd::GivenAway => return Err(SignalError::ReactorGone),
        };
        match by_pidfd {
            // No such flag (before Linux 6.9), no such signal, or a filter: the number answers which.
            // It is the child's as long as that is not reaped.
            Some(Err(errno)) if sys::is_refusal(errno) && !self.is_reaped => {
                let by_number = |leader: sys::Child<'_>| group::send_by_number(leader, signal);
                let sent = match &self.pidfd {
                    Pidfd::Kept(fd) => by_number(sys::Child::Fd(fd.as_fd(), self.pid)),
                    _ => self.with_child(reactor, by_number).unwrap_or(Err(libc::ESRCH)),
                };
                sent.map_err(signal_error)
            }
            Some(Err(libc::EINVAL | libc::ENOSYS)) | None => Err(SignalError::ProcessExitedAlready),
            Some(result) => result.map_err(signal_error),
        }
    }

    /// Sends a signal to whatever a termination acts on: of a group also to a leader that left it.
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

    /// Kills whatever a termination acts on, the child first: one that has just begun may not lead its
    /// group yet. Nobody who is gone needs it.
    pub(crate) fn kill_scope(&self, reactor: &Handle, scope: TerminationScope) {
        self.signal(reactor, Signal::KILL).ok();
        if scope == TerminationScope::Group {
            self.signal_group(reactor, Signal::KILL).ok();
        }
    }

    /// Looks whether anybody lives of the group that the child leads, or led.
    pub(crate) fn look_at_group(&self, look: &mut GroupLook) -> GroupState {
        let pidfd = match &self.pidfd {
            Pidfd::Kept(pidfd) => Some(pidfd.as_fd()),
            _ => None,
        };
        group::look(look, self.pid, pidfd, self.is_reaped)
    }

    /// Looks whether the child has ended, and does not reap it.
    pub(crate) fn peek(&self, reactor: &Handle) -> Peeked {
        self.with_child(reactor, sys::peek).unwrap_or(Peeked::Lost)
    }

    /// Returns the signal by which the child is stopped.
    pub(crate) fn stopped_by(&self, reactor: &Handle) -> Option<Signal> {
        self.with_child(reactor, sys::stopped_by)?.map(Signal::from_raw)
    }

    /// The child has ended, and is not to be reaped yet.
    pub(crate) fn keep(&mut self, reactor: &Handle) {
        self.set_seen(reactor, Seen::Kept);
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.seen == Seen::Kept
    }

    /// The child is not kept any more.
    pub(crate) fn watch_again(&mut self, reactor: &Handle) {
        if self.is_kept() {
            self.set_seen(reactor, Seen::Nothing);
        }
    }

    /// The pidfd is readable, and the child cannot be reaped yet: returns after how long to ask it again.
    /// `None` for a child without a pidfd in the loop, which has no such event.
    pub(crate) fn on_held(&mut self, reactor: &Handle) -> Option<Duration> {
        if !matches!(self.pidfd, Pidfd::Source(_)) || self.is_kept() {
            return None;
        }
        let mut pauses = match self.seen {
            Seen::Held(pauses) => pauses,
            Seen::Nothing | Seen::Kept => Pauses::default(),
        };
        let pause = pauses.next();
        self.set_seen(reactor, Seen::Held(pauses));
        Some(pause)
    }

    fn set_seen(&mut self, reactor: &Handle, seen: Seen) {
        let was_watched = self.seen == Seen::Nothing;
        self.seen = seen;
        let is_watched = seen == Seen::Nothing;
        if let Pidfd::Source(key) = &self.pidfd
            && is_watched != was_watched
        {
            let interest = if is_watched { Interest::READABLE_LATE } else { Interest::PAUSED };
            // It was in the poller before, which has room for it.
            reactor.set_interest(*key, interest).ok();
        }
    }

    /// Reaps the child if it has ended.
    pub(crate) fn try_reap(&mut self, reactor: &Handle) -> Option<ExitReason> {
        let peak = self.parent_peak_kib;
        let mut place = self.place.take();
        let waited = self.with_child(reactor, |child| try_reap(child, &mut place, peak));
        self.place = place;
        let waited = waited?;
        let reason = match waited {
            Ok(Waited::Running) => return None,
            Ok(Waited::Reaped(status, usage)) => Lifecycle::exit_reason(status, Some(usage)),
            Ok(Waited::Kept(status)) => Lifecycle::exit_reason(status, None),
            Ok(Waited::Lost(why)) => Err(ProcessTerminated::unknown(why)),
            // Nothing else can be known of it: an end without a status.
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

    /// A leader's pidfd is what its group is signalled by, also after the reap.
    fn put_pidfd_away(&mut self, reactor: &Handle) {
        let pidfd = mem::replace(&mut self.pidfd, Pidfd::Gone);
        if let (Pidfd::Source(key), true) = (&pidfd, self.leads_group)
            && let Some(pidfd) = reactor.take_fd(*key)
        {
            self.pidfd = Pidfd::Kept(pidfd);
            return;
        }
        self.place = None;
        if let Pidfd::Source(key) = pidfd {
            reactor.close(key);
        }
    }

    /// It is reaped, and nothing more is to come of it: what it has left in its group is not ended with
    /// the program.
    pub(crate) fn let_live(&mut self) {
        if self.is_reaped {
            self.place = None;
        }
    }

    /// The group that it led is empty, for good: the pidfd of a reaped leader names nobody.
    pub(crate) fn forget_group(&mut self) {
        if self.is_reaped && matches!(self.pidfd, Pidfd::Kept(_)) {
            self.place = None;
            self.pidfd = Pidfd::Gone;
        }
    }

    /// With the pidfd, or the number of a child that is not reaped.
    fn with_child<R>(&self, reactor: &Handle, call: impl FnOnce(sys::Child<'_>) -> R) -> Option<R> {
        match &self.pidfd {
            Pidfd::Source(key) => reactor.with_fd(*key, |fd| call(sys::Child::Fd(fd, self.pid))),
            Pidfd::New(Some(fd)) => Some(call(sys::Child::Fd(fd.as_fd(), self.pid))),
            Pidfd::New(None) => Some(call(sys::Child::Pid(self.pid))),
            Pidfd::Kept(_) | Pidfd::Gone | Pidfd::GivenAway => None,
        }
    }
}

/// What the verbs say once the reactor is gone.
pub(crate) fn reactor_gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the reactor is gone")
}

/// Error numbers of a signal that could not be sent.
fn signal_error(errno: i32) -> SignalError {
    match errno {
        libc::ESRCH => SignalError::ProcessExitedAlready,
        errno => SignalError::Os(io::Error::from_raw_os_error(errno)),
    }
}

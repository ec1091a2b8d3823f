//! Signals: to the child, to the group that it leads, and the polite way to its end.

use super::Transport;
use super::leftovers::Leftovers;
use super::state::{ExitWatch, State};
use crate::sys;
use procession_core::{Deferred, Promise, Signal};
use procession_protocol::{ExitReason, SignalError, Termination};
use procession_reactor::{DelayedCall, Handle};
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

/// How long after the reap of its leader a group is looked at.
const FIRST_LOOK: Duration = Duration::from_millis(2);
/// The longest time between two looks.
const LAST_LOOK: Duration = Duration::from_millis(200);

/// A termination under way: of a child, or of what its owned group still holds once it was reaped.
pub(super) struct Terminating {
    promises: Vec<Promise<Termination, SignalError>>,
    since: Duration,
    escalated: bool,
    kill: DelayedCall,
}

impl Terminating {
    /// What is told of it, and the timer that is not needed any more.
    fn end(self, reason: &ExitReason, now: Duration) -> (Settled, DelayedCall) {
        let after = now.saturating_sub(self.since);
        let result = Termination::new(reason.clone(), self.escalated, after);
        (Settled { promises: self.promises, result }, self.kill)
    }
}

/// The KILL that is due when the grace is over. A group whose leader was reaped, and so was told to
/// have ended, gets it at once when the reactor goes away before.
struct Kill(Rc<Transport>);

impl Drop for Kill {
    fn drop(&mut self) {
        let abandoned = self.0.state.with(|state| {
            let abandoned = state.group_end.take()?;
            state.signal_group(self.0.driver.reactor(), Signal::KILL).ok(); // an empty group is as good
            Some(abandoned)
        });
        drop(abandoned);
    }
}

/// A termination that has come to its end, to be told where nothing is borrowed.
pub(super) struct Settled {
    promises: Vec<Promise<Termination, SignalError>>,
    result: Termination,
}

impl Settled {
    pub(super) fn complete(self) {
        for promise in self.promises {
            promise.complete(Ok(self.result.clone()));
        }
    }
}

/// Error numbers of a signal that could not be sent.
fn signal_error(errno: i32) -> SignalError {
    match errno {
        libc::ESRCH => SignalError::ProcessExitedAlready,
        errno => SignalError::Os(io::Error::from_raw_os_error(errno)),
    }
}

impl State {
    pub(super) fn signal(&self, reactor: &Handle, signal: Signal) -> Result<(), SignalError> {
        self.with_child(reactor, |child| sys::send(child, signal))
            .unwrap_or(Err(libc::ESRCH))
            .map_err(signal_error)
    }

    pub(super) fn signal_group(&self, reactor: &Handle, signal: Signal) -> Result<(), SignalError> {
        if !self.policy.leads_group {
            return Err(SignalError::NoGroup);
        }
        let by_pidfd = match &self.exit {
            ExitWatch::Source(key) => reactor.with_fd(*key, |fd| sys::send_to_group(fd, signal)),
            ExitWatch::New(Some(fd)) | ExitWatch::Kept(fd) => {
                Some(sys::send_to_group(fd.as_fd(), signal))
            }
            ExitWatch::New(None) => Some(Err(libc::EINVAL)),
            ExitWatch::Gone => None,
        };
        match by_pidfd {
            // No such flag (before Linux 6.9), no such signal, or a filter: the number answers which.
            // It is the child's as long as that is not reaped.
            Some(Err(errno)) if sys::is_refusal(errno) && !self.lifecycle.is_reaped() => {
                sys::send_to_group_number(self.pid, signal).map_err(signal_error)
            }
            Some(Err(libc::EINVAL | libc::ENOSYS)) | None => Err(SignalError::ProcessExitedAlready),
            Some(result) => result.map_err(signal_error),
        }
    }

    /// To the group when it is owned, else to the child alone.
    pub(super) fn signal_owned(&self, reactor: &Handle, signal: Signal) -> Result<(), SignalError> {
        if self.policy.owned && self.policy.leads_group {
            self.signal_group(reactor, signal)
        } else {
            self.signal(reactor, signal)
        }
    }

    /// Where a group cannot be signalled after its leader was reaped, a termination kills it before.
    pub(super) fn kill_group_before_reap(&self, reactor: &Handle) {
        if self.terminating.is_none() || !self.policy.owned || !self.policy.leads_group {
            return;
        }
        // Only by its pidfd, of a leader that had one.
        let survives = sys::group_survives_leader() && !matches!(self.exit, ExitWatch::New(None));
        if !survives && self.with_child(reactor, sys::has_ended) == Some(true) {
            self.signal_group(reactor, Signal::KILL).ok(); // an empty group is as good
        }
    }

    /// The child is reaped: the termination, if one is under way, is told so.
    pub(super) fn settle(&mut self, reactor: &Handle, reason: &ExitReason, left: &mut Leftovers) {
        let Some(terminating) = self.terminating.take() else { return };
        let (since, escalated) = (terminating.since, terminating.escalated);
        let (settled, kill) = terminating.end(reason, reactor.now());
        left.complete(settled);
        // Descendants that outlive the leader of an owned group still get their KILL.
        let lives = || self.signal_group(reactor, Signal::from_raw(0)).is_ok();
        if self.policy.owned && !escalated && lives() {
            self.group_end = Some(Terminating { promises: Vec::new(), since, escalated, kill });
        } else {
            left.cancel(Some(kill));
        }
    }

    /// The termination that a further call joins.
    fn under_way(&mut self) -> Option<&mut Terminating> {
        self.terminating.as_mut().or(self.group_end.as_mut())
    }
}

impl Transport {
    /// A group whose leader was reaped has its KILL coming; once it is empty, whoever waits for that
    /// is told, and the timer, the pidfd and this transport need not be kept. No event tells of it,
    /// so it is looked at: soon, for zombies that their new parent reaps, then ever more seldom.
    pub(super) fn watch_group(&self) {
        if self.state.with(|state| state.group_end.is_some()) {
            self.look_at_group_after(FIRST_LOOK);
        }
    }

    fn look_at_group_after(&self, delay: Duration) {
        // The KILL's timer holds this transport as long as there is something to look at.
        let me = self.driver.me().clone();
        self.driver.reactor().call_later(delay, move |_| {
            if let Some(me) = me.upgrade() {
                me.look_at_group(delay);
            }
        });
    }

    fn look_at_group(&self, delay: Duration) {
        let lives = self.state.with(|state| {
            state.group_end.is_some()
                && state.signal_group(self.driver.reactor(), Signal::from_raw(0)).is_ok()
        });
        if lives {
            self.look_at_group_after((delay * 2).min(LAST_LOOK));
        } else {
            self.end_group();
        }
    }

    /// The group of a leader that was reaped is empty, or was sent its KILL.
    fn end_group(&self) {
        let ended = self.state.with(|state| {
            let reason = state.lifecycle.reason()?;
            Some(state.group_end.take()?.end(reason, self.driver.reactor().now()))
        });
        if let Some((settled, kill)) = ended {
            kill.cancel(); // or it is what runs
            settled.complete();
        }
    }

    pub(super) fn terminate_with(
        &self,
        signal: Signal,
        grace: Duration,
    ) -> Deferred<Termination, SignalError> {
        let (promise, deferred) = Deferred::new();
        let promise = match self.join_termination(promise) {
            Ok(()) => return deferred,
            Err(promise) => promise,
        };
        let sent = self.state.with(|state| {
            state.signal_owned(self.driver.reactor(), signal)?;
            // A stopped child would neither die of it nor handle it.
            state.signal_owned(self.driver.reactor(), Signal::CONT).ok(); // it may be gone by now
            Ok(())
        });
        if let Err(error) = sent {
            promise.complete(Err(error));
            return deferred;
        }
        let Some(me) = self.driver.me().upgrade() else { return deferred };
        let due = Kill(me);
        let kill = self.driver.reactor().call_later(grace, move |_| due.0.escalate());
        let since = self.driver.reactor().now();
        let is_due = kill.is_active();
        let terminating = Terminating { promises: vec![promise], since, escalated: false, kill };
        self.state.with(|state| {
            let place = if state.lifecycle.is_reaped() {
                &mut state.group_end
            } else {
                &mut state.terminating
            };
            *place = Some(terminating);
        });
        self.watch_group();
        if !is_due {
            self.escalate(); // the reactor is gone, and nothing else will
        }
        deferred
    }

    /// A second call escalates; the promise comes back where there was no first.
    fn join_termination(
        &self,
        promise: Promise<Termination, SignalError>,
    ) -> Result<(), Promise<Termination, SignalError>> {
        let mut promise = Some(promise);
        self.state.with(|state| {
            if let Some(terminating) = state.under_way() {
                terminating.promises.extend(promise.take());
            }
        });
        match promise {
            Some(promise) => Err(promise),
            None => {
                self.kill_now();
                if self.is_reaped()
                    && let Some(me) = self.driver.me().upgrade()
                {
                    self.driver.reactor().call_soon(move |_| me.end_group());
                }
                Ok(())
            }
        }
    }

    fn escalate(&self) {
        self.kill_now();
        if self.is_reaped() {
            self.end_group();
        }
    }

    fn kill_now(&self) {
        self.state.with(|state| {
            if let Some(terminating) = state.under_way() {
                terminating.escalated = true;
            }
            state.signal_owned(self.driver.reactor(), Signal::KILL).ok(); // gone already: its exit is due
        });
    }
}

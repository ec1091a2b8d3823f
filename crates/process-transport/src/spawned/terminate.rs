//! The termination of a [`Spawned`]: does what the [`Terminator`] asks for, without a loop.

use std::borrow::BorrowMut;
use std::io;
use std::time::Duration;

use procession_core::Signal;
use procession_protocol::driver::{
    TerminationOutcome, TerminationScope, TerminationStep, Terminator,
};
use procession_protocol::{ProcessTerminated, SignalError, Termination, UnknownEnd};

use super::clock;
use super::gather::Reader;
use super::handle::Spawned;
use super::intake::Intake;
use super::sink::Discarded;
use crate::group::GroupLook;
use crate::own_children::KnownEnd;
use crate::sys::PeekOutcome;

/// One termination, until it has ended, for a loop that waits itself. Times come from its caller's
/// clock.
///
/// The caller polls it, waits for the child's end ([`watches_exit`](Self::watches_exit)) or for the
/// [deadline](Self::deadline), reports the time, and polls again.
#[derive(Debug)]
pub struct Terminating<C> {
    pub(super) child: C,
    pub(super) terminator: Terminator,
    look: GroupLook,
    /// The child has ended, and is not reaped yet.
    is_kept: bool,
    /// Why the first signal could not be sent.
    refused: Option<SignalError>,
}

impl Terminating<&mut Spawned> {
    /// Terminates the child and waits for its end.
    pub(super) fn run(
        child: &mut Spawned,
        signal: Signal,
        grace: Duration,
    ) -> Result<Termination, SignalError> {
        let since = clock::now();
        let now = || clock::now() - since;
        let mut this = Terminating::begin(child, signal, grace);
        loop {
            if let Some(termination) = this.poll(now)? {
                return Ok(termination);
            }
            let deadline = this.deadline().and_then(|deadline| since.checked_add(deadline));
            let watches = this.watches_exit();
            this.child.gather_unreaped(deadline, watches).map_err(SignalError::Os)?;
            this.on_time(now())?;
        }
    }
}

impl<'a> Terminating<&'a mut Spawned> {
    /// Begins a termination, at the time zero of the caller's clock. The first poll sends the
    /// signal.
    pub fn begin(child: &'a mut Spawned, signal: Signal, grace: Duration) -> Self {
        let mut terminator = Terminator::new(child.scope());
        if child.reason.is_some() {
            terminator.on_reaped(Duration::ZERO);
        }
        terminator.on_terminate(signal, grace, Duration::ZERO);
        Self::new(child, terminator, GroupLook::default(), false)
    }

    /// Does what is due; returns the result once the termination is over. Every poll may be on
    /// another thread.
    ///
    /// # Errors
    ///
    /// As for [`Spawned::terminate`].
    pub fn poll(&mut self, now: impl Fn() -> Duration) -> Result<Option<Termination>, SignalError> {
        let outcome = self.act(now);
        self.look.leave_thread();
        match outcome.map_err(SignalError::Os)? {
            Some(outcome) => self.settle(outcome).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the time at which to report the time even if the child has not ended.
    pub fn deadline(&self) -> Option<Duration> {
        self.terminator.poll_deadline()
    }

    /// Returns the child, whose end is awaited if [`watches_exit`](Self::watches_exit).
    pub fn child(&self) -> &Spawned {
        self.child
    }

    /// Reports that the time is `now`, and looks whether the child has ended. It may reap the
    /// child.
    ///
    /// # Errors
    ///
    /// The system refuses the wait.
    pub fn on_time(&mut self, now: Duration) -> Result<(), SignalError> {
        self.look_for_the_end(now).map_err(SignalError::Os)?;
        self.terminator.on_time(now);
        Ok(())
    }

    fn settle(&mut self, outcome: TerminationOutcome) -> Result<Termination, SignalError> {
        let TerminationOutcome::Ended { escalated, is_gone, after } = outcome else {
            return Err(self.refused.take().unwrap_or(SignalError::ProcessExitedAlready));
        };
        if self.child.scope() == TerminationScope::Group {
            // A process that still holds an output is not in the group.
            let (mut sink, mut intake) = (Discarded, Intake::new(false));
            self.child.cut_off(&mut Reader::new(&mut sink, &mut intake), Vec::new());
            if is_gone {
                self.child.child.forget_group();
            } else if self.child.reason.is_some() {
                self.child.child.let_live();
            }
        }
        let Some(reason) = self.child.reason.clone() else {
            let reason = Err(ProcessTerminated::unknown(UnknownEnd::NotReaped));
            return Ok(Termination::new(reason, escalated, after).with_survivors());
        };
        let ended = Termination::new(reason, escalated, after);
        Ok(if is_gone { ended } else { ended.with_survivors() })
    }
}

impl<C: BorrowMut<Spawned>> Terminating<C> {
    /// Continues a termination that has begun. `is_kept` if the child has ended, which the
    /// terminator knows.
    pub(super) fn new(child: C, terminator: Terminator, look: GroupLook, is_kept: bool) -> Self {
        Self { child, terminator, look, is_kept, refused: None }
    }

    /// Returns whether the child's end has not been seen yet.
    pub fn watches_exit(&self) -> bool {
        !self.is_kept && self.child.borrow().reason.is_none()
    }

    /// Reaps a child that has ended, unless the terminator keeps it.
    pub(super) fn look_for_the_end(&mut self, now: Duration) -> io::Result<()> {
        if !self.watches_exit() {
            return Ok(());
        }
        match self.child.borrow().child.peek() {
            PeekOutcome::Running => Ok(()),
            PeekOutcome::Ended if self.terminator.keeps_leader() => {
                self.terminator.on_ended();
                self.is_kept = true;
                Ok(())
            }
            PeekOutcome::Ended | PeekOutcome::Lost => self.reap(now),
        }
    }

    fn reap(&mut self, now: Duration) -> io::Result<()> {
        let child = self.child.borrow_mut();
        child.try_reap(KnownEnd::Unknown)?;
        if child.reason.is_some() {
            self.terminator.on_reaped(now);
        }
        Ok(())
    }

    /// Does what is due; returns the outcome once the termination is over.
    pub(super) fn act(
        &mut self,
        now: impl Fn() -> Duration,
    ) -> io::Result<Option<TerminationOutcome>> {
        while let Some(step) = self.terminator.poll_step() {
            let child = self.child.borrow_mut();
            match step {
                TerminationStep::Signal(signal) => {
                    if child.scope() == TerminationScope::Group {
                        self.look.expect(child.child.pid);
                    }
                    if let Err(error) = child.signal_scope(signal) {
                        self.terminator.on_refused();
                        self.refused = Some(error);
                    }
                }
                // A target that is gone needs neither of these two signals.
                TerminationStep::Continue => drop(child.signal_scope(Signal::CONT)),
                TerminationStep::Kill => child.kill_scope(),
                TerminationStep::LookAtGroup => {
                    let seen = child.look_at_group(&mut self.look);
                    self.terminator.on_group(seen, now());
                }
                TerminationStep::Reap => self.reap(now())?,
            }
        }
        Ok(self.terminator.poll_outcome())
    }
}

//! The termination of a [`Spawned`]: what the [`Terminator`] asks for, done by a thread that waits.

use super::clock;
use super::handle::Spawned;
use crate::group::GroupLook;
use crate::sys::Peeked;
use procession_core::Signal;
use procession_protocol::{
    ProcessTerminated, SignalError, Termination, TerminationOutcome, TerminationScope,
    TerminationStep, Terminator,
};
use std::time::{Duration, Instant};

/// One termination, until it has ended.
pub(super) struct Terminating<'a> {
    child: &'a mut Spawned,
    terminator: Terminator,
    look: GroupLook,
    since: Instant,
    /// Why the first signal could not be sent.
    refused: Option<SignalError>,
}

impl<'a> Terminating<'a> {
    pub(super) fn new(child: &'a mut Spawned) -> Self {
        let mut terminator = Terminator::new(child.scope());
        if child.reason.is_some() {
            terminator.on_reaped(Duration::ZERO);
        }
        let (look, since) = (GroupLook::default(), clock::now());
        Self { child, terminator, look, since, refused: None }
    }

    pub(super) fn run(
        mut self,
        signal: Signal,
        grace: Duration,
    ) -> Result<Termination, SignalError> {
        self.terminator.on_terminate(signal, grace, Duration::ZERO);
        let mut is_kept = false;
        loop {
            self.act().map_err(SignalError::Os)?;
            if let Some(outcome) = self.terminator.poll_outcome() {
                return self.settle(outcome);
            }
            let deadline = self.terminator.poll_deadline();
            let deadline = deadline.and_then(|deadline| self.since.checked_add(deadline));
            let watches = !is_kept && self.child.reason.is_none();
            self.child.gather_unreaped(deadline, watches).map_err(SignalError::Os)?;
            if watches {
                is_kept = self.look_for_the_end().map_err(SignalError::Os)?;
            }
            self.terminator.on_time(self.now());
        }
    }

    /// Reaps a child that has ended, unless it is to be kept: true then.
    fn look_for_the_end(&mut self) -> std::io::Result<bool> {
        match self.child.child.peek() {
            Peeked::Running => return Ok(false),
            Peeked::Ended if self.terminator.keeps_leader() => {
                self.terminator.on_ended();
                return Ok(true);
            }
            Peeked::Ended | Peeked::Lost => self.reap()?,
        }
        Ok(false)
    }

    fn reap(&mut self) -> std::io::Result<()> {
        self.child.try_reap()?;
        if self.child.reason.is_some() {
            self.terminator.on_reaped(self.now());
        }
        Ok(())
    }

    /// Does what is due.
    fn act(&mut self) -> std::io::Result<()> {
        while let Some(step) = self.terminator.poll_step() {
            match step {
                TerminationStep::Signal(signal) => {
                    if let Err(error) = self.child.signal_scope(signal) {
                        self.terminator.on_refused();
                        self.refused = Some(error);
                    }
                }
                // Whoever is not there any more needs neither.
                TerminationStep::Continue => drop(self.child.signal_scope(Signal::CONT)),
                TerminationStep::Kill => self.child.kill_scope(),
                TerminationStep::LookAtGroup => {
                    let seen = self.child.look_at_group(&mut self.look);
                    self.terminator.on_group(seen, self.now());
                }
                TerminationStep::Reap => self.reap()?,
            }
        }
        Ok(())
    }

    fn settle(self, outcome: TerminationOutcome) -> Result<Termination, SignalError> {
        let TerminationOutcome::Ended { escalated, is_gone, after } = outcome else {
            return Err(self.refused.unwrap_or(SignalError::ProcessExitedAlready));
        };
        if self.child.scope() == TerminationScope::Group {
            // Who still holds an output is not of the group.
            self.child.cut_off(None);
            if is_gone {
                self.child.child.forget_group();
            }
        }
        let Some(reason) = self.child.reason.clone() else {
            let reason = Err(ProcessTerminated::lost());
            return Ok(Termination::new(reason, escalated, after).with_survivors());
        };
        let ended = Termination::new(reason, escalated, after);
        Ok(if is_gone { ended } else { ended.with_survivors() })
    }

    fn now(&self) -> Duration {
        clock::now() - self.since
    }
}

//! The end of a child whose reactor is dropped during its termination: the drop continues the
//! termination, without callbacks, until the child and its group are gone.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use procession_core::Signal;
use procession_protocol::driver::Terminator;
use procession_reactor::driver::Outlasting;

use super::handle::Spawned;
use super::owned_child::DropAction;
use super::terminate::Terminating;
use crate::group::GroupLook;

/// The interval at which a child without a usable pidfd is polled.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// The end of one child, without any callback.
pub(crate) struct LastEnd {
    terminating: Terminating<Spawned>,
    /// When KILL is sent at the latest, whatever grace was given.
    kill_at: Duration,
    /// A tracer holds the child: it is dead, and cannot be reaped yet although its pidfd is ready.
    is_held: bool,
}

impl LastEnd {
    /// Continues a termination that is under way. `is_kept` if the child has ended and is kept as a
    /// zombie. The grace left is at most [`kill_grace`](crate::Command::kill_grace) from now.
    pub(crate) fn go_on_with(
        terminator: Terminator,
        look: GroupLook,
        is_kept: bool,
        child: Spawned,
        now: Duration,
    ) -> Self {
        let kill_at = now.saturating_add(child.policy.owner_end.kill_grace());
        Self::new(Terminating::new(child, terminator, look, is_kept), kill_at)
    }

    /// Ends a child because a signal ends the program: [`kill_grace`](crate::Command::kill_grace)
    /// passes between TERM and KILL.
    pub(crate) fn end(child: Spawned, now: Duration) -> Self {
        let grace = child.policy.owner_end.kill_grace();
        let mut terminator = terminator_of(&child, now);
        terminator.on_terminate(Signal::TERM, grace, now);
        let terminating = Terminating::new(child, terminator, GroupLook::default(), false);
        Self::new(terminating, now.saturating_add(grace))
    }

    /// Kills a child that ends with its reactor.
    pub(crate) fn kill(child: Spawned, now: Duration) -> Self {
        let mut terminator = terminator_of(&child, now);
        terminator.on_terminate(Signal::KILL, Duration::ZERO, now);
        Self::new(Terminating::new(child, terminator, GroupLook::default(), false), now)
    }

    fn new(mut terminating: Terminating<Spawned>, kill_at: Duration) -> Self {
        let child = &mut terminating.child.child;
        if child.at_drop != DropAction::Nothing {
            // This value sends the KILL, so the drop need not.
            child.at_drop = DropAction::LetLive;
        }
        Self { terminating, kill_at, is_held: false }
    }

    /// Returns when to call it again; `None` if the end is over, or cannot be followed.
    fn step(&mut self, now: Duration, is_ready: bool) -> Option<Duration> {
        self.terminating.look_for_the_end(now).ok()?;
        self.is_held = is_ready && self.terminating.watches_exit();
        self.terminating.terminator.on_time(now);
        if now >= self.kill_at && self.terminating.terminator.is_under_way() {
            // Joins the termination that is under way, which sends KILL once.
            self.terminating.terminator.on_terminate(Signal::KILL, Duration::ZERO, now);
        }
        if self.terminating.act(|| now).ok()?.is_some() {
            return None;
        }
        let deadline = self.terminating.terminator.poll_deadline();
        let next_kill = Some(self.kill_at).filter(|at| now < *at);
        let asks = self.terminating.watches_exit() && self.fd().is_none();
        let ask_again = asks.then(|| now.saturating_add(ASK_AGAIN));
        [deadline, next_kill, ask_again].into_iter().flatten().min()
    }
}

/// Creates a terminator; for a reaped child it acts on what is left in the group.
fn terminator_of(child: &Spawned, now: Duration) -> Terminator {
    let mut terminator = Terminator::new(child.scope());
    if child.reason.is_some() {
        terminator.on_reaped(now);
    }
    terminator
}

/// On drop, a child that has not ended becomes an orphan, which others reap.
impl Outlasting for LastEnd {
    fn go_on(&mut self, now: Duration, is_ready: bool) -> Option<Duration> {
        self.step(now, is_ready)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        let pidfd = self.terminating.child.child.pidfd.as_ref();
        pidfd.filter(|_| self.terminating.watches_exit() && !self.is_held).map(AsFd::as_fd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Command;

    // The process was stopped meanwhile, for instance, and has only just sent the KILL.
    #[test]
    fn a_late_kill_gets_the_full_wait() {
        let child = Command::new("sleep").arg("100").spawn().unwrap();
        let second = Duration::from_secs(1);
        let mut end = LastEnd::end(child, Duration::ZERO);
        // The child dies of TERM at once; the test checks only how long the wait would last.
        let late = second * 100;
        let again = end.step(late, false).expect("it is waited for");
        assert!(again <= late + second);
        assert_eq!(end.step(late + second, false), None);
    }
}

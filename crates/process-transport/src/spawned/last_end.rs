//! A child whose reactor is being dropped while it is terminated: the drop goes on with that, without a
//! callback, until nobody of it lives.

use super::handle::Spawned;
use super::owned_child::AtDrop;
use super::terminate::Terminating;
use crate::group::GroupLook;
use procession_core::Signal;
use procession_protocol::Terminator;
use procession_reactor::Outlasting;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// How often a child is asked that no descriptor tells of.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// The end of one child, of which nobody hears any more.
pub(crate) struct LastEnd {
    terminating: Terminating<Spawned>,
    /// When KILL is sent at the latest, whatever grace was given.
    kill_at: Duration,
    /// When that came to pass, which is later in a process that was stopped meanwhile.
    killed: Option<Duration>,
    /// A tracer has it: it is dead, and cannot be reaped yet, however ready its pidfd is.
    is_held: bool,
}

impl LastEnd {
    /// Goes on with a termination that is under way; `is_kept` if the child has ended, and is kept as a
    /// zombie. What it has lasts for [`kill_grace`](crate::Command::kill_grace) at most from now.
    pub(crate) fn go_on_with(
        terminator: Terminator,
        look: GroupLook,
        is_kept: bool,
        child: Spawned,
        now: Duration,
    ) -> Self {
        let kill_at = now.saturating_add(child.policy.kill_grace);
        Self::new(Terminating::new(child, terminator, look, is_kept), kill_at)
    }

    /// Ends a child with the program, which a signal has told to end: it has its
    /// [`kill_grace`](crate::Command::kill_grace) between TERM and KILL.
    pub(crate) fn end(child: Spawned, now: Duration) -> Self {
        let grace = child.policy.kill_grace;
        let mut terminator = terminator_of(&child, now);
        terminator.on_terminate(Signal::TERM, grace, now);
        let terminating = Terminating::new(child, terminator, GroupLook::default(), false);
        Self::new(terminating, now.saturating_add(grace))
    }

    /// Kills a child that is to end with its reactor.
    pub(crate) fn kill(child: Spawned, now: Duration) -> Self {
        let mut terminator = terminator_of(&child, now);
        terminator.on_terminate(Signal::KILL, Duration::ZERO, now);
        Self::new(Terminating::new(child, terminator, GroupLook::default(), false), now)
    }

    fn new(mut terminating: Terminating<Spawned>, kill_at: Duration) -> Self {
        let child = &mut terminating.child.child;
        if child.at_drop != AtDrop::Nothing {
            // It gets its KILL here.
            child.at_drop = AtDrop::LetLive;
        }
        Self { terminating, kill_at, killed: None, is_held: false }
    }

    /// Returns when it wants to be called again; `None` if it is over, or cannot be followed.
    fn step(&mut self, now: Duration, is_ready: bool) -> Option<Duration> {
        if now >= self.kill_at {
            self.killed.get_or_insert(now);
        }
        let give_up_at =
            self.killed.unwrap_or(self.kill_at).saturating_add(Terminator::END_AFTER_KILL);
        self.terminating.look_for_the_end(now).ok()?;
        self.is_held = is_ready && self.terminating.watches_exit();
        self.terminating.terminator.on_time(now);
        if now >= self.kill_at && self.terminating.terminator.is_under_way() {
            // Joins the one that is under way, which sends KILL once.
            self.terminating.terminator.on_terminate(Signal::KILL, Duration::ZERO, now);
        }
        let is_over = self.terminating.act(|| now).ok()?.is_some();
        if is_over || now >= give_up_at {
            return None;
        }
        let deadline = self.terminating.terminator.poll_deadline();
        let next_kill = Some(self.kill_at).filter(|at| now < *at);
        let asks = self.terminating.watches_exit() && self.fd().is_none();
        let ask_again = asks.then(|| now.saturating_add(ASK_AGAIN));
        [deadline, next_kill, ask_again].into_iter().flatten().chain([give_up_at]).min()
    }
}

/// Of a child that is reaped, it acts on what that has left in its group.
fn terminator_of(child: &Spawned, now: Duration) -> Terminator {
    let mut terminator = Terminator::new(child.scope());
    if child.reason.is_some() {
        terminator.on_reaped(now);
    }
    terminator
}

/// Dropped, it leaves a child that does not end to whoever reaps orphans.
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

    // It was stopped meanwhile, say, and the KILL has only just been sent.
    #[test]
    fn who_was_killed_late_is_waited_for_as_long() {
        let child = Command::new("sleep").arg("100").spawn().unwrap();
        let second = Duration::from_secs(1);
        let mut end = LastEnd::end(child, Duration::ZERO);
        // TERM, which it dies of; what is asked of it here is how long it is waited for.
        let late = second * 100;
        let again = end.step(late, false).expect("it is waited for");
        assert!(again <= late + Terminator::END_AFTER_KILL);
        assert_eq!(end.step(late + Terminator::END_AFTER_KILL, false), None);
    }
}

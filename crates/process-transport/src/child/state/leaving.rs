//! How a child leaves the loop: when the loop stops, and when it goes away.

use procession_reactor::Handle;

use super::{ChildState, Leftovers, SettledCalls};
use crate::spawned::{LastEnd, Spawned};

impl ChildState {
    /// Returns whether the group must end with the program, which a signal is ending.
    fn ends_with_program(&self, reactor: &Handle) -> bool {
        let is_ours = self.policy.owned && self.policy.kill_on_drop;
        is_ours && reactor.io().is_ended_by_signal() && self.is_launched_here(reactor)
    }

    /// Returns whether the same holds for a group whose leader is reaped, which still holds an
    /// output, and which nothing is terminating. Closing the ends would complete the child's end.
    pub(in crate::child) fn is_left_to_end_with_program(&self, reactor: &Handle) -> bool {
        let is_left = self.lifecycle.is_reaped() && self.leads_owned_group();
        is_left && !self.termination.is_under_way() && self.ends_with_program(reactor)
    }

    /// Handles the stop of the loop: every end is lost. The reason of the end says so if more data
    /// could have come.
    ///
    /// A child that must end with the program still has its grace, and a write to a closed pipe
    /// would kill it: its output is discarded instead.
    pub(in crate::child) fn on_loop_stops(&mut self, reactor: &Handle) -> Leftovers {
        let mut left = Leftovers::default();
        let is_read = self.ends.iter().any(|end| end.is_reading());
        // If a child that has ended left some of its input unread, nothing is lost.
        if is_read || !self.lifecycle.is_reaped() {
            self.lifecycle.on_stop();
        }
        // Data that is still to come from their sources is not moved.
        for forward in self.ends.iter().filter_map(|end| end.forward()) {
            forward.cut_off();
        }
        let is_ending = self.termination.is_under_way() || self.ends_with_program(reactor);
        for fd in self.ends.fds() {
            let is_kept = is_ending && self.ends.throw_away(reactor, fd, &mut left);
            if is_kept {
                self.lose(fd);
            } else {
                self.close(reactor, fd, &mut left);
            }
        }
        left
    }

    /// Handles the end of the loop, which goes away with every descriptor in it.
    ///
    /// The caller drops the leftovers and makes no callback any more. If a last end is returned,
    /// the caller waits for it.
    pub(in crate::child) fn on_reactor_dropped(
        &mut self,
        reactor: &Handle,
    ) -> (Leftovers, Option<LastEnd>) {
        let mut left = Leftovers::default();
        // Before the ends are closed: without ends, a reaped child has come to its end.
        let (settled, last) = self.leave_loop(reactor);
        for fd in self.ends.fds() {
            self.close(reactor, fd, &mut left);
        }
        left.complete(settled);
        self.ends.drop_terminal();
        (left, last)
    }

    /// Hands over a termination that is under way, or a child that ends with its reactor, to code
    /// that can wait for it. Any other child that runs becomes an orphan. If a reaped child has not
    /// come to its end, the rest of its group is ended as the child would have been.
    pub(in crate::child) fn leave_loop(
        &mut self,
        reactor: &Handle,
    ) -> (Option<SettledCalls>, Option<LastEnd>) {
        let is_kept = self.exit.is_kept();
        let is_killed = self.policy.kill_on_drop;
        if !self.is_launched_here(reactor) {
            return (None, None);
        }
        if let Some((terminator, look, calls)) = self.termination.on_gone() {
            let child = self.take_ending(reactor);
            let last = LastEnd::go_on_with(terminator, look, is_kept, child, reactor.now());
            return (Some(calls), Some(last));
        }
        if self.lifecycle.is_reaped() && !(is_killed && self.leads_owned_group()) {
            return (None, None);
        }
        if self.ends_with_program(reactor) {
            self.exit.on_asked_to_end();
            return (None, Some(LastEnd::end(self.take_ending(reactor), reactor.now())));
        }
        if is_killed {
            // Kill at once: other children are handled before the wait for any.
            self.exit.kill_scope(reactor, self.termination.scope());
            self.termination.kill_branch();
            return (None, Some(LastEnd::kill(self.take_child(reactor), reactor.now())));
        }
        crate::orphans::abandon(self.exit.number(), self.exit.take_back(reactor));
        (None, None)
    }

    /// Takes the child out of the loop, with the outputs that it may write to until it has ended.
    fn take_ending(&mut self, reactor: &Handle) -> Spawned {
        let ends = self.ends.take_outputs(reactor);
        Spawned { ends, ..self.take_child(reactor) }
    }
}

//! How a child leaves the loop: its stop, and its end.

use super::{Leftovers, SettledCalls, State};
use crate::spawned::{LastEnd, Spawned};
use procession_reactor::Handle;

impl State {
    /// Returns whether the group is to end with the program, which a signal has told to end.
    fn ends_with_program(&self, reactor: &Handle) -> bool {
        let is_ours = self.policy.owned && self.policy.kill_on_drop;
        is_ours && reactor.io().is_ended_by_signal() && self.is_launched_here(reactor)
    }

    /// Returns whether that is so of a group that its leader has left, that still holds an output, and
    /// that nobody is ending: with the ends, the child comes to its end.
    pub(in crate::child) fn is_left_to_end_with_program(&self, reactor: &Handle) -> bool {
        let is_left = self.lifecycle.is_reaped() && self.leads_owned_group();
        is_left && !self.termination.is_under_way() && self.ends_with_program(reactor)
    }

    /// The loop stops: every end is lost. The reason of the end says so if something was still to come.
    ///
    /// Who is to end with the program has its grace yet, and would die of writing: what it writes is
    /// thrown away.
    pub(in crate::child) fn on_loop_stops(&mut self, reactor: &Handle) -> Leftovers {
        let mut left = Leftovers::default();
        let is_read = self.ends.iter().any(|end| end.is_reading());
        // That a child which has ended left some of its input is no loss.
        if is_read || !self.lifecycle.is_reaped() {
            self.lifecycle.on_stop();
        }
        // What is still to come of their sources is not moved.
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

    /// The loop is going away with every descriptor in it.
    ///
    /// The caller drops the leftovers and makes no callback any more. It waits for the last end, if one
    /// comes back.
    pub(in crate::child) fn on_reactor_dropped(
        &mut self,
        reactor: &Handle,
    ) -> (Leftovers, Option<LastEnd>) {
        let mut left = Leftovers::default();
        // Before the ends: without those a child that is reaped has come to its end.
        let (settled, last) = self.leave_loop(reactor);
        for fd in self.ends.fds() {
            self.close(reactor, fd, &mut left);
        }
        left.complete(settled);
        self.ends.drop_terminal();
        (left, last)
    }

    /// Hands on a termination that is under way, or a child that ends with its reactor, to whoever can
    /// wait for it; any other child that runs is an orphan. What one that has not come to its end has left
    /// in its group ends as it would have.
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
            // At once: others are to be told before anybody is waited for.
            self.exit.kill_scope(reactor, self.termination.scope());
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

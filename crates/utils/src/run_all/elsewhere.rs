//! The hosts of a batch: they are reached, set aside and reached again; a program that a host could not
//! run goes to another one.

use std::rc::Rc;

use procession_core::Failed;

use super::batch::Batch;
use super::next::Next;
use super::places::{HostSlots, Slot, Slots};
use super::results::RunResult;
use super::state::LinkKey;
use crate::OutputError;
use crate::run::apart::Rest;

impl Batch {
    /// Reaches the hosts that are needed. If there is no hope, fails the runs that wait.
    pub(super) fn tend(self: &Rc<Self>) {
        let Slots::Hosts(slots) = &self.slots else { return };
        let waiting = || self.state.with(|state| state.waiting());
        while let Some(at) = slots.pool.with(|pool| pool.poll_connect(waiting())) {
            self.connect(slots, at);
        }
        if let Some(reason) = slots.pool.with(|pool| pool.hopeless()) {
            while let Some((index, run)) = self.state.with(|state| state.take_waiting()) {
                let (command, reason) = (run.command_line().to_string(), reason.clone());
                drop(run);
                let error = OutputError::Unreachable { command, reason };
                self.finish_run(index, Err(Failed::Error(error)));
            }
        }
    }

    fn connect(self: &Rc<Self>, slots: &HostSlots, at: usize) {
        let arriving = slots.hosts[at].place.arrive();
        let batch = Rc::clone(self);
        let arrived = self.reactor.defer(async move { arriving.await.map(drop) });
        let link = arrived.then(move |arrived| {
            batch.on_arrived(at, arrived);
            Ok(())
        });
        self.keep_link(LinkKey::Host(at), link);
    }

    fn on_arrived(self: &Rc<Self>, at: usize, arrived: Result<(), Failed<String>>) {
        let Slots::Hosts(slots) = &self.slots else { return };
        match arrived {
            Ok(()) => slots.pool.with(|pool| pool.on_up(at)),
            Err(Failed::Error(reason)) => self.set_aside(slots, at, reason),
            Err(error) => self.set_aside(slots, at, error.to_string()),
        }
        self.report_progress();
        self.fill_later();
    }

    fn set_aside(self: &Rc<Self>, slots: &HostSlots, at: usize, reason: String) {
        let Some(pause) = slots.pool.with(|pool| pool.on_failed(at, reason)) else { return };
        let batch = Rc::clone(self);
        let link = self.pause(pause).then(move |_| {
            if let Slots::Hosts(slots) = &batch.slots {
                slots.pool.with(|pool| pool.on_pause_over(at));
            }
            batch.fill_later();
            Ok(())
        });
        self.keep_link(LinkKey::Host(at), link);
    }

    /// Gives the slot of an attempt back, and decides what follows.
    pub(super) fn leave(self: &Rc<Self>, slot: Slot, rest: Rest, result: &RunResult) -> Next {
        let (Slots::Hosts(slots), Slot::Host(at)) = (&self.slots, slot) else { return Next::Over };
        let error = match result {
            Err(Failed::Error(error)) => Some(error),
            _ => None,
        };
        let lost = error.and_then(loss);
        slots.pool.with(|pool| pool.on_result(at, result.is_ok(), lost.is_none()));
        if let Some((reason, _)) = &lost {
            self.set_aside(slots, at, reason.clone());
        }
        let has_not_started = lost.is_some_and(|(_, may_have_started)| !may_have_started);
        match (rest, error) {
            (Rest { same: Some(run), .. }, _) if has_not_started => Next::Again(run),
            (rest, Some(error)) => {
                rest.after(error).map_or(Next::Over, |(run, pause)| Next::Later(run, pause))
            }
            (_, None) => Next::Over,
        }
    }
}

/// Returns why the host is lost, and whether the program may have started, if the error is a loss.
fn loss(error: &OutputError) -> Option<(String, bool)> {
    match error {
        OutputError::Unreachable { reason, .. } => Some((reason.clone(), false)),
        OutputError::ConnectionLost { may_have_started, .. } => {
            Some(("the connection was lost".to_owned(), *may_have_started))
        }
        _ => None,
    }
}

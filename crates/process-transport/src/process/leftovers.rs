//! What a change of the state leaves over, to be dropped, completed or told where nothing is
//! borrowed.

use super::forward::Forward;
use super::terminate::{Settled, Terminating};
use crate::panics::FirstPanic;
use procession_core::Spent;
use procession_reactor::DelayedCall;
use std::rc::Rc;

/// What is to be dropped, completed or told, where nothing is borrowed.
#[derive(Default)]
#[must_use = "settle it where nothing is borrowed"]
pub(crate) struct Leftovers {
    pub(super) chunks: Spent,
    /// Nearly always nothing.
    more: Option<Box<More>>,
}

#[derive(Default)]
struct More {
    settled: Option<Settled>,
    timer: Option<DelayedCall>,
    abandoned: Option<Terminating>,
    told: Vec<Told>,
}

/// What a forwarding is to be told.
pub(super) enum Told {
    /// Its source was closed by somebody else.
    SourceClosed(Rc<Forward>),
    /// Its sink was, with so many bytes still in the queue.
    SinkLost(Rc<Forward>, usize),
    /// Its sink has taken its queue, and has room.
    SinkReady(Rc<Forward>),
    /// Nobody is left to resume it.
    Unpause(Rc<Forward>),
}

impl Leftovers {
    pub(super) fn take(&mut self, chunks: Spent) {
        self.chunks.extend(chunks);
    }

    /// To be told, if it is something.
    pub(super) fn tell(&mut self, told: Option<Told>) {
        if let Some(told) = told {
            self.more().told.push(told);
        }
    }

    pub(super) fn complete(&mut self, settled: Settled) {
        self.more().settled = Some(settled);
    }

    /// To be cancelled, which drops the call.
    pub(super) fn cancel(&mut self, timer: Option<DelayedCall>) {
        if timer.is_some() {
            self.more().timer = timer;
        }
    }

    /// Its promises are dropped, which tells whoever waits for them.
    pub(super) fn abandon(&mut self, terminating: Option<Terminating>) {
        if terminating.is_some() {
            self.more().abandoned = terminating;
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Drops and tells all of it. One thing that panics does not keep the others from being done.
    #[inline]
    pub(super) fn settle(self) {
        match self.more {
            None => drop(self.chunks),
            Some(more) => more.settle(self.chunks),
        }
    }

    /// The same inside of a verb of the program's: who waits for a forwarding is called by the loop.
    pub(super) fn settle_in_verb(self) {
        for told in self.more.iter().flat_map(|more| &more.told) {
            told.forward().complete_later();
        }
        self.settle();
    }
}

impl More {
    #[cold]
    fn settle(self, chunks: Spent) {
        let Self { settled, timer, abandoned, told } = self;
        let mut panics = FirstPanic::default();
        panics.catch(|| drop(chunks));
        panics.catch(|| timer.inspect(DelayedCall::cancel));
        panics.catch(|| drop(abandoned));
        for told in told {
            panics.catch(|| told.tell());
        }
        panics.catch(|| settled.map(Settled::complete));
        panics.resume();
    }
}

impl Told {
    fn forward(&self) -> &Forward {
        match self {
            Self::SourceClosed(forward)
            | Self::SinkLost(forward, _)
            | Self::SinkReady(forward)
            | Self::Unpause(forward) => forward,
        }
    }

    fn tell(self) {
        match self {
            Self::SourceClosed(forward) => forward.source_closed(),
            Self::SinkLost(forward, unsent) => forward.sink_lost(unsent),
            Self::SinkReady(forward) => forward.sink_ready(),
            Self::Unpause(forward) => forward.set_paused(false),
        }
    }
}

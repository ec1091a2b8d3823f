//! What a change of the state leaves over, to be dropped, completed or told where nothing is
//! borrowed.

use super::forward::Forward;
use super::terminate::Settled;
use crate::panics::FirstPanic;
use procession_core::Spent;
use procession_reactor::DelayedCall;
use std::rc::Rc;

/// What is to be dropped, completed or told, where nothing is borrowed.
#[derive(Default)]
#[must_use = "settle it where nothing is borrowed"]
pub(super) struct Leftovers {
    pub(super) chunks: Spent,
    pub(super) settled: Option<Settled>,
    pub(super) timer: Option<DelayedCall>,
    pub(super) told: Vec<Told>,
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
        if self.chunks.is_empty() {
            self.chunks = chunks; // nearly always; what is replaced is empty
        } else {
            self.chunks.extend(chunks);
        }
    }

    /// Drops and tells all of it. One thing that panics does not keep the others from being done.
    pub(super) fn settle(self) {
        let Self { chunks, settled, timer, told } = self;
        if settled.is_none() && timer.is_none() && told.is_empty() {
            return drop(chunks); // nearly always
        }
        let mut panics = FirstPanic::default();
        panics.catch(|| drop(chunks));
        panics.catch(|| drop(timer));
        for told in told {
            panics.catch(|| told.tell());
        }
        panics.catch(|| settled.map(Settled::complete));
        panics.resume();
    }
}

impl Told {
    fn tell(self) {
        match self {
            Self::SourceClosed(forward) => forward.source_closed(),
            Self::SinkLost(forward, unsent) => forward.sink_lost(unsent),
            Self::SinkReady(forward) => forward.sink_ready(),
            Self::Unpause(forward) => forward.set_paused(false),
        }
    }
}

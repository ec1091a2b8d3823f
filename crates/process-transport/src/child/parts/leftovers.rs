//! What a change of the state leaves over, to be dropped, completed or told where nothing is
//! borrowed.

use super::termination::SettledCalls;
use procession_core::driver::FirstPanic;
use procession_core::driver::Spent;
use procession_reactor::forward::Forward;
use rustix::io::Errno;
use std::rc::Rc;

/// What is to be dropped, completed or told, where nothing is borrowed.
#[derive(Default)]
#[must_use = "settle it where nothing is borrowed"]
pub(crate) struct Leftovers {
    pub(crate) chunks: Spent,
    /// Nearly always nothing.
    more: Option<Box<More>>,
}

#[derive(Default)]
struct More {
    settled: Option<SettledCalls>,
    told: Vec<Told>,
}

/// What a forwarding is to be told.
pub(crate) enum Told {
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
    pub(crate) fn take(&mut self, chunks: Spent) {
        self.chunks.extend(chunks);
    }

    /// To be told, if it is something.
    pub(crate) fn tell(&mut self, told: Option<Told>) {
        if let Some(told) = told {
            self.more().told.push(told);
        }
    }

    /// To be completed, if there are such calls.
    pub(crate) fn complete(&mut self, settled: Option<SettledCalls>) {
        if settled.is_some() {
            self.more().settled = settled;
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Drops and tells all of it. One thing that panics does not keep the others from being done.
    #[inline]
    pub(crate) fn settle(self) {
        match self.more {
            None => drop(self.chunks),
            Some(more) => more.settle(self.chunks),
        }
    }

    /// The same inside of a verb of the program's: who waits for a forwarding is called by the loop.
    pub(crate) fn settle_in_verb(self) {
        for told in self.more.iter().flat_map(|more| &more.told) {
            told.forward().complete_later();
        }
        self.settle();
    }
}

impl More {
    #[cold]
    fn settle(self, chunks: Spent) {
        let Self { settled, told } = self;
        let mut panics = FirstPanic::default();
        panics.catch(|| drop(chunks));
        for told in told {
            panics.catch(|| told.tell());
        }
        panics.catch(|| settled.map(SettledCalls::complete));
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
            Self::SinkLost(forward, unsent) => forward.sink_lost(Errno::PIPE.into(), unsent),
            Self::SinkReady(forward) => forward.sink_ready(),
            Self::Unpause(forward) => forward.set_paused(false),
        }
    }
}

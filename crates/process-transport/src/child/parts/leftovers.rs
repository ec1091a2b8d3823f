//! The leftovers of a change of the state: values to drop, calls to complete and forwardings to
//! notify, all without a borrow.

use std::rc::Rc;

use procession_core::driver::FirstPanic;
use procession_core::driver::Spent;
use procession_reactor::driver::Forward;
use rustix::io::Errno;

use super::termination::SettledCalls;

/// What must be dropped, completed or notified while nothing is borrowed.
#[derive(Default)]
#[must_use = "settle it where nothing is borrowed"]
pub(crate) struct Leftovers {
    pub(crate) chunks: Spent,
    /// Nearly always `None`.
    more: Option<Box<RareLeftovers>>,
}

#[derive(Default)]
struct RareLeftovers {
    settled: Option<SettledCalls>,
    notices: Vec<ForwardNotice>,
}

/// A notification for a forwarding.
pub(crate) enum ForwardNotice {
    /// Its source was closed by other code.
    SourceClosed(Rc<Forward>),
    /// Its sink was closed, with this many bytes still in the queue.
    SinkLost(Rc<Forward>, usize),
    /// Its sink has drained its queue, and has room.
    SinkReady(Rc<Forward>),
    /// No protocol is left that could resume it.
    Unpause(Rc<Forward>),
}

impl Leftovers {
    pub(crate) fn take(&mut self, chunks: Spent) {
        self.chunks.extend(chunks);
    }

    /// Adds a notification, if there is one.
    pub(crate) fn notify(&mut self, notice: Option<ForwardNotice>) {
        if let Some(notice) = notice {
            self.more().notices.push(notice);
        }
    }

    /// Adds calls to complete, if there are any.
    pub(crate) fn complete(&mut self, settled: Option<SettledCalls>) {
        if settled.is_some() {
            self.more().settled = settled;
        }
    }

    fn more(&mut self) -> &mut RareLeftovers {
        self.more.get_or_insert_default()
    }

    /// Drops, notifies and completes everything. A panic of one does not stop the others.
    #[inline]
    pub(crate) fn settle(self) {
        match self.more {
            None => drop(self.chunks),
            Some(more) => more.settle(self.chunks),
        }
    }

    /// Does the same inside a verb of the program: the loop calls back whoever waits for a
    /// forwarding.
    pub(crate) fn settle_in_verb(self) {
        for notice in self.more.iter().flat_map(|more| &more.notices) {
            notice.forward().complete_later();
        }
        self.settle();
    }
}

impl RareLeftovers {
    #[cold]
    fn settle(self, chunks: Spent) {
        let Self { settled, notices } = self;
        let mut panics = FirstPanic::default();
        panics.catch(|| drop(chunks));
        for notice in notices {
            panics.catch(|| notice.notify());
        }
        panics.catch(|| settled.map(SettledCalls::complete));
        panics.resume();
    }
}

impl ForwardNotice {
    fn forward(&self) -> &Forward {
        match self {
            Self::SourceClosed(forward)
            | Self::SinkLost(forward, _)
            | Self::SinkReady(forward)
            | Self::Unpause(forward) => forward,
        }
    }

    fn notify(self) {
        match self {
            Self::SourceClosed(forward) => forward.source_closed(),
            Self::SinkLost(forward, unsent) => forward.sink_lost(Errno::PIPE.into(), unsent),
            Self::SinkReady(forward) => forward.sink_ready(),
            Self::Unpause(forward) => forward.set_paused(false),
        }
    }
}

//! What a change of a connection's state leaves over, to be dropped or told where nothing is borrowed.

use std::rc::Rc;

use procession_core::driver::Spent;
use procession_reactor::forward::Forward;
use rustix::io::Errno;

/// What is to be dropped or told, where nothing is borrowed.
#[derive(Default)]
#[must_use = "settle it where nothing is borrowed"]
pub(crate) struct Leftovers {
    pub(super) spent: Spent,
    /// Nearly always nothing.
    told: Option<Box<Told>>,
}

/// What forwardings are to be told.
#[derive(Default)]
struct Told {
    /// The source was closed by somebody else.
    source_closed: Option<Rc<Forward>>,
    /// The sink takes nothing more, with so many bytes still in the queue.
    sink_lost: Option<(Rc<Forward>, usize)>,
    /// The sink has taken its queue, and has room.
    sink_ready: Option<Rc<Forward>>,
    /// The source is to be closed when what it holds is moved.
    drain: Option<Rc<Forward>>,
    /// Over already, and only dropped.
    over: Option<Rc<Forward>>,
}

impl Leftovers {
    pub(super) fn source_closed(&mut self, forward: Option<Rc<Forward>>) {
        if forward.is_some() {
            self.told().source_closed = forward;
        }
    }

    pub(super) fn sink_lost(&mut self, forward: Option<Rc<Forward>>, unsent: usize) {
        if let Some(forward) = forward {
            self.told().sink_ready = None;
            self.told().sink_lost = Some((forward, unsent));
        }
    }

    #[inline]
    pub(super) fn sink_ready(&mut self, forward: Option<&Rc<Forward>>) {
        if let Some(forward) = forward {
            self.told().sink_ready = Some(Rc::clone(forward));
        }
    }

    pub(super) fn drain(&mut self, forward: Option<&Rc<Forward>>) {
        if let Some(forward) = forward {
            self.told().drain = Some(Rc::clone(forward));
        }
    }

    pub(super) fn keep(&mut self, forward: Rc<Forward>) {
        self.told().over = Some(forward);
    }

    #[cold]
    fn told(&mut self) -> &mut Told {
        self.told.get_or_insert_default()
    }

    /// Drops and tells all of it.
    #[inline]
    pub(super) fn settle(self) {
        if let Some(told) = self.told {
            told.tell();
        }
        drop(self.spent);
    }

    /// The same inside of a verb of the program's: whoever waits for a forwarding is called by the
    /// loop.
    pub(super) fn settle_in_verb(self) {
        if let Some(forward) = self.told.as_ref().and_then(|told| told.sink_ready.as_ref()) {
            forward.complete_later();
        }
        self.settle();
    }
}

impl From<Spent> for Leftovers {
    fn from(spent: Spent) -> Self {
        Self { spent, told: None }
    }
}

impl Told {
    /// One that panics must not keep the others from being told: so whoever waits for those that end
    /// here is called by the loop, and the one that may call somebody now comes last.
    #[cold]
    fn tell(self) {
        let Self { source_closed, sink_lost, sink_ready, drain, over } = self;
        if let Some(forward) = source_closed {
            forward.complete_later();
            forward.source_closed();
        }
        if let Some((forward, unsent)) = sink_lost {
            forward.complete_later();
            forward.sink_lost(Errno::PIPE.into(), unsent);
        }
        if let Some(forward) = drain {
            forward.complete_later();
            forward.drain(usize::MAX);
        }
        if let Some(forward) = sink_ready {
            forward.sink_ready();
        }
        drop(over);
    }
}

//! What a change of a connection's state leaves over. It is dropped or reported when nothing is
//! borrowed.

use std::rc::Rc;

use procession_core::driver::Spent;
use procession_reactor::driver::Forward;
use rustix::io::Errno;

/// Values to drop and reports to make when nothing is borrowed.
#[derive(Default)]
#[must_use = "settle it where nothing is borrowed"]
pub(crate) struct Leftovers {
    pub(super) spent: Spent,
    /// Nearly always `None`.
    notices: Option<Box<ForwardNotices>>,
}

/// The reports to forwardings.
#[derive(Default)]
struct ForwardNotices {
    /// Something else closed the source.
    source_closed: Option<Rc<Forward>>,
    /// The sink takes no more data. This many bytes are still in its queue.
    sink_lost: Option<(Rc<Forward>, usize)>,
    /// The sink has written its queue, and has room.
    sink_ready: Option<Rc<Forward>>,
    /// The source is to be closed when its remaining data is moved.
    drain: Option<Rc<Forward>>,
    /// This one has ended, and is only dropped.
    over: Option<Rc<Forward>>,
}

impl Leftovers {
    pub(super) fn source_closed(&mut self, forward: Option<Rc<Forward>>) {
        if forward.is_some() {
            self.notices().source_closed = forward;
        }
    }

    pub(super) fn sink_lost(&mut self, forward: Option<Rc<Forward>>, unsent: usize) {
        if let Some(forward) = forward {
            self.notices().sink_ready = None;
            self.notices().sink_lost = Some((forward, unsent));
        }
    }

    #[inline]
    pub(super) fn sink_ready(&mut self, forward: Option<&Rc<Forward>>) {
        if let Some(forward) = forward {
            self.notices().sink_ready = Some(Rc::clone(forward));
        }
    }

    pub(super) fn drain(&mut self, forward: Option<&Rc<Forward>>) {
        if let Some(forward) = forward {
            self.notices().drain = Some(Rc::clone(forward));
        }
    }

    pub(super) fn keep(&mut self, forward: Rc<Forward>) {
        self.notices().over = Some(forward);
    }

    #[cold]
    fn notices(&mut self) -> &mut ForwardNotices {
        self.notices.get_or_insert_default()
    }

    /// Reports and drops everything.
    #[inline]
    pub(super) fn settle(self) {
        if let Some(notices) = self.notices {
            notices.report();
        }
        drop(self.spent);
    }

    /// Does the same inside a method that the program called: the loop calls back the waiters
    /// for a forwarding.
    pub(super) fn settle_in_verb(self) {
        if let Some(forward) = self.notices.as_ref().and_then(|notices| notices.sink_ready.as_ref())
        {
            forward.complete_later();
        }
        self.settle();
    }
}

impl From<Spent> for Leftovers {
    fn from(spent: Spent) -> Self {
        Self { spent, notices: None }
    }
}

impl ForwardNotices {
    /// A callback that panics must not prevent the other reports. Therefore the loop will call back
    /// for forwardings that end here, and the only report that may call back now comes last.
    #[cold]
    fn report(self) {
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

//! What a reactor and its handles share.
//!
//! Every cell here is borrowed for a statement or two, never while foreign code runs: no callback,
//! no waker, and no drop of a foreign value.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use polling::Poller;
use procession_core::driver::WithCell;
use thiserror::Error;

use crate::anticipation::Anticipation;
use crate::buffers::Buffers;
use crate::claims::Claim;
use crate::clock::ReactorClock;
use crate::handle::Handle;
use crate::handler::EventHandler;
use crate::outlasting::AllOutlasting;
use crate::remote::Shared;
use crate::signals::Signals;
use crate::sources::Sources;
use crate::stopped::Stopped;
use crate::stopping::Living;
use crate::tasks::Tasks;
use crate::timers::Timers;
use crate::triggers::Triggers;

pub(crate) type Call = Box<dyn FnOnce(&Handle)>;

pub(crate) struct Core {
    /// `None` once the reactor is gone, although handles live on.
    pub(crate) poller: WithCell<Option<Rc<Poller>>>,
    pub(crate) sources: WithCell<Sources>,
    pub(crate) timers: WithCell<Timers>,
    pub(crate) soon: WithCell<VecDeque<Call>>,
    /// Who asked to be flushed.
    pub(crate) dirty: WithCell<VecDeque<Rc<dyn EventHandler>>>,
    pub(crate) tasks: Tasks,
    pub(crate) shared: Arc<Shared>,
    pub(crate) signals: WithCell<Signals>,
    /// INT, TERM, HUP and TSTP, while `run` claims them.
    pub(crate) claims: WithCell<Vec<Claim>>,
    /// The reactor was not made `without_signals`.
    pub(crate) claims_signals: Cell<bool>,
    pub(crate) triggers: WithCell<Triggers>,
    pub(crate) living: WithCell<Living>,
    pub(crate) outlasting: WithCell<AllOutlasting>,
    pub(crate) buffers: WithCell<Buffers>,
    pub(crate) clock: ReactorClock,
    pub(crate) anticipation: Anticipation,
    pub(crate) running: Cell<Running>,
    /// Why it stops; read when `running` is `Stopping`.
    pub(crate) stopped: Cell<Stopped>,
    /// A run that a panic or an error has ended was told to stop: the next one begins told.
    pub(crate) told: Cell<Option<Stopped>>,
    /// Inside `turn`, `run` or `block_on`.
    pub(crate) entered: Cell<bool>,
    /// Somebody waits on our descriptor in another loop: calls from outside of a turn must wake it.
    pub(crate) hosted: Cell<bool>,
    /// The `Reactor` is being dropped, or gone.
    pub(crate) closed: Cell<bool>,
    pub(crate) made: Cell<Made>,
}

impl Core {
    pub(crate) fn new(poller: Rc<Poller>, shared: Arc<Shared>) -> Self {
        Self {
            poller: WithCell::new(Some(poller)),
            sources: WithCell::new(Sources::default()),
            timers: WithCell::new(Timers::default()),
            soon: WithCell::new(VecDeque::new()),
            dirty: WithCell::new(VecDeque::new()),
            tasks: Tasks::new(Arc::clone(&shared)),
            shared,
            signals: WithCell::new(Signals::default()),
            claims: WithCell::new(Vec::new()),
            claims_signals: Cell::new(true),
            triggers: WithCell::new(Triggers::default()),
            living: WithCell::new(Living::default()),
            outlasting: WithCell::new(AllOutlasting::default()),
            buffers: WithCell::new(Buffers::new()),
            clock: ReactorClock::new(),
            anticipation: Anticipation::default(),
            running: Cell::new(Running::No),
            stopped: Cell::new(Stopped::Called),
            told: Cell::new(None),
            entered: Cell::new(false),
            hosted: Cell::new(false),
            closed: Cell::new(false),
            made: Cell::new(Made::By(std::process::id())),
        }
    }

    /// Something is to be done without waiting, whatever the timers say.
    pub(crate) fn is_busy(&self) -> bool {
        !self.soon.with(|soon| soon.is_empty())
            || !self.dirty.with(|dirty| dirty.is_empty())
            || self.shared.has_work()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("running", &self.running.get())
            .field("sources", &self.sources.with(|sources| sources.len()))
            .field("timers", &self.timers.with(|timers| timers.len()))
            .field("tasks", &self.tasks.len())
            .field("closed", &self.closed.get())
            .finish_non_exhaustive()
    }
}

/// Which process has made the reactor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    By(u32),
    /// It is being dropped, or gone: this process, or the one that this is a forked copy of.
    Here,
    Elsewhere,
}

impl Made {
    /// What is known once it was asked.
    pub(crate) fn look(self) -> Self {
        match self {
            Self::By(pid) if pid == std::process::id() => Self::Here,
            Self::By(_) => Self::Elsewhere,
            known => known,
        }
    }
}

/// How far a `run` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Running {
    No,
    Yes,
    /// Told to stop; the shutdown triggers are about to run, or run.
    Stopping,
}

/// [`Handle::try_stop`] found no reactor to stop.
#[doc(alias = "ReactorNotRunning")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("cannot stop the reactor: it is not running")]
pub struct NotRunning;

impl From<NotRunning> for io::Error {
    fn from(error: NotRunning) -> Self {
        Self::new(io::ErrorKind::NotConnected, error)
    }
}

/// What everything that needs the poller says once the reactor is gone.
pub(crate) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the reactor is gone")
}

//! Says that there are no launch threads: this system has no pidfds that they could send.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use procession_reactor::Handle;
use procession_reactor::driver::EventHandler;

use crate::command::Command;
use crate::error::SpawnError;
use crate::launch::Launched;
use crate::program_end::AtProgramEnd;

/// What became of an order.
#[expect(dead_code, reason = "nothing is ordered here")]
pub(super) enum Ordered {
    UnderWay,
    NotSent,
    Failed(SpawnError),
}

/// There are none.
pub(super) enum Threads {}

/// There is none.
pub(super) enum LaterLaunch {}

/// Why a reply has no child.
#[expect(dead_code, reason = "there is no reply")]
pub(super) enum NotLaunched {
    Failed(SpawnError),
    LeftHere,
}

/// A reply, of which there is none.
pub(super) struct Reply {
    pub(super) id: u64,
}

impl LaterLaunch {
    pub(super) fn prepare(_: &Command, _: AtProgramEnd) -> Result<Self, SpawnError> {
        Err(SpawnError::invalid("launch threads", "this system has none"))
    }

    pub(super) fn fits(&self) -> bool {
        match *self {}
    }

    pub(super) fn on_reply(self, _: Reply, _: Vec<OwnedFd>) -> Result<Launched, NotLaunched> {
        match self {}
    }
}

pub(super) fn can_launch(_: &Command) -> bool {
    false
}

impl Threads {
    pub(super) fn start(_: u64) -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(super) fn watch(&self, _: &Handle, _: Rc<dyn EventHandler>) {}

    pub(super) fn are_usable(&self) -> bool {
        match *self {}
    }

    pub(super) fn is_own(&self) -> bool {
        match *self {}
    }

    pub(super) fn order(&self, _: &mut LaterLaunch, _: u64) -> Ordered {
        match *self {}
    }

    pub(super) fn withdraw(&self, _: u64) -> bool {
        match *self {}
    }

    pub(super) fn receive(&self, _: &Handle) -> Option<(Reply, Vec<OwnedFd>)> {
        match *self {}
    }

    pub(super) fn wait(&self, _: &Handle, _: Duration) -> bool {
        match *self {}
    }

    pub(super) fn close(&self, _: &Handle) {
        match *self {}
    }
}

//! Where a run goes: a host by `ssh`, or what another launcher stands for.

use std::any::Any;
use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use procession_process_transport::Command;

use crate::ssh::{Seat, Seating};
use crate::{LaunchError, Launcher, Ssh};

/// Where a run goes.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Ssh(Ssh),
    Other(Arc<dyn Launcher>),
}

impl Place {
    pub(crate) fn of<L: Launcher + Clone + 'static>(launcher: &L) -> Self {
        let any: &dyn Any = launcher;
        match any.downcast_ref::<Ssh>() {
            Some(ssh) => Self::Ssh(ssh.clone()),
            None => Self::Other(Arc::new(launcher.clone())),
        }
    }

    pub(crate) fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Ssh(ssh) => ssh.name(),
            Self::Other(launcher) => launcher.name(),
        }
    }

    /// Refuses what cannot be carried, before a connection is made.
    pub(crate) fn check(&self, command: &Command) -> Result<(), LaunchError> {
        match self {
            Self::Ssh(ssh) => ssh.check(command),
            // It is asked for its local command at once.
            Self::Other(_) => Ok(()),
        }
    }

    /// Makes room for a run there.
    pub(crate) fn arrive(&self) -> Arriving {
        match self {
            Self::Ssh(ssh) => Arriving::Ssh(ssh.seat()),
            Self::Other(launcher) => Arriving::Other(Arc::clone(launcher)),
        }
    }
}

/// The room for a run, while it is being made.
#[derive(Debug)]
pub(crate) enum Arriving {
    Ssh(Seating),
    Other(Arc<dyn Launcher>),
}

impl Arriving {
    /// Blocks this thread until there is room, or says why there is none.
    pub(crate) fn wait(self) -> Result<Arrival, String> {
        match self {
            Self::Ssh(seating) => seating.wait().map(Arrival::Ssh),
            Self::Other(launcher) => Ok(Arrival::Other(launcher)),
        }
    }
}

impl Future for Arriving {
    type Output = Result<Arrival, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Ssh(seating) => Pin::new(seating).poll(context).map_ok(Arrival::Ssh),
            Self::Other(launcher) => Poll::Ready(Ok(Arrival::Other(Arc::clone(launcher)))),
        }
    }
}

/// The room for one run.
#[derive(Debug)]
pub(crate) enum Arrival {
    Ssh(Seat),
    Other(Arc<dyn Launcher>),
}

impl Arrival {
    pub(crate) fn launch(&mut self, command: &Command) -> Result<Command, LaunchError> {
        match self {
            Self::Ssh(seat) => seat.launch(command),
            Self::Other(launcher) => launcher.launch(command),
        }
    }

    /// Notes that the local command has exited with the program's status: there is nothing to end.
    pub(crate) fn on_over(&mut self) {
        if let Self::Ssh(seat) = self {
            seat.on_over();
        }
    }
}

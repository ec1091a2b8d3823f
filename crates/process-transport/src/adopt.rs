//! A launch, and the reactor that takes the child.

use crate::adopt_error::AdoptError;
use crate::child::{Transport, reactor_gone};
use crate::command::Command;
use crate::error::{SpawnError, Step};
use crate::orphan_watch;
use crate::spawned::Spawned;
use procession_protocol::{Process, ProcessProtocol};
use procession_reactor::Handle;
use procession_reactor::driver::Drive;
use std::rc::Rc;

/// Starts a child and gives it to the reactor; calls `connection_made`.
pub(crate) fn spawn(
    reactor: &Handle,
    protocol: Box<dyn ProcessProtocol>,
    command: &Command,
) -> Result<Process, SpawnError> {
    refuse_if_gone(reactor, command)?;
    let transport = register(reactor, protocol, command, Spawned::start(command)?)?;
    Ok(made(transport))
}

/// Gives a child that runs to the reactor; calls `connection_made`.
pub(crate) fn adopt(
    reactor: &Handle,
    protocol: Box<dyn ProcessProtocol>,
    spawned: Spawned,
) -> Result<Process, AdoptError> {
    orphan_watch::enlist(reactor);
    Transport::register(reactor, protocol, spawned).map(made)
}

fn made(transport: Rc<Transport>) -> Process {
    let process = Process::from_control(transport.clone());
    transport.made();
    process
}

/// No program is to run of which no loop can tell.
pub(crate) fn refuse_if_gone(reactor: &Handle, command: &Command) -> Result<(), SpawnError> {
    if reactor.is_closed() {
        return Err(SpawnError::new(Step::Register, &command.program, reactor_gone()));
    }
    Ok(())
}

/// Gives a new child to the reactor; nothing is called back yet. One that it cannot take is killed.
pub(crate) fn register(
    reactor: &Handle,
    protocol: Box<dyn ProcessProtocol>,
    command: &Command,
    spawned: Spawned,
) -> Result<Rc<Transport>, SpawnError> {
    orphan_watch::enlist(reactor);
    Transport::register(reactor, protocol, spawned).map_err(|error| {
        let (spawned, error) = error.into_parts();
        spawned.end_now();
        SpawnError::new(Step::Register, &command.program, error)
    })
}

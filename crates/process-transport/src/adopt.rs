//! A launch, and the reactor that takes the child.

use crate::adopt_error::AdoptError;
use crate::child::{Transport, reactor_gone};
use crate::command::Command;
use crate::error::{SpawnError, Step};
use crate::orphan_watch;
use crate::program_end::AtProgramEnd;
use crate::spawned::Spawned;
use crate::sys;
use procession_protocol::{Process, ProcessProtocol};
use procession_reactor::Handle;
use procession_reactor::driver::Machine;
use std::os::fd::AsFd;
use std::rc::Rc;

/// Starts a child and gives it to the reactor; calls `connection_made`.
pub(crate) fn spawn(
    reactor: &Handle,
    protocol: Box<dyn ProcessProtocol>,
    command: &Command,
) -> Result<Rc<Transport>, SpawnError> {
    refuse_if_gone(reactor, command)?;
    let spawned = Spawned::start(command, AtProgramEnd::of_reactor(reactor))?;
    let transport = register(reactor, protocol, command, spawned)?;
    transport.made();
    Ok(transport)
}

/// Gives a child that runs to the reactor; calls `connection_made`.
pub(crate) fn adopt(
    reactor: &Handle,
    protocol: Box<dyn ProcessProtocol>,
    spawned: Spawned,
) -> Result<Process, AdoptError> {
    orphan_watch::enlist(reactor);
    let spawned = enter(reactor, spawned)?;
    let transport = Transport::register(reactor, protocol, spawned)?;
    transport.made();
    Ok(Process::from_control(transport))
}

/// Has a child that was launched without a loop end with the program, as the reactor's own do.
fn enter(reactor: &Handle, mut spawned: Spawned) -> Result<Spawned, AdoptError> {
    let is_in = spawned.child.place.is_some() || spawned.reason.is_some();
    match spawned.policy.entry {
        Some(entry) if !is_in && AtProgramEnd::of_reactor(reactor) == AtProgramEnd::Ends => {
            let pidfd = spawned.child.pidfd.as_ref().map(AsFd::as_fd);
            match sys::enter(entry, spawned.child.pid, pidfd) {
                Ok(place) => spawned.child.place = Some(place),
                Err(error) => return Err(AdoptError::new(spawned, error)),
            }
        }
        _ => {}
    }
    Ok(spawned)
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

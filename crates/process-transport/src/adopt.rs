//! Gives launched children to a reactor.

use std::os::fd::AsFd;
use std::rc::Rc;

use procession_protocol::driver::ProcessControl;
use procession_protocol::{Process, ProcessProtocol};
use procession_reactor::Handle;
use procession_reactor::driver::Machine;

use crate::adopt_error::AdoptError;
use crate::child::{ChildTransport, reactor_gone};
use crate::command::Command;
use crate::error::{SpawnError, Step};
use crate::orphan_watch;
use crate::program_end::AtProgramEnd;
use crate::recording;
use crate::spawned::Spawned;
use crate::sys;

/// Starts a child, gives it to the reactor and calls `connection_made`.
pub(crate) fn spawn(
    reactor: &Handle,
    protocol: Box<dyn ProcessProtocol>,
    command: &Command,
) -> Result<Rc<ChildTransport>, SpawnError> {
    refuse_if_gone(reactor, command)?;
    spawn_recorded(reactor, recording::recorded(reactor, command, protocol), command)
}

/// Does the same for a protocol that has its recorder, and a reactor that is not gone.
pub(crate) fn spawn_recorded(
    reactor: &Handle,
    protocol: Box<dyn ProcessProtocol>,
    command: &Command,
) -> Result<Rc<ChildTransport>, SpawnError> {
    let spawned = Spawned::start(command, AtProgramEnd::of_reactor(reactor))
        .inspect_err(|error| recording::not_started(command, error))?;
    let transport = register(reactor, protocol, command, spawned)?;
    transport.made();
    Ok(transport)
}

/// Gives a running child to the reactor and calls `connection_made`.
pub(crate) fn adopt(
    reactor: &Handle,
    protocol: Box<dyn ProcessProtocol>,
    spawned: Spawned,
) -> Result<Process, AdoptError> {
    orphan_watch::enlist(reactor);
    let spawned = enter(reactor, spawned)?;
    let transport = ChildTransport::register(reactor, protocol, spawned)?;
    transport.made();
    Ok(transport.into_process())
}

/// Makes a child that was launched without a loop end with the program, like the reactor's own.
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

/// Fails if the reactor is gone: a program must not run if no loop can report its events.
pub(crate) fn refuse_if_gone(reactor: &Handle, command: &Command) -> Result<(), SpawnError> {
    if reactor.is_closed() {
        return Err(SpawnError::new(Step::Register, &command.program, reactor_gone()));
    }
    Ok(())
}

/// Gives a new child to the reactor, without a callback. Kills a child that the reactor cannot
/// take.
pub(crate) fn register(
    reactor: &Handle,
    protocol: Box<dyn ProcessProtocol>,
    command: &Command,
    spawned: Spawned,
) -> Result<Rc<ChildTransport>, SpawnError> {
    orphan_watch::enlist(reactor);
    ChildTransport::register(reactor, protocol, spawned).map_err(|error| {
        let (spawned, error) = error.into_parts();
        spawned.end_now();
        SpawnError::new(Step::Register, &command.program, error)
    })
}

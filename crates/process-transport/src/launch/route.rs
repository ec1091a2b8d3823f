//! Which of the three ways of spawning a command takes.

use crate::command::Command;
use crate::error::{SpawnError, Step};
use crate::prepare::{Prepared, child_failure};
use crate::sys::{self, Gift, LaunchError, Launched};
use procession_protocol::SpawnPath;

/// Starts the child: on the path that is forced, else on the best that works here.
pub(crate) fn launch(
    command: &Command,
    prepared: &Prepared,
    gifts: &mut [Gift<'_>],
    controlling_terminal: bool,
) -> Result<Launched, SpawnError> {
    let failed = |error| match error {
        LaunchError::Clone(error) => SpawnError::new(Step::Clone, &command.program, error),
        LaunchError::Path(error) => SpawnError::new(Step::Validate, "spawn_path", error),
        LaunchError::Child(step, errno) => child_failure(command, step, errno),
    };
    if let Some(path) = command.spawn_path {
        if path != SpawnPath::Fork && !prepared.pre_exec.is_empty() {
            return Err(SpawnError::invalid("pre_exec with a shared spawn_path"));
        }
        return sys::launch(path, prepared, gifts, controlling_terminal).map_err(failed);
    }
    let mut path = preferred(prepared);
    loop {
        match sys::launch(path, prepared, gifts, controlling_terminal) {
            Err(LaunchError::Path(_)) if path == SpawnPath::SharedFiles => {
                path = SpawnPath::SharedMemory;
            }
            Err(LaunchError::Path(_)) if path == SpawnPath::SharedMemory => path = SpawnPath::Fork,
            result => return result.map_err(failed),
        }
    }
}

/// Closures of the caller may do anything, and a child of other ids must not share our memory.
fn preferred(prepared: &Prepared) -> SpawnPath {
    if prepared.pre_exec.is_empty() && !prepared.credentials.change_ids() {
        sys::best_path()
    } else {
        SpawnPath::Fork
    }
}

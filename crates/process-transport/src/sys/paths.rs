//! Starts a child on the best of the ways that work here.

use procession_protocol::SpawnPath;

use super::attempts::Attempts;
use super::fd_step::{FdMove, FdStep};
use super::launch::{discard, launch};
use super::outcome::{Cloned, LaunchError, PassedFd};
use super::request::Request;

/// Starts the child on the forced path, else on the first path that works here. `plan` and `passed`
/// are those of [`launch`].
pub(crate) fn launch_on_best(
    request: &Request,
    forced: Option<SpawnPath>,
    passed: &[PassedFd<'_>],
    plan: fn(&[FdMove]) -> Vec<FdStep>,
) -> Result<Cloned, LaunchError> {
    let mut attempts = attempts(request, forced)?;
    loop {
        let error = match launch(attempts.mode(), request, passed, plan) {
            Ok(child) => {
                attempts.on_started();
                return Ok(child);
            }
            // Nothing is learnt about the path. It happens once for a cgroup.
            Err(LaunchError::KilledAtBirth(child)) => {
                discard(*child);
                continue;
            }
            Err(error) => error,
        };
        let has_next = attempts.on_failed(&error);
        match error {
            LaunchError::Killed { child, .. } if has_next => discard(*child),
            // There is no other way, so the kill is how this child ended.
            LaunchError::Killed { child, .. } => return Ok(*child),
            _ if has_next => {}
            error => return Err(error),
        }
    }
}

/// Returns the paths to try. Closures of the caller may do anything, and a child with other ids
/// must not share our memory.
fn attempts(request: &Request, forced: Option<SpawnPath>) -> Result<Attempts, LaunchError> {
    let has_closures = !request.pre_exec.is_empty();
    match forced {
        Some(path) if path != SpawnPath::Fork && has_closures => Err(LaunchError::PreExec),
        Some(path) => Ok(Attempts::on(path)),
        None if has_closures || request.credentials.change_ids() => {
            Ok(Attempts::on(SpawnPath::Fork))
        }
        None => Ok(Attempts::from_best()),
    }
}

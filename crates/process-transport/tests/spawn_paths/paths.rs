//! The spawn paths that a test tries one after the other.

use procession_process_transport::Command;
use procession_protocol::SpawnPath;

use crate::util::forced_path;

/// Returns all three paths, or the one that this run forces.
pub(crate) fn paths() -> Vec<SpawnPath> {
    match forced_path() {
        Some(path) => vec![path],
        None => vec![SpawnPath::SharedFiles, SpawnPath::SharedMemory, SpawnPath::Fork],
    }
}

/// A command that is spawned on `path`.
pub(crate) fn by(path: SpawnPath, program: &str) -> Command {
    Command::new(program).spawn_path(path)
}

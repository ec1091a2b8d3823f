//! The spawn paths that a test tries one after the other.

use std::sync::OnceLock;

use procession_process_transport::Command;
use procession_protocol::SpawnPath;

use crate::util::{forced_path, skip, sys};

/// Returns all three paths, or the one that this run forces. An emulator may have only two of them.
pub(crate) fn paths() -> Vec<SpawnPath> {
    static HAS_SHARED_FILES: OnceLock<bool> = OnceLock::new();
    if let Some(path) = forced_path() {
        return vec![path];
    }
    let has_shared_files = *HAS_SHARED_FILES.get_or_init(|| {
        let has_it = sys::may_share_descriptors();
        if !has_it {
            skip("the path SharedFiles", "this system refuses such a clone");
        }
        has_it
    });
    let first = has_shared_files.then_some(SpawnPath::SharedFiles);
    first.into_iter().chain([SpawnPath::SharedMemory, SpawnPath::Fork]).collect()
}

/// A command that is spawned on `path`.
pub(crate) fn by(path: SpawnPath, program: &str) -> Command {
    Command::new(program).spawn_path(path)
}

//! Makes the commands of the tests. One variable forces one spawn path on all of them, and so on a
//! whole run of the tests.
//!
//! `PROCESSION_TEST_SPAWN_PATH=shared-files|shared-memory|fork cargo test` forces that path.

use std::ffi::OsStr;

use procession_process_transport::Command;
use procession_protocol::SpawnPath;

/// The variable that forces one spawn path.
const VARIABLE: &str = "PROCESSION_TEST_SPAWN_PATH";

/// Returns the spawn path that this run forces, if it forces one.
pub(crate) fn forced_path() -> Option<SpawnPath> {
    let value = std::env::var_os(VARIABLE)?;
    match value.to_str() {
        Some("shared-files") => Some(SpawnPath::SharedFiles),
        Some("shared-memory") => Some(SpawnPath::SharedMemory),
        Some("fork") => Some(SpawnPath::Fork),
        _ => panic!("{VARIABLE} is shared-files, shared-memory or fork, not {value:?}"),
    }
}

/// Makes a command for `program`, with the spawn path of this run.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let command = Command::new(program.as_ref());
    match forced_path() {
        Some(path) => command.spawn_path(path),
        None => command,
    }
}

/// Makes the command `/bin/sh -c script`, with the PATH of the case catalogue.
pub(crate) fn sh(script: &str) -> Command {
    command("/bin/sh").args(["-c", script]).env("PATH", "/usr/bin:/bin")
}

//! The task `test-paths`: runs the tests of spawning on the spawn paths that `test` does not use.
//!
//! The tests' support code reads `PROCESSION_TEST_SPAWN_PATH` and forces that path on every
//! command. The library reads no variable. `test` runs everything on the path that a launch
//! chooses: shared files, wherever that works. The slow tier forces that one as well.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::binaries;
use crate::spawn_tests::SPAWN_TESTS;

const PATHS: [&str; 3] = ["shared-files", "shared-memory", "fork"];

/// Runs the tests of spawning on the paths that a launch does not try first.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let [_found, others @ ..] = PATHS;
    on_paths(sh, &others, |test| SPAWN_TESTS.contains(&test))
}

/// Runs every test of the process transport on each path.
pub(crate) fn run_all(sh: &Shell) -> Result<()> {
    on_paths(sh, &PATHS, |_| true)
}

fn on_paths(sh: &Shell, paths: &[&str], is_wanted: fn(&str) -> bool) -> Result<()> {
    let package = sh.current_dir().join("crates/process-transport");
    for path in paths {
        println!("with PROCESSION_TEST_SPAWN_PATH={path}");
        let _path = sh.push_env("PROCESSION_TEST_SPAWN_PATH", path);
        // The call of the task `test`, which has built all of this.
        let tests = cmd!(sh, "cargo test --workspace --locked --tests");
        binaries::run(sh, tests, |source| {
            let name = source.file_stem().and_then(|name| name.to_str());
            source.starts_with(&package) && name.is_some_and(is_wanted)
        })?;
    }
    Ok(())
}

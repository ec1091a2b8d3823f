//! Finds out whether a sanitizer is built in. `cargo xtask asan` and `cargo xtask leaks` set a
//! variable.

use std::process::Command;

/// The variable that names the sanitizer of the build.
const VARIABLE: &str = "PROCESSION_TEST_SANITIZER";

/// Returns the sanitizer of this build, if it has one.
pub fn sanitizer() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Turns the sanitizer's check for leaks off in the process that `command` starts.
///
/// The check traces the process, so it cannot run in a process that a test traces.
pub fn without_leak_check(command: &mut Command) -> &mut Command {
    if sanitizer().is_some() {
        for name in ["ASAN_OPTIONS", "LSAN_OPTIONS"] {
            let options = std::env::var(name).unwrap_or_default();
            command.env(name, format!("{options}:detect_leaks=0"));
        }
    }
    command
}

//! Builds with a sanitizer, of which `cargo xtask asan` and `cargo xtask leaks` tell.

use std::process::Command;

/// Names the sanitizer of the build.
const VARIABLE: &str = "PROCESSION_TEST_SANITIZER";

/// The sanitizer of this build, if it has one.
pub fn sanitizer() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// For a copy of this program that somebody traces: the check for leaks would trace it as well.
pub fn without_leak_check(command: &mut Command) -> &mut Command {
    if sanitizer().is_some() {
        for name in ["ASAN_OPTIONS", "LSAN_OPTIONS"] {
            let options = std::env::var(name).unwrap_or_default();
            command.env(name, format!("{options}:detect_leaks=0"));
        }
    }
    command
}

//! Builds with a sanitizer, which `cargo xtask asan` and `cargo xtask leaks` announce by a variable.

use std::process::Command;

/// The variable that names the sanitizer of the build.
const VARIABLE: &str = "PROCESSION_TEST_SANITIZER";

/// Returns the name of this build's sanitizer, if it has one.
pub fn sanitizer() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Turns the sanitizer's leak check off for `command`, a copy of this program. A traced process needs this,
/// because the leak check would trace it too.
pub fn without_leak_check(command: &mut Command) -> &mut Command {
    if sanitizer().is_some() {
        for name in ["ASAN_OPTIONS", "LSAN_OPTIONS"] {
            let options = std::env::var(name).unwrap_or_default();
            command.env(name, format!("{options}:detect_leaks=0"));
        }
    }
    command
}

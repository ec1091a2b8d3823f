//! The tests of spawning, for the tasks `test-paths` and `vm`.

/// The tests that a spawn path can break.
pub(crate) const SPAWN_TESTS: [&str; 19] = [
    "bad_input",
    "environment",
    "exit_by_signal",
    "fd_inherit",
    "fd_leaks",
    "fd_map",
    "identity",
    "limits",
    "parent_death",
    "process_groups",
    "pty",
    "pty_modes",
    "pty_slave",
    "sessions",
    "signals",
    "spawn_error_table",
    "spawn_errors",
    "spawn_paths_props",
    "users",
];

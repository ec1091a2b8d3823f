//! What each example must print: the table that the task `examples` runs.
//!
//! An example may have several rows. One that exists and has no row fails the task.

/// One run of an example.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// The name of the example or binary.
    pub(crate) name: &'static str,
    pub(crate) args: &'static [&'static str],
    pub(crate) stdin: &'static str,
    /// The exit status that it ends with.
    pub(crate) status: i32,
    /// Lines that its standard output contains, in this order, perhaps with others between.
    pub(crate) lines: &'static [&'static str],
    /// The number of lines on its standard error.
    pub(crate) error_lines: usize,
}

/// A run without arguments, input, expected lines or errors.
const PLAIN: Run = Run { name: "", args: &[], stdin: "", status: 0, lines: &[], error_lines: 0 };

/// All runs.
pub(crate) const RUNS: &[Run] = &[
    Run {
        name: "word_count",
        lines: &["Received counts from wc.", "Lines: 1", "Words: 6", "Characters: 44"],
        ..PLAIN
    },
    // Real input from a file: the licence, whose text never changes.
    Run {
        name: "word_count",
        args: &["LICENSE-MIT"],
        lines: &["Received counts from wc.", "Lines: 21", "Words: 169", "Characters: 1079"],
        ..PLAIN
    },
    Run {
        name: "word_count",
        args: &["there/is/no/such/file"],
        status: 1,
        error_lines: 1,
        ..PLAIN
    },
    Run {
        name: "verbose",
        lines: &["connectionMade!", "I saw 40 lines", "processEnded, status 0"],
        ..PLAIN
    },
    Run {
        name: "true_and_false",
        lines: &["/bin/true exits with rc=0", "/bin/false exits with rc=1"],
        ..PLAIN
    },
    // Servers ask themselves; their tests have other clients.
    Run { name: "fortune_server", args: &["--try", "0", "/bin/pwd"], ..PLAIN },
    Run {
        name: "fortune_server",
        args: &["--try", "0", "/there/is/no/fortune"],
        error_lines: 1,
        ..PLAIN
    },
    Run { name: "fortune_server", args: &["http"], status: 1, error_lines: 1, ..PLAIN },
    Run { name: "pty_shell", args: &["--try", "0"], lines: &["50 132", "a terminal"], ..PLAIN },
    // Decrypting needs gpg and a key ring: its test has both, where gpg is installed.
    Run {
        name: "gpg_decrypt",
        args: &["there/is/no/such/file"],
        status: 1,
        error_lines: 1,
        ..PLAIN
    },
    Run {
        name: "pipeline",
        lines: &["accessing", "fun!", "is", "protocols", "through", "Twisted"],
        ..PLAIN
    },
    Run {
        name: "pipeline",
        args: &["cat", "|", "tr", "a-z", "A-Z", "|", "head", "-n", "1"],
        stdin: "one\ntwo\n",
        lines: &["ONE"],
        ..PLAIN
    },
    Run { name: "pipeline", args: &["true", "|", "false"], status: 1, error_lines: 1, ..PLAIN },
    Run {
        name: "supervisor",
        args: &["examples/supervisor.example", "1"],
        lines: &["flaky | trying", "supervisor * stopped"],
        ..PLAIN
    },
    Run {
        name: "supervisor",
        args: &["there/is/no/such/file"],
        status: 1,
        error_lines: 1,
        ..PLAIN
    },
    // One line of errors for each command, and the count at the end.
    Run {
        name: "parallel",
        args: &["-P", "1"],
        stdin: "echo one\nexit 3\necho two\n",
        status: 1,
        lines: &["one", "two"],
        error_lines: 4,
    },
    Run { name: "in_tokio", lines: &["echo said hello"], ..PLAIN },
    Run { name: "in_calloop", lines: &["echo said hello"], ..PLAIN },
    Run {
        name: "reactor_only",
        lines: &["read hello 1", "read hello 2", "read hello 3", "stopped"],
        ..PLAIN
    },
];

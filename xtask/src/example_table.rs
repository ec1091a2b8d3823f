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
    Run { name: "reactor_only", lines: &["read hello", "stopped"], ..PLAIN },
];

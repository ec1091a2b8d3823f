//! Every example, run as its page shows: each has a row that says what must come of it.

mod util;

use std::path::Path;

use util::{example, feed};

/// One run of an example.
struct Run {
    name: &'static str,
    args: &'static [&'static str],
    stdin: &'static str,
    /// The exit status that it ends with.
    status: i32,
    /// Lines that its standard output contains, in this order, perhaps with others between.
    lines: &'static [&'static str],
    /// The number of lines on its standard error.
    error_lines: usize,
}

/// A run without arguments, input, expected lines or errors.
const PLAIN: Run = Run { name: "", args: &[], stdin: "", status: 0, lines: &[], error_lines: 0 };

const RUNS: &[Run] = &[
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
    // Decrypting needs gpg and a key ring: their test has both, where gpg is installed.
    Run {
        name: "gpg_decrypt",
        args: &["there/is/no/such/file"],
        status: 1,
        error_lines: 1,
        ..PLAIN
    },
    Run { name: "blocking", args: &["there/is/no/such/file"], status: 1, error_lines: 1, ..PLAIN },
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
    Run {
        name: "in_tokio",
        lines: &[
            "HELLO FROM TR",
            "the last status is \"done\"",
            "gave up: the shell and its sleep are killed",
        ],
        ..PLAIN
    },
    Run {
        name: "http_stream",
        args: &["--try", "0", "echo", "streamed"],
        lines: &["HTTP/1.0 200 OK", "streamed"],
        ..PLAIN
    },
    Run { name: "record", args: &["/dev/null", "echo", "hi"], lines: &["hi"], ..PLAIN },
    Run { name: "record", args: &["--play", "/dev/null"], status: 1, error_lines: 1, ..PLAIN },
    Run { name: "json_lines", args: &["echo", "{\"message\":\"hi\"}"], lines: &["hi"], ..PLAIN },
    Run { name: "json_lines", status: 1, error_lines: 1, ..PLAIN },
    Run {
        name: "lsp_client",
        lines: &["talks to \"lsp_server\"", "after start 2: 20 + 22 = 42"],
        ..PLAIN
    },
    Run { name: "lsp_server", ..PLAIN },
    // A start and an end of each of four children, two signals, a time limit, a further attempt.
    Run { name: "traced", error_lines: 12, ..PLAIN },
    Run { name: "hosted", lines: &["echo said hello"], ..PLAIN },
    Run { name: "in_calloop", lines: &["echo said hello"], ..PLAIN },
];

#[test]
fn every_example_does_what_its_rows_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for run in RUNS {
        let command = example(run.name).args(run.args).current_dir(&root);
        let ended = feed(command, run.stdin);
        let what = format!("{} {}: {ended:?}", run.name, run.args.join(" "));
        assert_eq!(ended.status, run.status, "{what}");
        let mut lines = ended.stdout.lines();
        for wanted in run.lines {
            assert!(lines.any(|line| line == *wanted), "no `{wanted}` where it belongs: {what}");
        }
        assert_eq!(ended.stderr.lines().count(), run.error_lines, "{what}");
    }
}

#[test]
fn every_example_has_a_row() {
    for entry in std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().unwrap();
            assert!(RUNS.iter().any(|run| run.name == name), "no row for {}", name.display());
        }
    }
}

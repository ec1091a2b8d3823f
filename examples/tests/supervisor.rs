//! Tests of the example `supervisor`: what it keeps running and shows, in which order, and that it leaves
//! nothing when it stops.

mod util;

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;
use util::{OnTerminal, Server, example, run, runs, until};

/// Starts a supervisor of this file. Returns it, and the file's directory.
fn supervising(text: &str) -> (Server, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = file(&dir, text);
    (Server::start("supervisor", &[file.to_str().expect("its name is UTF-8")]), dir)
}

fn file(dir: &TempDir, text: &str) -> PathBuf {
    let file = dir.path().join("programs.toml");
    std::fs::write(&file, text).expect("the directory takes a file");
    file
}

/// Returns the pid of a line `name * started as PID`.
fn started(server: &Server, name: &str) -> u32 {
    let before = format!("{name} * started as ");
    let line = server.line_like(|line| line.starts_with(&before));
    line[before.len()..].parse().expect("a pid")
}

fn until_line(server: &Server, wanted: &str) {
    server.line_like(|line| line == wanted);
}

/// Two programs that say when they end: `b` after `a`, which is ready a while after its start.
const CHAIN: &str = r#"
    [program.b]
    command = "exec 2>/dev/null; trap 'sleep 0.1; echo b ends; exit 0' TERM; echo b is up; while :; do sleep 0.01; done"
    ready = { line = "is up" }
    after = ["a"]

    [program.a]
    command = "exec 2>/dev/null; trap 'sleep 0.1; echo a ends; exit 7' TERM; sleep 0.1; echo a is up; while :; do sleep 0.01; done"
    ready = { line = "is up" }
"#;

#[test]
fn each_line_has_the_name_of_its_program_in_true_order() {
    let (server, _dir) = supervising(
        "[program.a]\ncommand = 'echo one; echo two >&2; printf three; echo written >&2; exec sleep 60'\n\
         [program.b]\ncommand = ['echo', 'f o u r']",
    );
    let mut lines: Vec<String> = Vec::new();
    // When it says so, the last line is in its pipe.
    while lines.iter().filter(|line| line.contains(" | ")).count() < 4 {
        lines.push(server.line());
    }
    let of = |name: &str| lines.iter().filter(|line| line.starts_with(name)).collect::<Vec<_>>();
    assert_eq!(of("a | ").iter().filter(|line| line.contains("three")).count(), 0, "{lines:?}");
    assert!(of("b | ").iter().all(|line| *line == "b | f o u r"), "{lines:?}");
    let rest = server.stop();
    assert!(rest.iter().any(|line| line == "a | three"), "the last line is not lost: {rest:?}");
}

#[test]
fn what_fails_is_started_again_after_pauses_until_it_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(
        &dir,
        "[program.flaky]\ncommand = 'kill -9 $$'\nrestart = 'on-failure'\nbackoff = ['100ms', '1s']\n\
         give_up_after = { failures = 3, within = '1min' }",
    );
    let ended = run(example("supervisor").arg(file));
    let count = |text: &str| ended.stdout.matches(text).count();
    assert_eq!(count("flaky * started as "), 3, "{}", ended.stdout);
    assert_eq!(count("flaky * ended by signal 9 (SIGKILL) after 0."), 3, "{}", ended.stdout);
    assert_eq!(count("flaky * starts again in 0."), 2, "{}", ended.stdout);
    assert!(ended.stdout.ends_with("flaky * failed too often\n"), "{}", ended.stdout);
    let error = "supervisor: \"flaky\" has failed for good: too many failures: ended by signal 9 (SIGKILL) after 0.";
    assert!(ended.stderr.starts_with(error) && ended.status == 1, "{}", ended.stderr);
}

#[test]
fn it_ends_when_every_program_has_ended_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(
        &dir,
        "[program.a]\ncommand = 'echo $WORD; pwd; ulimit -n; ulimit -Hc'\nrestart = 'never'\n\
         env = { WORD = 'from a' }\ndirectory = '.'\nlimits = { open_files = 77, core = [0, 'unlimited'] }\n\
         [program.b]\ncommand = ['true']\nrestart = 'on-failure'\nafter = ['a']",
    );
    let ended = run(example("supervisor").arg(file));
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let path = dir.path().canonicalize().unwrap();
    for line in ["a | from a", &format!("a | {}", path.display()), "a | 77", "a | unlimited"] {
        assert!(ended.stdout.lines().any(|one| one == line), "{line}\n{}", ended.stdout);
    }
    assert!(ended.stdout.contains("\na * done\n") && ended.stdout.contains("\nb * done\n"));
    assert!(ended.stdout.ends_with("\nsupervisor * every program has ended\n"));
}

#[test]
fn programs_start_in_order_and_each_signal_ends_them_in_reverse_order() {
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::INT, "INT")] {
        let (server, _dir) = supervising(CHAIN);
        let a = started(&server, "a");
        server.line_like(|line| line.starts_with("a * ready after 0."));
        let b = started(&server, "b");
        server.line_like(|line| line.starts_with("b * ready"));
        server.signal(signal);
        let (ended_by, lines) = server.end();
        assert_eq!(ended_by, Some(signal.as_raw()));
        let told: Vec<&str> =
            lines.iter().map(|line| line.split(" after ").next().unwrap()).collect();
        let expected = [
            "b * is asked to stop",
            "b | b ends",
            "b * exited with status 0",
            "b * stopped",
            "a * is asked to stop",
            "a | a ends",
            "a * exited with status 7",
            "a * stopped",
            &format!("supervisor * stopped by SIG{name}"),
        ];
        assert_eq!(told, expected);
        assert!(![a, b].into_iter().any(runs), "all have ended before it ends");
    }
}

#[test]
fn a_whole_group_ends_with_its_program() {
    let (server, _dir) =
        supervising("[program.group]\ncommand = 'sleep 1000 & echo child $!; wait'");
    let before = "group | child ";
    let line = server.line_like(|line| line.starts_with(before));
    let child: u32 = line[before.len()..].parse().unwrap();
    assert!(runs(child));
    server.stop();
    assert!(!runs(child), "the child of the program is gone");
}

#[test]
fn what_is_pausing_is_not_started_any_more() {
    let (server, _dir) = supervising("[program.gone]\ncommand = ['true']\nbackoff = ['1h', '1h']");
    server.line_like(|line| line.starts_with("gone * starts again in "));
    assert_eq!(server.stop(), ["gone * stopped", "supervisor * stopped by SIGTERM"]);
}

#[test]
fn a_program_that_cannot_be_started_is_tried_again_and_disturbs_no_other() {
    let (server, dir) = supervising(
        "[program.late]\ncommand = ['./late']\nbackoff = ['10ms', '50ms']\n\
         [program.after]\ncommand = ['sleep', '60']\nafter = ['late']\n\
         [program.other]\ncommand = 'echo up; exec sleep 60'",
    );
    let other = started(&server, "other");
    for _ in 0..2 {
        let line = server.line_like(|line| line.starts_with("late * not started: "));
        assert!(line.ends_with("No such file or directory"), "{line}");
    }
    util::script(dir.path(), "late", "echo here; exec sleep 60");
    let before = server.lines_until(&["late | here"]);
    assert!(!before.iter().any(|line| line.starts_with("other * ")), "{before:?}");
    assert!(runs(other));
    server.stop();
}

/// The kinds of wrong files, with the line, the program, the key and the fault that their error names.
#[test]
fn a_wrong_file_is_one_line_that_names_program_and_key_and_nothing_starts() {
    let program =
        |keys: &str| format!("[program.a]\ncommand = 'touch started'\n[program.b]\n{keys}\n");
    let with = |keys: &str| program(&format!("command = ['true']\n{keys}"));
    let time = "it should be a time with its unit, such as \"200ms\", \"1.5s\", \"2min\" or \"1h\", but it is";
    let cases = [
        // Unknown and missing keys, and those of other types.
        (with("comand = 1"), 5, "comand", "there is no such key, only command, directory, env,"),
        (program("restart = 'never'"), 3, "command", "it is missing"),
        (program("command = 7"), 4, "command", "it should be a text for sh, or a list"),
        (program("command = []"), 4, "command", "it should be a text for sh, or a list"),
        (program("command = ['', 'x']"), 4, "command", "it should be a text for sh, or a list"),
        (
            program("command = ['a', 5]"),
            4,
            "command",
            "it should be a text without NUL, but it is 5",
        ),
        (program("command = \"a\\u0000\""), 4, "command", "it should be a text without NUL"),
        (
            with("directory = true"),
            5,
            "directory",
            "it should be a text without NUL, but it is of the type boolean",
        ),
        (with("env = { A = 1 }"), 5, "env.A", "it should be a text without NUL, but it is 1"),
        (with("env = { 'A=' = '1' }"), 5, "env.A=", "it should be the value of a variable, but no"),
        (with("env = 'A=1'"), 5, "env", "it should be a table of texts, but it is \"A=1\""),
        // Limits.
        (
            with("limits = { file = 1 }"),
            5,
            "limits.file",
            "there is no such key, only address_space, core",
        ),
        (
            with("limits = { core = -1 }"),
            5,
            "limits.core",
            "it should be a number or \"unlimited\", but it is -1",
        ),
        (
            with("limits = { core = '1M' }"),
            5,
            "limits.core",
            "it should be a number or \"unlimited\", but it is \"1M\"",
        ),
        (
            with("limits = { core = [2, 1] }"),
            5,
            "limits.core",
            "it should be one limit, or a list of the soft",
        ),
        (
            with("limits = { core = ['unlimited', 1] }"),
            5,
            "limits.core",
            "it should be one limit, or a list",
        ),
        (with("limits = { core = [1] }"), 5, "limits.core", "it should be one limit, or a list"),
        // Order.
        (
            with("after = ['c']"),
            5,
            "after",
            "\"b\" comes after \"c\", which is no program of this monitor",
        ),
        (
            with("after = ['b']"),
            5,
            "after",
            "these programs come after each other in a circle: b after b",
        ),
        (
            with("after = 'a'"),
            5,
            "after",
            "it should be a list of names of programs, but it is \"a\"",
        ),
        // Policies.
        (
            with("restart = 'sometimes'"),
            5,
            "restart",
            "it should be \"always\", \"on-failure\" or \"never\", but it is \"sometimes\"",
        ),
        (
            with("backoff = ['2s', '1s']"),
            5,
            "backoff",
            "the policy of \"b\" is wrong: the first pause of its back-off is longer",
        ),
        (
            with("backoff = ['0s', '1s']"),
            5,
            "backoff",
            "the policy of \"b\" is wrong: the first pause of its back-off is zero",
        ),
        (with("backoff = '1s'"), 5, "backoff", "it should be a list of two times"),
        (
            with("give_up_after = { failures = 0, within = '1s' }"),
            5,
            "give_up_after",
            "the policy of \"b\" is wrong: it would be given up after 0",
        ),
        (with("give_up_after = { failures = 1 }"), 5, "give_up_after.within", "it is missing"),
        (
            with("give_up_after = { failures = 1.5, within = '1s' }"),
            5,
            "give_up_after.failures",
            "it should be a number of failures, but it is of the type float",
        ),
        (
            with("start_timeout = '1s'"),
            5,
            "start_timeout",
            "the policy of \"b\" is wrong: it has a start timeout, and nothing",
        ),
        (
            with("stop_signal = 'STOPP'"),
            5,
            "stop_signal",
            "it should be the name of a signal, such as \"TERM\", but it is \"STOPP\"",
        ),
        (with("stop_signal = '0'"), 5, "stop_signal", "it should be the name of a signal"),
        // Times.
        (with("stop_grace = 5"), 5, "stop_grace", &format!("{time} 5")),
        (with("stop_grace = '5'"), 5, "stop_grace", time),
        (with("stop_grace = '-5s'"), 5, "stop_grace", time),
        (with("stop_grace = '1e30h'"), 5, "stop_grace", time),
        (with("reset_after = '5 parsecs'"), 5, "reset_after", &format!("{time} \"5 parsecs\"")),
        // Readiness.
        (with("ready = 'soon'"), 5, "ready", "it should be \"notify\", or a table of one of"),
        (
            with("ready = { line = 'x', fd = 3 }"),
            5,
            "ready",
            "it should be \"notify\", or a table of one of",
        ),
        (
            with("ready = { port = 1 }"),
            5,
            "ready.port",
            "there is no such key, only line, tcp, unix, file, fd",
        ),
        (with("ready = { tcp = 65536 }"), 5, "ready.tcp", "it should be a port, or an address"),
        (
            with("ready = { tcp = 'localhost:80' }"),
            5,
            "ready.tcp",
            "it should be a port, or an address",
        ),
        (
            with("ready = { fd = 2 }"),
            5,
            "ready.fd",
            "it should be the number of a descriptor from 3",
        ),
    ];
    for (text, line, key, fault) in &cases {
        let (error, path) = error_of(text);
        let expected = format!("supervisor: {path}:{line}: program \"b\": key {key}: {fault}");
        assert!(error.starts_with(&expected), "{error}\ninstead of\n{expected}\n{text}");
    }
    let long = format!("[program.{}]\ncommand = 'true'", "x".repeat(101));
    let of_the_file = [
        (long.as_str(), ":1: program \"xxxx"),
        ("", ": it has no table [program.NAME]"),
        ("[program.a]\ncommand = 'x\n", ":2: "),
        ("[program.a]\ncommand = 'x'\n[program.a]\n", ":3: duplicate key"),
        (
            "[programs.a]\ncommand = 'x'",
            ":1: programs: a file has tables [program.NAME] and nothing",
        ),
        ("[program]\na = 'x'", ":2: program.a: a file has tables [program.NAME] and nothing else"),
    ];
    for (text, wanted) in of_the_file {
        let (error, path) = error_of(text);
        assert!(error.starts_with(&format!("supervisor: {path}{wanted}")), "{error}\n{text}");
    }
    let missing = run(example("supervisor").arg("there/is/no/such/file"));
    assert!(missing.stderr.starts_with("supervisor: cannot read there/is/no/such/file: No such"));
}

/// Returns the one line of errors of a wrong file, and the path of the file.
fn error_of(text: &str) -> (String, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = file(&dir, text);
    let ended = run(example("supervisor").arg(&file));
    let lines = ended.stderr.lines().count();
    assert_eq!((ended.status, lines, ended.stdout.as_str()), (1, 1, ""), "{}", ended.stderr);
    assert!(!dir.path().join("started").exists(), "{text}");
    (ended.stderr, file.display().to_string())
}

fn write(dir: &Path, text: &str) {
    std::fs::write(dir.join("programs.toml"), text).expect("the directory takes a file");
}

#[test]
fn a_hang_up_reads_the_file_again() {
    let one = |name: &str, more: &str| {
        format!("[program.{name}]\ncommand = 'echo up $A; exec sleep 60'\n{more}\n")
    };
    let (server, dir) =
        supervising(&[one("stays", ""), one("changes", ""), one("goes", "")].concat());
    let [stays, changes, goes] = ["stays", "changes", "goes"].map(|name| started(&server, name));
    let after = "after = ['changes']";
    let new = [
        one("stays", "stop_grace = '1s'"),
        one("changes", "env = { A = '1' }"),
        one("comes", after),
    ];
    write(dir.path(), &new.concat());
    server.signal(Signal::HUP);
    let seen = server.lines_until(&["changes | up 1", "comes | up", "goes * removed"]);
    let news = format!("supervisor * {} is read again", dir.path().join("programs.toml").display());
    assert_eq!(seen.iter().filter(|line| **line == news).count(), 1, "{seen:?}");
    assert!(!seen.iter().any(|line| line.starts_with("stays * ")), "{seen:?}");
    let at = |text: &str| seen.iter().position(|line| line.starts_with(text)).expect(text);
    assert!(at("changes * started") < at("comes * started"), "{seen:?}");
    assert!(runs(stays) && !runs(changes) && !runs(goes));
    server.stop();
}

#[test]
fn a_wrong_file_at_a_hang_up_changes_nothing() {
    let (server, dir) = supervising("[program.a]\ncommand = 'echo up; exec sleep 60'");
    let pid = started(&server, "a");
    until_line(&server, "a | up");
    let path = dir.path().join("programs.toml").display().to_string();
    for (text, why) in [
        ("[program.b]\ncommand = 'x'\nafter = ['a']", ":3: program \"b\": key after: \"b\" comes"),
        ("[program.a]\ncommand = 1", ":2: program \"a\": key command: it should be"),
        ("", ": it has no table"),
    ] {
        write(dir.path(), text);
        server.signal(Signal::HUP);
        let line = server.line();
        let wanted = format!("supervisor * nothing has changed: {path}{why}");
        assert!(line.starts_with(&wanted), "{line}");
    }
    std::fs::remove_file(&path).unwrap();
    server.signal(Signal::HUP);
    let line = server.line();
    assert!(line.starts_with("supervisor * nothing has changed: cannot read "), "{line}");
    assert!(runs(pid));
    // A right file is taken after that.
    write(dir.path(), "[program.a]\ncommand = 'echo new; exec sleep 60'");
    server.signal(Signal::HUP);
    until_line(&server, "a | new");
    assert!(!runs(pid));
    server.stop();
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let (server, _dir) =
        supervising("[program.a]\ncommand = 'while :; do echo line; sleep 0.01; done'");
    let pid = started(&server, "a");
    let (error, status) = server.without_reader();
    assert!(error.starts_with("supervisor: cannot print: Broken pipe"), "{error}");
    assert_eq!(status.code(), Some(1));
    assert!(!runs(pid));
}

#[test]
fn a_terminal_has_a_live_table_below_the_lines() {
    let dir = tempfile::tempdir().unwrap();
    let text = CHAIN.replace("echo b is up;", "echo b is up; printf 'red \\\\033[31m\\\\n';");
    let command = example("supervisor").arg(file(&dir, &text));
    let mut terminal = OnTerminal::start(command, 24, 60);
    let rows = |lines: &[String]| -> Option<[String; 2]> {
        let [.., head, b, a] = lines else { return None };
        let is_head = head == "program  state         pid    since  restarts  note";
        is_head.then(|| [b.clone(), a.clone()])
    };
    let state = |row: &str| row.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let is = move |lines: &[String], states: [&str; 2]| {
        rows(lines).is_some_and(|rows| rows.each_ref().map(|row| state(row)) == states)
    };
    terminal.until("a starts", |lines| is(lines, ["waiting", "starting"]));
    let lines = terminal.until("both run", |lines| is(lines, ["running", "running"]));
    assert!(lines.iter().any(|line| line == "a | a is up"), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("program ")).count(), 1, "{lines:?}");
    let shown = |lines: &[String]| lines.iter().any(|line| line == "b | red \\u{1b}[31m");
    terminal.until("a control character is shown", shown);
    let since = |lines: &[String]| lines.last().map(|row| row.contains(" 1.")).unwrap_or_default();
    terminal.until("its times go on by themselves", since);

    terminal.keys("\x03");
    let (lines, reason) = terminal.end();
    assert_eq!(reason.unwrap_err().signal(), Some(procession::Signal::INT));
    let [.., head, b, a, last] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(head.starts_with("program "), "{lines:?}");
    assert!(b.starts_with("b        stopped") && a.starts_with("a        stopped"), "{lines:?}");
    assert!(a.chars().count() == 60 && a.contains("exited with"), "cut, not wrapped: {a:?}");
    assert_eq!(last, "supervisor * stopped by SIGINT");
    let at = |text: &str| lines.iter().position(|line| line == text).expect(text);
    assert!(at("b | b ends") < at("a | a ends"), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("program ")).count(), 1, "{lines:?}");
}

#[test]
fn a_table_that_is_higher_than_the_terminal_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let program =
        |number: usize| format!("[program.p{number}]\ncommand = 'echo line; exec sleep 60'\n");
    let text: String = (0..9).map(program).collect();
    let command = example("supervisor").arg(file(&dir, &text));
    let mut terminal = OnTerminal::start(command, 5, 80);
    let all_run = |lines: &[String]| {
        let rows = &lines[lines.len().saturating_sub(3)..];
        let lines = lines.iter().filter(|line| line.ends_with(" | line"));
        lines.count() == 9 && rows.iter().all(|row| row.contains("  running  "))
    };
    let lines = terminal.until("all run", all_run);
    assert_eq!(lines.iter().filter(|line| line.starts_with("program ")).count(), 1, "{lines:?}");
    terminal.keys("\x03");
    let (_, reason) = terminal.end();
    assert_eq!(reason.unwrap_err().signal(), Some(procession::Signal::INT));
}

#[test]
fn a_terminal_that_hangs_up_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let command = example("supervisor").arg(file(&dir, "[program.a]\ncommand = ['sleep', '60']"));
    let mut terminal = OnTerminal::start(command, 24, 80);
    let started = |lines: &[String]| -> Option<u32> {
        let line = lines.iter().find_map(|line| line.strip_prefix("a * started as "))?;
        line.parse().ok()
    };
    let lines = terminal.until("it runs", |lines| started(lines).is_some());
    terminal.process().lose_connection();
    let (_, reason) = terminal.end();
    assert_eq!(reason.unwrap_err().exit_code(), Some(1));
    until("its program is gone", || !runs(started(&lines).unwrap()));
}

#[test]
fn the_file_of_the_example_does_what_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("supervisor.toml");
    let server = Server::start("supervisor", &[path.to_str().unwrap()]);
    let lines = server.lines_until(&["web | serving", "flaky * failed too often"]);
    let at = |text: &str| lines.iter().position(|line| line.starts_with(text)).expect(text);
    assert!(at("db * ready after 0.") < at("web * started as"), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| *line == "flaky | trying").count(), 3, "{lines:?}");
    let rest = server.stop();
    assert!(
        rest.iter().any(|line| line.starts_with("db * ended by signal 2 (SIGINT) after")),
        "{rest:?}"
    );
}

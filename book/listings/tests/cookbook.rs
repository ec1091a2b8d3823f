//! Runs every listing of the cookbook as a program, and compares what it prints with what the book says.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use procession::{Command, Outcome, Run, Signal};
use procession_test_support::{announce, bound, process_state};

const PROGRAM: &str = env!("CARGO_BIN_EXE_listings");

/// How long a listing may take before its test fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// Makes a test of each listing from its name and the check that runs it.
macro_rules! listings {
    ($($name:ident => $check:expr;)*) => {
        $(
            #[test]
            fn $name() {
                announce();
                $check(run(stringify!($name)));
            }
        )*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

listings! {
    run_command => prints_lines(&["this system is *"]);
    exit_status => prints("true: success\nexit 3: status 3\nkill -9 $$: died by SIGKILL\n");
    timeout => prints("gave up; its output so far: compiling\n");
    shell_script => prints("HELLO O'BRIEN\nHELLO $(REBOOT)\n");
    environment => environment_is_changed;
    directory => prints(
        "it ran in /\n\
         cannot change to the directory \"/no/such/directory\": No such file or directory\n",
    );
    spawn_error => prints_lines(&[
        "install no-such-program first",
        "at Exec: cannot execute \"/etc/passwd\": *: Permission denied",
        "at Chdir: cannot change to the directory \"/no/such/directory\": No such file or directory",
        "at Resolve: cannot look up the user or group *nobody-has-this-name*",
    ]);
    retry => the_second_attempt_succeeds;
    memory => prints_lines(&["dd exited with status 1", "dd: memory exhausted*"]);
    user => the_user_is_changed_by_root_only;
    lines => prints("standard output: step 1\nstandard output: step 2\nstandard output: step 3\n");
    separately => prints("stdout: the result\nstderr: a warning\n");
    together => prints("first\nsecond\nthird\n");
    tail => prints("(584799 bytes skipped)\n99998\n99999\n100000\n");
    to_file => both_outputs_are_in_the_file;
    pipeline => prints("      1 apple\n      2 pear\n");
    stdin => prints("apple\npear\n1000000 bytes\n");
    dialogue => prints("6 * 7 = 42\n2 + 2 = 4\n");
    password => the_password_is_typed_and_not_shown;
    language_server => prints(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}\n",
    );
    pass_fd => prints("4: swordfish has 9 letters\n1: [package]\n");
    pty => prints("on a terminal\n24 80\n");
    socket_activation => prints("hello from http\n");
    signal => prints("reloaded\n");
    kill_tree => prints_lines(&["the shell ended by signal 15 (SIGTERM) after * s; nothing is left: true"]);
    ctrl_c => an_interrupt_ends_every_child;
    own_status => it_ends_with_its_own_status;
    daemon => the_daemon_lives_on;
    many => many_run;
    progress => the_progress_is_shown;
    restart => it_is_restarted_and_given_up;
    wait_for_port => the_server_is_reached;
    fakes => prints_lines(&[
        "abc123",
        "git rev-parse HEAD exited with status 128 after 0.00 s: fatal: no repository",
        "cannot execute \"git\": *",
        "git rev-parse HEAD timed out after 60*",
    ]);
    blocking => prints("apple\npear\n");
    from_thread => prints("ONE\nTWO\n");
    from_tokio => prints("got swordfish\nnothing is left: true\n");
}

#[test]
fn every_listing_has_a_test() {
    let names = Run::new(PROGRAM).check().output_blocking().unwrap();
    let names: Vec<_> = names.stdout_utf8().unwrap().lines().collect();
    assert_eq!(names, TESTED);
}

#[test]
fn every_file_is_a_listing_and_has_a_region() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cookbook");
    let mut found = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for mark in ["// ANCHOR: listing\n", "// ANCHOR_END: listing\n"] {
            assert_eq!(text.matches(mark).count(), 1, "{}", path.display());
        }
        assert!(TESTED.iter().any(|name| path.file_stem().is_some_and(|stem| stem == *name)));
        found += 1;
    }
    assert_eq!(found, TESTED.len());
}

/// A run of a listing, in a locale in which every program speaks English.
fn run(name: &str) -> Run {
    Run::new(PROGRAM).arg(name).env("LC_ALL", "C").timeout(bound(DEADLINE))
}

/// Runs a listing, which must succeed and print nothing on its standard error.
#[track_caller]
fn output_of(listing: Run) -> String {
    let outcome: Outcome = listing.output_blocking().expect("it ends in time");
    assert!(outcome.is_success() && outcome.stderr.is_empty(), "{outcome:?}");
    outcome.stdout_utf8().expect("it prints text").to_owned()
}

/// Checks the whole output.
fn prints(expected: &'static str) -> impl Fn(Run) {
    move |listing| assert_eq!(output_of(listing), expected)
}

/// Checks each line of the output. A `*` stands for any text.
fn prints_lines(expected: &'static [&'static str]) -> impl Fn(Run) {
    move |listing| {
        let output = output_of(listing);
        let lines: Vec<_> = output.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{output}");
        for (line, pattern) in lines.iter().zip(expected) {
            assert!(is_like(line, pattern), "{line:?} is not like {pattern:?}");
        }
    }
}

/// Returns whether a line matches a pattern in which `*` stands for any text.
fn is_like(line: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => line == pattern,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices().any(|(at, _)| is_like(&tail[at..], rest)) || is_like("", rest)
        }),
    }
}

fn environment_is_changed(listing: Run) {
    let output = output_of(listing.env("HOME", "/home/someone"));
    assert_eq!(output, "two changes:  hello none\nnothing else: LANG=C\n");
}

fn the_second_attempt_succeeds(listing: Run) {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(output_of(listing.current_dir(folder.path())), "downloaded\n");
    assert!(folder.path().join("ready").exists(), "the first attempt has failed");
}

fn the_user_is_changed_by_root_only(listing: Run) {
    let output = output_of(listing);
    // The tests may run as that user.
    let is_refused =
        output.ends_with("Operation not permitted\n") && !rustix::process::geteuid().is_root();
    assert!(output == "it ran as nobody\n" || is_refused, "{output}");
}

fn both_outputs_are_in_the_file(listing: Run) {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(output_of(listing.env("TMPDIR", folder.path())), "compiling\na warning\n");
    let log = fs::read_to_string(folder.path().join("build.log")).expect("a log");
    assert_eq!(log, "compiling\na warning\n");
}

fn the_password_is_typed_and_not_shown(listing: Run) {
    let output = output_of(listing);
    let mut lines = output.lines();
    assert_eq!(lines.next(), Some("welcome"));
    let transcript = lines.next().expect("a second line");
    assert!(transcript.starts_with("all of it: \"Password: "), "{transcript}");
    assert!(!output.contains("swordfish"), "{output}");
}

fn an_interrupt_ends_every_child(_: Run) {
    let mut listing = Command::new(PROGRAM).arg("ctrl_c").spawn().expect("it starts");
    let mut lines = BufReader::new(File::from(listing.take(1).expect("a pipe"))).lines();
    let mut pids = Vec::new();
    for line in lines.by_ref().take(2) {
        let line = line.expect("it prints lines");
        pids.extend(line.split(' ').map(|pid| pid.parse::<u32>().expect("a process id")));
    }
    assert!(pids.len() == 4 && pids.iter().all(|pid| runs(*pid)), "{pids:?}");
    listing.signal(Signal::INT).expect("it runs");
    let terminated = listing.wait().expect("it is ours").expect_err("a signal ends it");
    assert_eq!(terminated.signal(), Some(Signal::INT));
    assert!(!pids.iter().any(|pid| runs(*pid)), "{pids:?}");
}

fn it_ends_with_its_own_status(listing: Run) {
    let outcome = listing.output_blocking().expect("it ends in time");
    assert_eq!(outcome.exit_code(), Some(2), "{outcome:?}");
    let error = String::from_utf8_lossy(&outcome.stderr);
    assert!(is_like(&error, "build: sh -c 'exit 3' exited with status 3 after *\n"), "{error}");
}

/// Returns whether a process runs; a zombie does not.
fn runs(pid: u32) -> bool {
    !matches!(process_state(pid), 'Z' | 'X')
}

fn the_daemon_lives_on(listing: Run) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = output_of(listing.env("TMPDIR", folder.path()));
    assert!(is_like(&output, "started *\n"), "{output}");
    let log = folder.path().join("daemon.log");
    until("the daemon writes its line", || {
        fs::read_to_string(&log).is_ok_and(|text| text == "the parent is gone\n")
    });
}

/// Polls until the condition holds.
fn until(what: &str, is_so: impl Fn() -> bool) {
    // Nobody sends: the receive is a pause.
    let (_sender, pause) = mpsc::channel::<()>();
    let step = Duration::from_millis(5);
    let mut left = bound(DEADLINE);
    while !is_so() {
        left = left.checked_sub(step).unwrap_or_else(|| panic!("not before the deadline: {what}"));
        pause.recv_timeout(step).ok();
    }
}

fn many_run(listing: Run) {
    let output = output_of(listing);
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines.len(), 3, "{output}");
    assert!(is_like(lines[0], "file 0: * 7"), "{output}");
    assert!(is_like(lines[1], "file 1: * 7"), "{output}");
    assert_eq!(lines[2], "8 in all");
}

fn the_progress_is_shown(listing: Run) {
    let output = output_of(listing);
    assert!(output.starts_with("0 of 4 ended, 1 running\n"), "{output}");
    assert!(output.contains("\njob 1: sh -c 'exit 3' exited with status 3 after "), "{output}");
    assert!(output.contains("\n4 of 4 ended, 0 running\n"), "{output}");
}

fn it_is_restarted_and_given_up(listing: Run) {
    let output = output_of(listing);
    let count = |line| output.lines().filter(|found| is_like(found, line)).count();
    assert_eq!(count("server: started as *"), 3, "{output}");
    assert_eq!(count("server: no database"), 3, "{output}");
    assert_eq!(count("server: exited with status 1 after *"), 3, "{output}");
    assert!(output.ends_with("server: failed too often\n"), "{output}");
}

fn the_server_is_reached(listing: Run) {
    // The kernel gives no program such a port that asks for any port.
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let first = 20_000 + u16::try_from(std::process::id() % 5_000).unwrap_or(0);
    let port = (first..first + 5_000).find(is_free).expect("a free port");
    assert_eq!(output_of(listing.env("PORT", port.to_string())), "hello from the server\n");
}

//! Errors of starting children: every step, and the cause of a failed exec.

use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use procession::{
    Command, Fd, FileMode, Pipeline, Pty, Reactor, Signal, SpawnError, SpawnProcess, Step,
};
use procession::{Resource, Rlimit};
use tempfile::TempDir;

use crate::{Row, row};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = steps();
    rows.extend(invalid());
    rows.extend(programs());
    rows.extend(constructed());
    rows.extend(groups());
    rows
}

/// Returns the row of a spawn that fails at this step.
#[track_caller]
fn fails(step: Step, of: &'static str, command: &Command, expected: impl Into<String>) -> Row {
    let error = command.spawn().map(drop).expect_err("it cannot be started");
    assert_eq!(error.step(), step, "{error}");
    row(of, &error, expected)
}

fn x() -> Command {
    Command::new("/bin/true")
}

fn steps() -> Vec<Row> {
    let null: Arc<OwnedFd> = Arc::new(File::open("/dev/null").expect("it is there").into());
    let pair = || Pty::new().pair(null.clone(), null.clone());
    let upside_down = Rlimit { soft: Some(2), hard: Some(1) };
    let nobody = "there is no such user";
    let gone = {
        let reactor = Reactor::new().expect("a reactor");
        let handle = reactor.handle();
        drop(reactor);
        handle.spawn_child(x()).map(drop).expect_err("nobody could tell of it")
    };
    vec![
        fails(
            Step::Resolve,
            "Step::Resolve",
            &x().user("nobody-at-all"),
            format!(r#"cannot look up the user or group "nobody-at-all": {nobody}"#),
        ),
        fails(
            Step::Resolve,
            "Step::Resolve",
            &x().uid(54_321),
            "cannot look up the user or group \"uid 54321\": the user database does not know it, and \
             no gid is given",
        ),
        fails(
            Step::Pipe,
            "Step::Pipe",
            &x().child_fd(5, Fd::file("/no/such/file", FileMode::Read)),
            r#"cannot open "/no/such/file" for child fd 5: No such file or directory"#,
        ),
        fails(
            Step::Pty,
            "Step::Pty",
            &x().pty(pair().size(1, 1)),
            r#"cannot open the pseudo-terminal for "/bin/true": Inappropriate ioctl for device"#,
        ),
        fails(
            Step::ControllingTerminal,
            "Step::ControllingTerminal",
            &x().pty(pair()),
            "cannot acquire the controlling terminal for \"/bin/true\": \
             Inappropriate ioctl for device",
        ),
        fails(
            Step::ProcessGroup,
            "Step::ProcessGroup",
            &x().process_group(i32::MAX - 1),
            r#"cannot set the process group of "/bin/true": Operation not permitted"#,
        ),
        fails(
            Step::Limits,
            "Step::Limits",
            &x().rlimit(Resource::Cpu, upside_down),
            r#"cannot set a resource limit of "/bin/true" (Cpu): Invalid argument"#,
        ),
        fails(
            Step::Priority,
            "Step::Priority",
            &x().cpu_affinity([]),
            r#"cannot set the processors of "/bin/true": Invalid argument"#,
        ),
        fails(
            Step::Priority,
            "Step::Priority",
            &x().oom_score_adj(1001),
            r#"cannot set the OOM score of "/bin/true": Invalid argument"#,
        ),
        fails(
            Step::Priority,
            "Step::Priority",
            &x().nice(1).cpu_affinity([]),
            r#"cannot set the priority or the processors of "/bin/true": Invalid argument"#,
        ),
        fails(
            Step::Priority,
            "Step::Priority",
            &x().nice(1).cpu_affinity([]).oom_score_adj(1000),
            "cannot set the priority, the processors or the OOM score of \"/bin/true\": \
             Invalid argument",
        ),
        fails(
            Step::Chdir,
            "Step::Chdir",
            &Command::new("/no/such/prog").current_dir("/no/such/dir"),
            r#"cannot change to the directory "/no/such/dir": No such file or directory"#,
        ),
        fails(
            Step::ParentDeathSignal,
            "Step::ParentDeathSignal",
            &x().parent_death_signal(Signal::from_raw(200)),
            r#"cannot set the parent death signal of "/bin/true": Invalid argument"#,
        ),
        row("Step::Register", &gone, r#"the reactor cannot take "/bin/true": the reactor is gone"#),
    ]
}

/// Empty unless the test runs as root: for other users the kernel refuses any list of groups.
fn groups() -> Vec<Row> {
    if !rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    let rows = [
        (x().groups([4, u32::MAX]), "4294967295 is no group's"),
        (x().groups(0..70_000), "70000 groups, and the most are 65536"),
    ];
    rows.map(|(command, why)| {
        let text = format!(r#"cannot set the supplementary groups of "/bin/true": {why}"#);
        fails(Step::Groups, "Step::Groups", &command, text)
    })
    .into()
}

fn invalid() -> Vec<Row> {
    let reactor = Reactor::new().expect("a reactor");
    let empty = reactor.spawn_pipeline(Pipeline::new()).map(drop).expect_err("no stages");
    let stage = Pipeline::new().stage(x().pty(Pty::new())).stage("cat");
    let stage = reactor.spawn_pipeline(stage).map(drop).expect_err("a terminal");
    let rows = [
        (Command::new(""), r#""program": it is empty"#),
        (Command::new("a\0b"), r#""program": it has a NUL byte"#),
        (x().arg("a\0b"), r#""argument 1": it has a NUL byte"#),
        (x().current_dir("a\0b"), r#""current_dir": it has a NUL byte"#),
        (x().env("", "b"), r#""env": the name of a variable is empty"#),
        (x().env("A=B", ""), r#""A=B": the name of a variable has no '='"#),
        (x().env("A", "b\0"), r#""variable A": it has a NUL byte"#),
        (
            x().new_session().process_group(0),
            r#""process_group": the leader of a new_session leads its group"#,
        ),
        (
            x().pty(Pty::new()).process_group(0),
            r#""process_group": the leader of a pty's session leads its group"#,
        ),
        (x().process_group(-2), r#""process_group": -2 is negative"#),
        (x().user("root").uid(0), r#""user": it sets what uid or gid set"#),
        (x().uid(u32::MAX), r#""uid": 4294967295 is nobody's"#),
        (x().gid(u32::MAX), r#""gid": 4294967295 is no group's"#),
        (x().child_fd(-1, Fd::null()), r#""child fd -1": it is negative"#),
        (
            x().child_fd(5, Fd::same_as(9)),
            r#""child fd 5": what it is to be the same as is not in the map"#,
        ),
        (x().child_fd(1, Fd::same_as(1)), r#""child fd 1": it is to be the same as itself"#),
        (
            x().child_fd(1, Fd::same_as(2)).child_fd(2, Fd::same_as(1)),
            r#""child fd 1": the numbers that it is to be the same as lead in a circle"#,
        ),
        (
            x().child_fd(4, Fd::same_as(6)).child_fd(6, Fd::same_as(9)),
            r#""child fd 4": what it is to be the same as is not in the map"#,
        ),
        (
            x().pty(Pty::new()).stdout(Fd::null()),
            r#""child fd 1": the child of a pty has its terminal there"#,
        ),
    ];
    let rows = rows.into_iter().map(|(command, says)| {
        fails(Step::Validate, "Step::Validate", &command, format!("invalid command: {says}"))
    });
    let why = "the stages of a pipeline are joined by pipes, and this one has a terminal";
    let mut rows: Vec<Row> = rows.collect();
    rows.push(row("Step::Validate", &empty, r#"invalid command: "pipeline": it has no stages"#));
    rows.push(row(
        "Step::Validate",
        &stage,
        format!(
            "invalid command: \"pty\": {why}: spawn the program that needs a terminal by itself, and \
             forward its output (Process::forward)"
        ),
    ));
    rows
}

/// A folder with programs that cannot be executed.
struct Programs(TempDir);

impl Programs {
    fn file(&self, name: &str, contents: &[u8], mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, contents).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its mode");
        path
    }
}

const MISSING: &str = "No such file or directory";
const DENIED: &str = "Permission denied";
const FORMAT: &str = "Exec format error";
const LOOP: &str = "Too many levels of symbolic links";

/// Causes of a failed exec that the error number alone does not show.
fn programs() -> Vec<Row> {
    let programs = Programs(tempfile::tempdir().expect("a folder"));
    let folder = programs.0.path().to_owned();
    let link = folder.join("link");
    symlink("/no/such/target", &link).expect("a link");
    let lost = b"#!/no/such/sh -e\n".as_slice();
    let script = programs.file("script", lost, 0o755);
    let elf = [b"\x7fELF".as_slice(), &[0; 60]].concat();
    let rows = [
        (PathBuf::from("/no/such/prog"), String::new(), MISSING),
        (PathBuf::from("no-such-program"), String::new(), MISSING),
        (script.clone(), r#": its interpreter "/no/such/sh""#.to_owned(), MISSING),
        (
            programs.file("crlf", b"#!/bin/sh\r\ntrue\r\n", 0o755),
            r#": its interpreter "/bin/sh\r" (the line ends in CRLF, not in LF)"#.to_owned(),
            MISSING,
        ),
        (
            programs.file("unloadable", &elf_with_a_loader(), 0o755),
            ": the loader that it names".to_owned(),
            MISSING,
        ),
        (link, r#": it is a symbolic link to "/no/such/target""#.to_owned(), MISSING),
        (
            programs.file("plain", b"exit 3", 0o755),
            ": it is no program and has no #! line".to_owned(),
            FORMAT,
        ),
        (programs.file("empty", b"", 0o755), ": it is empty".to_owned(), FORMAT),
        (
            programs.file("elf", &elf, 0o755),
            ": it is a program for another system, or damaged".to_owned(),
            FORMAT,
        ),
        (
            programs.file("denied", b"#!/bin/sh\n", 0o644),
            ": its mode 0644 lets nobody execute it".to_owned(),
            DENIED,
        ),
        (folder.clone(), ": it is a directory".to_owned(), DENIED),
        (PathBuf::from("/dev/null"), ": it is no regular file".to_owned(), DENIED),
        (
            programs.file("odd", b"#!/etc/passwd\n", 0o755),
            r#": its interpreter "/etc/passwd": its mode 0644 lets nobody execute it"#.to_owned(),
            DENIED,
        ),
        (PathBuf::from("/etc/passwd/x"), String::new(), "Not a directory"),
    ];
    let exec = |command: &Command, name: &Path, more: &str, reason: &str| {
        let text = format!("cannot execute {name:?}{more}: {reason}");
        fails(Step::Exec, "Step::Exec", command, text)
    };
    let mut all: Vec<Row> = rows
        .iter()
        .map(|(path, more, reason)| exec(&Command::new(path), path, more, reason))
        .collect();
    for (path, more, reason) in interpreted(&programs) {
        all.push(exec(&Command::new(&path), &path, &more, reason));
    }
    // By a name that is looked up in PATH, and by a path relative to the child's directory.
    let bare = Command::new("script").env("PATH", &folder);
    let relative = Command::new("./script").current_dir(&folder);
    for (command, name) in [(bare, "script"), (relative, "./script")] {
        all.push(exec(&command, Path::new(name), r#": its interpreter "/no/such/sh""#, MISSING));
    }
    // The path of an interpreter is relative to the child's directory too.
    programs.file("beside", b"#!script\n", 0o755);
    let beside = Command::new("./beside").current_dir(&folder);
    let to_script = r#": its interpreter "script", whose interpreter "/no/such/sh""#;
    all.push(exec(&beside, Path::new("./beside"), to_script, MISSING));
    all
}

/// Scripts whose interpreters are scripts: the kernel follows at most five.
fn interpreted(programs: &Programs) -> Vec<(PathBuf, String, &'static str)> {
    let script = |name: &str, interpreter: &Path| {
        programs.file(name, format!("#!{}\n", interpreter.display()).as_bytes(), 0o755)
    };
    let lost = script("lost", Path::new("/no/such/sh"));
    let middle = script("middle", &lost);
    let denied = programs.file("closed", b"#!/bin/sh\n", 0o644);
    let closed = script("by-closed", &denied);
    let empty = programs.file("nothing", b"", 0o755);
    let link = programs.0.path().join("dangling");
    symlink("/no/such/target", &link).expect("a link");
    let turns = symlink_to_itself(programs);
    let own = script("own", &programs.0.path().join("own"));
    let there = script("there", &programs.0.path().join("back"));
    script("back", &there);
    let mut deep = script("deep-0", Path::new("/bin/true"));
    for number in 1..6 {
        deep = script(&format!("deep-{number}"), &deep);
    }
    let to_lost = format!(": its interpreter {lost:?}, whose interpreter \"/no/such/sh\"");
    let to_middle =
        format!(": its interpreter {middle:?}, whose interpreter {lost:?}, whose interpreter ");
    vec![
        (middle.clone(), to_lost, MISSING),
        (script("outer", &middle), to_middle + "\"/no/such/sh\"", MISSING),
        (
            script("by-link", &link),
            format!(": its interpreter {link:?}: it is a symbolic link to \"/no/such/target\""),
            MISSING,
        ),
        (
            script("by-script", &closed),
            format!(
                ": its interpreter {closed:?}, whose interpreter {denied:?}: its mode 0644 lets \
                 nobody execute it"
            ),
            DENIED,
        ),
        (script("by-nothing", &empty), format!(": its interpreter {empty:?}: it is empty"), FORMAT),
        (own, ": it is its own interpreter".to_owned(), LOOP),
        (there, ": its interpreters lead to one another".to_owned(), LOOP),
        (deep, ": its interpreters are scripts too, and more than five".to_owned(), LOOP),
        (script("by-turns", &turns), format!(": its interpreter {turns:?}"), LOOP),
        (turns, String::new(), LOOP),
    ]
}

fn symlink_to_itself(programs: &Programs) -> PathBuf {
    let path = programs.0.path().join("turns");
    symlink(&path, &path).expect("a link");
    path
}

/// Returns a copy of `/bin/true` that names a loader that does not exist.
fn elf_with_a_loader() -> Vec<u8> {
    let mut program = fs::read("/bin/true").expect("a program");
    let loader = b"/ld-";
    let at = program.windows(loader.len()).position(|bytes| bytes == loader);
    program[at.expect("a dynamic program") + 1] = b'X';
    program
}

/// Errors that this test constructs, because provoking them needs privilege or is impossible.
/// `spawn_error_table` of the transport's tests provokes most of them.
fn constructed() -> Vec<Row> {
    let error = |step| SpawnError::new(step, "x", ErrorKind::PermissionDenied);
    let rows = [
        (Step::Clone, "Step::Clone", "cannot clone a process for"),
        (Step::FdMap, "Step::FdMap", "cannot hand on the descriptors to"),
        (Step::Session, "Step::Session", "cannot start a session for"),
        (Step::Umask, "Step::Umask", "cannot set the umask of"),
        (Step::Groups, "Step::Groups", "cannot set the supplementary groups of"),
        (Step::Gid, "Step::Gid", "cannot set the group id of"),
        (Step::Uid, "Step::Uid", "cannot set the user id of"),
        (Step::Capabilities, "Step::Capabilities", "cannot clear the ambient capabilities of"),
        (Step::Signals, "Step::Signals", "cannot prepare the signals of"),
    ];
    let mut rows: Vec<Row> = rows
        .map(|(step, of, verb)| row(of, &error(step), format!(r#"{verb} "x": permission denied"#)))
        .into();
    let made = error(Step::Exec);
    rows.push(row("SpawnError", &made, r#"cannot execute "x": permission denied"#));
    rows
}

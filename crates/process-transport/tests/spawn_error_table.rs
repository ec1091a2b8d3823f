//! Every step of a spawn fails once, on every path. The error names the step and has the system's
//! error number. No callback is called, no descriptor and no child is left, the caller's
//! descriptors are unchanged, and the next spawn works.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/paths.rs"]
mod paths;
#[path = "spawn_paths/table.rs"]
mod table;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, FileMode, Pty, Resource, Rlimit, Step};
use procession_protocol::SpawnPath;
use rustix::process::{Gid, Uid, setrlimit};
use rustix::thread::{
    CapabilitySet, capabilities, set_capabilities, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};
use tempfile::TempDir;

use crate::paths::{by, paths};
use crate::table::fd_table;
use crate::util::{Driver, Way, children, command, in_every_way, isolated, root_or_skip, sys};

/// One way to fail: the request, and the step and error number that result.
struct Row {
    what: &'static str,
    program: String,
    ask: Box<dyn Fn(Command) -> Command>,
    step: Step,
    errno: i32,
}

fn row(
    what: &'static str,
    step: Step,
    errno: i32,
    ask: impl Fn(Command) -> Command + 'static,
) -> Row {
    Row { what, program: "/bin/true".to_owned(), ask: Box::new(ask), step, errno }
}

/// A row with another program.
fn program(what: &'static str, errno: i32, program: impl AsRef<Path>) -> Row {
    let program = program.as_ref().to_str().expect("its name is text").to_owned();
    Row { program, ..row(what, Step::Exec, errno, |command| command) }
}

/// Provokes the error of every row on every path, and checks for leftovers each time.
fn assert_fails(driver: &mut dyn Way, rows: &[Row]) {
    let own = Arc::new(tempfile::tempfile().expect("a file"));
    io::Write::write_all(&mut &*own, b"the caller's").expect("there is room");
    driver.rebase();
    let before = fd_table();
    for path in paths() {
        for row in rows {
            let what = format!("{}, by {path:?}", row.what);
            let command = (row.ask)(by(path, &row.program));
            let error = driver.fails(command.child_fd(40, Fd::inherit(own.clone())));
            let found = (error.step(), error.raw_os_error());
            assert_eq!(found, (row.step, Some(row.errno)), "{what}: {error}: {error:?}");
            assert_eq!(error.kind(), io::Error::from_raw_os_error(row.errno).kind(), "{what}");
            assert!(!error.to_string().is_empty() && !error.subject().is_empty(), "{what}");
            if row.step == Step::Exec {
                assert_eq!(error.subject(), row.program.as_str(), "{what}: the name as given");
            }
            assert_eq!(fd_table(), before, "{what}");
            assert_eq!(children(), [], "{what}");
            assert_eq!(driver.run(by(path, "/bin/true")).code(), 0, "after {what}");
            assert_eq!(fd_table(), before, "after {what}");
        }
    }
    drop(own);
    driver.rebase();
}

/// Creates a file with these contents and this mode.
fn file(dir: &TempDir, name: &str, contents: &[u8], mode: u32) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, contents).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
    path
}

/// No limit at all.
const UNLIMITED: Rlimit = Rlimit { soft: None, hard: None };

/// Cases SE-01, SE-02, SE-03, SE-04, SE-05, SE-06, SE-07 and SE-10.
#[test]
fn a_program_or_directory_that_cannot_be_used_fails_at_its_step() {
    in_every_way("a_program_or_directory_that_cannot_be_used_fails_at_its_step", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let binary = fs::read("/bin/true").unwrap();
        let busy = file(&dir, "busy", &binary, 0o755);
        let writer = OpenOptions::new().append(true).open(&busy).unwrap();
        let plain = file(&dir, "plain", b"exit 3", 0o755);
        let empty = file(&dir, "empty", b"", 0o755);
        let elf = file(&dir, "elf", &[b"\x7fELF".as_slice(), &[0; 200]].concat(), 0o755);
        let denied = file(&dir, "denied", &binary, 0o644);
        let denied_script = file(&dir, "denied script", b"#!/bin/sh\n", 0o644);
        let script = file(&dir, "script", b"#!/no/such/interpreter\n", 0o755);
        let link = dir.path().join("link");
        symlink(&link, &link).unwrap();
        let rows = [
            program("a missing program", libc::ENOENT, "/no/such/program"),
            program("a bare name that no directory has", libc::ENOENT, "no-such-program"),
            program("a directory", libc::EACCES, dir.path()),
            program("a file without the permission", libc::EACCES, denied),
            program("a script without the permission", libc::EACCES, denied_script),
            program("a file of no known format", libc::ENOEXEC, plain),
            program("an empty file", libc::ENOEXEC, empty),
            program("a file that begins as a program", libc::ENOEXEC, elf),
            program("a link to itself", libc::ELOOP, link),
            program("a long name", libc::ENAMETOOLONG, format!("/{}", "a".repeat(300))),
            program("a missing interpreter", libc::ENOENT, script),
            program("a path through a file", libc::ENOTDIR, "/etc/passwd/x"),
            program("a program that is open for writing", libc::ETXTBSY, busy),
            row("a long argument", Step::Exec, libc::E2BIG, |command| {
                command.arg("x".repeat(200_000))
            }),
            row("a missing working directory", Step::Chdir, libc::ENOENT, |command| {
                command.current_dir("/no/such/directory")
            }),
            row("a file as working directory", Step::Chdir, libc::ENOTDIR, |command| {
                command.current_dir("/etc/passwd")
            }),
        ];
        driver.rebase();
        assert_fails(driver, &rows);
        drop(writer);
        driver.rebase();
    });
}

#[test]
fn a_call_that_the_kernel_refuses_the_child_fails_at_its_step() {
    in_every_way("a_call_that_the_kernel_refuses_the_child_fails_at_its_step", |driver| {
        let upside_down = Rlimit { soft: Some(2), hard: Some(1) };
        let mut rows = vec![
            row("a group of another session", Step::ProcessGroup, libc::EPERM, |command| {
                command.process_group(i32::MAX - 1)
            }),
            row("a soft limit above the hard one", Step::Limits, libc::EINVAL, move |command| {
                command.rlimit(Resource::Cpu, upside_down)
            }),
            row("no processor", Step::Priority, libc::EINVAL, |command| command.cpu_affinity([])),
            row("a badness there is not", Step::Priority, libc::EINVAL, |command| {
                command.oom_score_adj(2000)
            }),
            row("a signal there is not", Step::ParentDeathSignal, libc::EINVAL, |command| {
                command.parent_death_signal(Signal::from_raw(200))
            }),
        ];
        assert_fails(driver, &rows);
        rows.clear();
        if paths().contains(&SpawnPath::Fork) {
            // The caller's closure fails, with an error number of its own choice.
            let failing = sys::pre_exec(by(SpawnPath::Fork, "/bin/true"), 77);
            let error = driver.fails(failing);
            assert_eq!((error.step(), error.raw_os_error()), (Step::Signals, Some(77)));
            assert_eq!(driver.run(by(SpawnPath::Fork, "/bin/true")).code(), 0);
        }
    });
}

/// Cases BI-01 and BI-02.
#[test]
fn a_command_that_makes_no_sense_fails_before_anything_is_made() {
    in_every_way("a_command_that_makes_no_sense_fails_before_anything_is_made", |driver| {
        let invalid =
            |what, ask: fn(Command) -> Command| row(what, Step::Validate, libc::EINVAL, ask);
        let rows = [
            Row {
                program: "/bin/tr\0ue".to_owned(),
                ..invalid("a NUL in the program", |command| command)
            },
            invalid("a NUL in argv[0]", |command| command.arg0("a\0b")),
            invalid("a NUL in an argument", |command| command.arg("a\0b")),
            invalid("a NUL in a variable's name", |command| command.env("A\0B", "x")),
            invalid("a NUL in a variable's value", |command| command.env("A", "x\0y")),
            invalid("a variable without a name", |command| command.env("", "x")),
            invalid("`=` in a variable's name", |command| command.env("A=B", "x")),
            invalid("a NUL in the working directory", |command| command.current_dir("/\0")),
            invalid("a number below 0", |command| command.child_fd(-1, Fd::null())),
            invalid("a number at the limit", |command| command.child_fd(i32::MAX, Fd::null())),
            invalid("the same as nothing", |command| command.child_fd(4, Fd::same_as(5))),
            invalid("the same as itself", |command| command.child_fd(4, Fd::same_as(4))),
            invalid("a session and a group", |command| command.new_session().process_group(0)),
            invalid("a negative group", |command| command.process_group(-2)),
            invalid("the id that means none", |command| command.uid(u32::MAX).gid(0)),
            invalid("the group that means none", |command| command.gid(u32::MAX)),
            invalid("a terminal and a standard output", |command| {
                command.pty(Pty::new()).child_fd(1, Fd::null())
            }),
            row("an unknown user", Step::Resolve, libc::EINVAL, |command| {
                command.user("no-such-user-here")
            }),
            row("an unknown id without a group", Step::Resolve, libc::EINVAL, |command| {
                command.uid(54_321)
            }),
        ];
        assert_fails(driver, &rows);
    });
}

#[test]
fn descriptors_that_cannot_be_created_or_passed_fail_at_their_step() {
    in_every_way("descriptors_that_cannot_be_created_or_passed_fail_at_their_step", |driver| {
        let null: Arc<OwnedFd> = Arc::new(File::open("/dev/null").unwrap().into());
        let rows = [
            row("a source that is not open", Step::FdMap, libc::EBADF, |command| {
                command.child_fd(5, Fd::inherit(sys::unopened(777)))
            }),
            row("one that is not open, on its own number", Step::FdMap, libc::EBADF, |command| {
                command.child_fd(777, Fd::inherit(sys::unopened(777)))
            }),
            row("a missing file", Step::Pipe, libc::ENOENT, |command| {
                command.child_fd(5, Fd::file("/no/such/file", FileMode::Read))
            }),
            row("a directory to write to", Step::Pipe, libc::EISDIR, |command| {
                command.child_fd(5, Fd::file("/tmp", FileMode::Write))
            }),
            row("a terminal that is none", Step::Pty, libc::ENOTTY, move |command| {
                command.pty(Pty::new().size(1, 1).pair(null.clone(), null.clone()))
            }),
        ];
        driver.rebase();
        assert_fails(driver, &rows);
        drop(rows);
        driver.rebase();
        let null: Arc<OwnedFd> = Arc::new(File::open("/dev/null").unwrap().into());
        let no_tty = [row(
            "a controlling terminal that is none",
            Step::ControllingTerminal,
            libc::ENOTTY,
            move |command| command.pty(Pty::new().pair(null.clone(), null.clone())),
        )];
        driver.rebase();
        assert_fails(driver, &no_tty);
        drop(no_tty);
        driver.rebase();
    });
}

/// These steps fail without privilege.
#[test]
fn a_call_without_the_needed_privilege_fails_at_its_step() {
    isolated("a_call_without_the_needed_privilege_fails_at_its_step", || {
        let unreadable = tempfile::tempdir().unwrap();
        let closed = unreadable.path().join("closed");
        if !root_or_skip("privileged steps") {
            return;
        }
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(unreadable.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        let limit = finite_limit();
        let (uid, gid) = (Uid::from_raw(65534), Gid::from_raw(65534));
        set_thread_groups(&[]).unwrap();
        set_thread_res_gid(gid, gid, gid).unwrap();
        set_thread_res_uid(uid, uid, uid).unwrap();
        let mut driver = Driver::new();
        let error = driver.fails(command(closed.join("x")));
        assert_eq!((error.step(), error.raw_os_error()), (Step::Exec, Some(libc::EACCES)));
        let text = format!(": the directory {closed:?} may not be searched: Permission denied");
        assert!(error.to_string().ends_with(&text), "{error}");
        let rows = [
            row("an unreadable working directory", Step::Chdir, libc::EACCES, move |command| {
                command.current_dir(&closed)
            }),
            row("another group", Step::Gid, libc::EPERM, |command| command.gid(1)),
            row("other groups", Step::Groups, libc::EPERM, |command| command.groups([1, 2])),
            row("another user", Step::Groups, libc::EPERM, |command| command.uid(1).gid(1)),
            row("a higher hard limit", Step::Limits, libc::EPERM, move |command| {
                command.rlimit(limit, UNLIMITED)
            }),
            row("a higher priority", Step::Priority, libc::EACCES, |command| command.nice(-5)),
            row("a lower badness", Step::Priority, libc::EACCES, |command| {
                command.oom_score_adj(-900)
            }),
        ];
        assert_fails(&mut driver, &rows);
        driver.finish();
    });
}

/// Gives a resource a finite hard limit, and returns the resource.
fn finite_limit() -> Resource {
    let most = rustix::process::Rlimit { current: Some(1 << 30), maximum: Some(1 << 30) };
    setrlimit(rustix::process::Resource::Fsize, most).expect("root may");
    Resource::FileSize
}

/// The process may set groups but not users.
#[test]
fn a_user_that_may_set_groups_alone_fails_at_the_user() {
    isolated("a_user_that_may_set_groups_alone_fails_at_the_user", || {
        if !root_or_skip("step Uid") {
            return;
        }
        let mut sets = capabilities(None).unwrap();
        for set in [&mut sets.effective, &mut sets.permitted] {
            set.remove(CapabilitySet::SETUID);
        }
        set_capabilities(None, sets).unwrap();
        let mut driver = Driver::new();
        let rows = [row("another user", Step::Uid, libc::EPERM, |command| command.uid(1).gid(1))];
        assert_fails(&mut driver, &rows);
        driver.finish();
    });
}

//! Area SE: if a child cannot be started, `spawn_process` returns an error at once, with the step
//! and the system's error number. No callback is called, and nothing is left behind.
#![cfg(feature = "reactor")]

mod util;

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use procession_process_transport::{Command, Fd, Pipeline, Pty, SpawnError, SpawnProcess, Step};
use procession_protocol::ProcessProtocol;
use procession_reactor::{Handle, Reactor};
use tempfile::TempDir;

use crate::util::{
    Driver, Event, Recorder, WATCHDOG, behaviour, children, command, in_every_way, isolated,
    isolated_without_leak_check, root_or_skip, sh, skip, sys,
};

/// Asserts the step and the error number.
#[track_caller]
fn assert_error(error: &SpawnError, step: Step, raw: i32) {
    assert_eq!((error.step(), error.raw_os_error()), (step, Some(raw)), "{error}: {error:?}");
}

/// Creates a file with these contents and this mode.
fn file(dir: &TempDir, name: &str, contents: &[u8], mode: u32) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, contents).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
    path
}

/// Creates a directory for one test.
fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// The messages that only these tests can provoke. The facade has a table of all messages.
#[test]
fn a_message_says_what_is_wrong() {
    in_every_way("a_message_says_what_is_wrong", |driver| {
        let x = || command("/bin/true");
        let closed = driver.fails(x().child_fd(7, Fd::inherit(sys::unopened(777))));
        let message = "cannot hand on the descriptors to \"/bin/true\": what child fd 7 is to be is \
                       not open: Bad file descriptor";
        assert_eq!(closed.to_string(), message);
        assert_eq!(std::io::Error::from(closed).raw_os_error(), Some(libc::EBADF));
        // A closure has its own path, whichever paths the other tests take.
        let failed = driver.fails(sys::pre_exec(Command::new("/bin/true"), libc::EPERM));
        let message = "a pre_exec closure failed for \"/bin/true\": Operation not permitted";
        assert_eq!(failed.to_string(), message);
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let limit = limit.current.expect("a limit of descriptors");
        let error = driver.fails(x().child_fd(i32::MAX, Fd::null()));
        let message =
            format!("invalid command: \"child fd 2147483647\": the limit of open files is {limit}");
        assert_eq!(error.to_string(), message);
        let kept = std::io::Error::from(error);
        assert_eq!(kept.to_string(), message);
        assert!(kept.get_ref().is_some_and(|error| error.is::<SpawnError>()));
    });
}

/// Case SE-22.
#[test]
fn the_device_that_is_missing_is_named() {
    isolated_without_leak_check("the_device_that_is_missing_is_named", || {
        if !root_or_skip("a root without devices") {
            return;
        }
        let empty = directory();
        rustix::process::chroot(empty.path()).unwrap();
        std::env::set_current_dir("/").unwrap();
        let fails = |command: Command| command.spawn().map(drop).unwrap_err();
        let error = fails(command("/x").stdin(Fd::null()));
        assert_error(&error, Step::Pipe, libc::ENOENT);
        let message = r#"cannot open "/dev/null" for child fd 0: No such file or directory"#;
        assert_eq!(error.to_string(), message);
        let error = fails(command("/x").pty(Pty::new()));
        assert_error(&error, Step::Pty, libc::ENOENT);
        let message = "cannot open the pseudo-terminal for \"/x\" by /dev/ptmx: \
                       No such file or directory";
        assert_eq!(error.to_string(), message);
    });
}

/// A program does not start if no reactor could report its end.
#[test]
fn a_dropped_reactor_starts_nothing() {
    isolated("a_dropped_reactor_starts_nothing", || {
        let reactor = Reactor::new().unwrap();
        let handle = reactor.handle();
        drop(reactor);
        let dir = directory();
        let trace = dir.path().join("trace");
        let touch = || Command::new("touch").arg(&trace);
        let (first, record) = Recorder::new();
        let error = handle.spawn_process(first, touch()).unwrap_err();
        assert_eq!((error.step(), error.kind()), (Step::Register, ErrorKind::NotConnected));
        assert_eq!(error.to_string(), r#"the reactor cannot take "touch": the reactor is gone"#);
        let pipeline = Pipeline::new().stage(touch()).stage("cat");
        assert_eq!(handle.spawn_pipeline(pipeline).unwrap_err().step(), Step::Register);
        assert!(matches!(
            handle.spawn_child(touch()).unwrap_err(),
            error if error.step() == Step::Register
        ));
        // A reactor that is being dropped starts nothing either.
        let refused = Rc::new(Cell::new(None));
        let reactor = Reactor::new().unwrap();
        let last_word = SpawnsLast(touch(), refused.clone());
        reactor
            .spawn_process(last_word, command("/bin/sleep").arg("9").kill_on_drop(true))
            .unwrap();
        drop(reactor);
        assert_eq!(refused.get(), Some(Step::Register));
        assert_eq!(record.events().len(), 0);
        assert!(!trace.exists());
        let killed = rustix::process::wait(rustix::process::WaitOptions::empty());
        assert!(matches!(killed, Ok(Some(_)) | Err(rustix::io::Errno::CHILD)), "{killed:?}");
        assert_eq!(children(), []);
    });
}

/// A protocol that spawns when it is dropped.
struct SpawnsLast(Command, Rc<Cell<Option<Step>>>);

impl ProcessProtocol for SpawnsLast {}

impl Drop for SpawnsLast {
    fn drop(&mut self) {
        let error =
            Handle::current().spawn_process(Recorder::new().0, &self.0).expect_err("it is refused");
        self.1.set(Some(error.step()));
    }
}

/// Case SE-08.
#[test]
fn a_program_that_is_open_for_writing_is_busy() {
    in_every_way("a_program_that_is_open_for_writing_is_busy", |driver| {
        let dir = directory();
        let binary = file(&dir, "binary", &fs::read("/bin/true").unwrap(), 0o755);
        let script = file(&dir, "script", b"#!/bin/sh\n", 0o755);
        for program in [binary, script] {
            let writer = OpenOptions::new().append(true).open(&program).unwrap();
            let error = driver.fails(command(&program));
            if program.ends_with("script") && error.raw_os_error() != Some(libc::ETXTBSY) {
                skip("SE-08, the script", "this kernel does not find an open script busy");
            } else {
                assert_error(&error, Step::Exec, libc::ETXTBSY);
                assert_eq!(error.kind(), ErrorKind::ExecutableFileBusy);
            }
            drop(writer);
            let record = driver.run(command(&program));
            assert_eq!(record.code(), 0);
        }
    });
}

/// Case SE-09.
#[test]
fn arguments_and_variables_that_are_too_long_are_an_error() {
    in_every_way("arguments_and_variables_that_are_too_long_are_an_error", |driver| {
        let true_with = |length| command("/bin/true").arg("x".repeat(length));
        let too_long = |error: SpawnError| {
            assert_error(&error, Step::Exec, libc::E2BIG);
            assert_eq!(error.kind(), ErrorKind::ArgumentListTooLong);
        };
        too_long(driver.fails(true_with(131_072)));
        assert_eq!(driver.run(true_with(131_071)).code(), 0);
        too_long(driver.fails(command("/bin/true").env("A", "x".repeat(200_000))));
        let many = std::iter::repeat_n("x".repeat(100_000), 100);
        too_long(driver.fails(command("/bin/true").args(many)));
    });
}

/// Case SE-11.
#[test]
fn the_error_names_the_directory_or_the_program_whichever_is_missing() {
    in_every_way("the_error_names_the_directory_or_the_program_whichever_is_missing", |driver| {
        let error = driver.fails(command("/no/such/prog").current_dir("/no/such/dir"));
        assert_error(&error, Step::Chdir, libc::ENOENT);
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.subject(), "/no/such/dir");
        let text = error.to_string();
        assert!(text.contains("/no/such/dir") && !text.contains("/no/such/prog"), "{text}");

        let error = driver.fails(command("/no/such/prog").current_dir("/"));
        assert_error(&error, Step::Exec, libc::ENOENT);
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.subject(), "/no/such/prog");
        assert!(error.to_string().contains("/no/such/prog"), "{error}");
    });
}

/// Case SE-12.
#[test]
fn failed_spawns_do_not_swallow_the_exit_of_another_child() {
    behaviour("failed_spawns_do_not_swallow_the_exit_of_another_child", |driver| {
        let child = driver.spawn(sh("exit 1"));
        for _ in 0..100 {
            let failed = driver.try_spawn_with(command("/no/such/prog"), |_, _| ());
            let error = failed.err().expect("it does not exist");
            assert_error(&error, Step::Exec, libc::ENOENT);
        }
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 1);
    });
}

/// Case SE-14.
#[test]
fn a_clone_that_the_process_limit_refuses_leaves_the_callers_descriptors_alone() {
    isolated("a_clone_that_the_process_limit_refuses_leaves_the_callers_descriptors_alone", || {
        if !root_or_skip("SE-14") {
            return;
        }
        let mut driver = Driver::new();
        let own = Arc::new(File::open("/dev/null").unwrap());
        driver.rebase();
        let nobody = rustix::process::Uid::from_raw(65534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
        rustix::process::setrlimit(rustix::process::Resource::Nproc, none).unwrap();

        let fds = [(0, Fd::to_child()), (1, Fd::inherit(own.clone())), (2, Fd::from_child())];
        let error = driver.fails(command("/bin/true").child_fds(fds));
        assert_error(&error, Step::Clone, libc::EAGAIN);
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(own.metadata().is_ok(), "the caller's descriptor is open");

        let handle = driver.handle();
        let done = Rc::new(Cell::new(false));
        let set = done.clone();
        handle.call_soon(move |_| set.set(true));
        driver.until("the reactor goes on", WATCHDOG, || done.get());
        driver.finish();
    });
}

/// Creates a script that prints `text`, in a directory of its own below `dir`.
fn printing_script(dir: &TempDir, place: &str, text: &str, mode: u32) -> PathBuf {
    let place = dir.path().join(place);
    fs::create_dir(&place).expect("a directory");
    let path = place.join("prog");
    fs::write(&path, format!("#!/bin/sh\necho {text}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
    place
}

/// Joins these directories to a PATH.
fn path_of(places: &[&Path]) -> std::ffi::OsString {
    std::env::join_paths(places).expect("no colon in a temporary directory")
}

/// Case SE-15.
#[test]
fn a_program_that_may_not_be_executed_is_passed_over_on_path() {
    in_every_way("a_program_that_may_not_be_executed_is_passed_over_on_path", |driver| {
        let dir = directory();
        let one = printing_script(&dir, "one", "one", 0o644);
        let two = printing_script(&dir, "two", "two", 0o755);
        let record = driver.run(command("prog").env("PATH", path_of(&[&one, &two])));
        assert_eq!((record.text(1).as_str(), record.code()), ("two\n", 0));
        let error = driver.fails(command("prog").env("PATH", path_of(&[&one])));
        assert_error(&error, Step::Exec, libc::EACCES);
        // A candidate that is too long for a path is passed over too.
        let long = PathBuf::from(format!("/{}", "a/".repeat(2500)));
        let record = driver.run(command("prog").env("PATH", path_of(&[&long, &two])));
        assert_eq!((record.text(1).as_str(), record.code()), ("two\n", 0));
        let error = driver.fails(command("prog").env("PATH", path_of(&[&long])));
        assert_error(&error, Step::Exec, libc::ENOENT);
        // If no candidate works, the refusal is reported, wherever in PATH it was.
        let error = driver.fails(command("prog").env("PATH", path_of(&[&one, dir.path()])));
        assert_error(&error, Step::Exec, libc::EACCES);
    });
}

/// Case SE-16.
#[test]
fn an_empty_path_finds_nothing_and_never_means_the_working_directory() {
    in_every_way("an_empty_path_finds_nothing_and_never_means_the_working_directory", |driver| {
        let dir = directory();
        file(&dir, "exec_me", b"#!/bin/sh\n", 0o755);
        let other = dir.path().join("other");
        fs::create_dir(&other).unwrap();
        let leading = format!(":{}", other.display());
        let trailing = format!("{}:", other.display());
        for path in ["", ":", &leading, &trailing] {
            let exec_me = command("exec_me").env("PATH", path).current_dir(dir.path());
            let error = driver.fails(exec_me);
            assert_error(&error, Step::Exec, libc::ENOENT);
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
    });
}

/// Case SE-19.
#[test]
fn an_empty_program_is_no_command() {
    in_every_way("an_empty_program_is_no_command", |driver| {
        let error = driver.fails(command(""));
        assert_error(&error, Step::Validate, libc::EINVAL);
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

/// Case SE-20.
#[test]
fn failing_and_good_spawns_alternate_without_disturbing_each_other() {
    behaviour("failing_and_good_spawns_alternate_without_disturbing_each_other", |driver| {
        for _ in 0..50 {
            assert_error(&driver.fails(command("/no/such/prog")), Step::Exec, libc::ENOENT);
            let record = driver.run(command("/bin/true"));
            assert_eq!(record.code(), 0);
            assert_eq!(record.count(|event| *event == Event::Made), 1);
        }
    });
}

/// A failed spawn writes nothing to the stderr that the child would have had.
#[test]
fn a_failed_spawn_writes_nothing_to_the_childs_stderr() {
    in_every_way("a_failed_spawn_writes_nothing_to_the_childs_stderr", |driver| {
        let mut log = tempfile::tempfile().unwrap();
        log.write_all(b"before").unwrap();
        let log = Arc::new(log);
        driver.fails(command("/no/such/prog").child_fd(2, Fd::inherit(log.clone())));
        driver.fails(command("/bin/true").current_dir("/no").child_fd(2, Fd::inherit(log.clone())));
        assert_eq!(log.metadata().unwrap().len(), 6);
    });
}

/// Case SE-25.
#[test]
fn a_name_that_only_a_shell_would_read_gets_a_hint() {
    let message =
        |command: Command| command.spawn().expect_err("there is no such file").to_string();
    assert_eq!(
        message(Command::new("echo hello")),
        "cannot execute \"echo hello\" (pass arguments by `args`: only a shell splits a line): No such \
         file or directory"
    );
    let tilde = "(only a shell expands `~`): No such file or directory";
    assert_eq!(
        message(Command::new("~/bin/tool")),
        format!("cannot execute \"~/bin/tool\" {tilde}")
    );
    assert_eq!(
        message(Command::new("true").current_dir("~/work")),
        format!("cannot change to the directory \"~/work\" {tilde}")
    );
    let message = message(Command::new("no such program"));
    assert_eq!(message, "cannot execute \"no such program\": No such file or directory");
}

//! Passes extreme values to every option of a command and every call of a child's handle. Each
//! gives a typed error or the value's plain meaning, never a panic, and nothing is left behind.
#![cfg(feature = "reactor")]

mod util;

use std::sync::Arc;
use std::time::Duration;

use procession_core::{Signal, WriteError};
use procession_process_transport::{
    Command, Fd, FileMode, OfTerminal, Pty, RawMode, Resource, Rlimit, SpawnError, SpawnProcess,
    Step,
};
use procession_protocol::{SignalError, Target, Termios};

use crate::util::{behaviour, command, in_every_way, ms, sh, sys};

/// A command that can be started.
fn valid_command() -> Command {
    command("/bin/true")
}

#[track_caller]
fn assert_step(error: &SpawnError, step: Step, errno: i32) {
    assert_eq!((error.step(), error.raw_os_error()), (step, Some(errno)), "{error:?}");
}

/// Programs, arguments and directories that are empty, too long, or not valid text.
#[test]
fn names_of_any_length_and_any_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    behaviour("names_of_any_length_and_any_bytes", |driver| {
        let long = "a".repeat(5_000);
        let huge = "a".repeat(3 << 20);
        let validate = [
            Command::new(""),
            Command::new("\0"),
            valid_command().args(["a", "b\0"]),
            valid_command().envs([("A", "a"), ("B=", "b")]),
            // A name that no variable can have cannot be removed either.
            valid_command().env_remove("A=B"),
            valid_command().env_remove(""),
        ];
        for command in validate {
            let error = driver.fails(command);
            assert_step(&error, Step::Validate, libc::EINVAL);
        }
        assert_step(&driver.fails(valid_command().current_dir("")), Step::Chdir, libc::ENOENT);
        assert_step(
            &driver.fails(valid_command().current_dir(&long)),
            Step::Chdir,
            libc::ENAMETOOLONG,
        );
        assert_step(&driver.fails(command(&long)), Step::Exec, libc::ENAMETOOLONG);
        assert_step(&driver.fails(command(format!("/{long}"))), Step::Exec, libc::ENAMETOOLONG);
        for too_long in [
            valid_command().arg(&huge),
            valid_command().arg0(&huge),
            valid_command().env("A", &huge),
        ] {
            assert_step(&driver.fails(too_long), Step::Exec, libc::E2BIG);
        }
        let nothing = std::iter::empty::<&str>();
        let bytes = OsStr::from_bytes(b"\xff\xfe");
        let fine =
            valid_command().args(nothing).arg("").arg(bytes).env("A", "").env("B", bytes).arg0("");
        assert_eq!(driver.run(fine).code(), 0);
        assert_eq!(
            driver.run(valid_command().env_remove("NO_SUCH_VARIABLE").env_clear()).code(),
            0
        );
    });
}

/// Descriptor numbers and descriptor sources at their extremes.
#[test]
fn descriptors_of_any_number_and_any_source() {
    in_every_way("descriptors_of_any_number_and_any_source", |driver| {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let limit = i32::try_from(limit.unwrap_or(1 << 20)).unwrap_or(i32::MAX);
        let bad = [
            valid_command().child_fd(-1, Fd::null()),
            valid_command().child_fd(i32::MIN, Fd::to_child()),
            valid_command().child_fd(i32::MAX, Fd::from_child()),
            valid_command().child_fd(limit, Fd::socketpair()),
            valid_command().child_fds([(0, Fd::null()), (-7, Fd::null())]),
            valid_command().child_fd(3, Fd::same_as(3)),
            valid_command().child_fd(3, Fd::same_as(-1)),
            valid_command().child_fd(3, Fd::same_as(i32::MAX)),
            valid_command().child_fd(3, Fd::same_as(4)).child_fd(4, Fd::same_as(3)),
            valid_command().child_fd(0, Fd::closed()).child_fd(3, Fd::same_as(0)),
            valid_command().pty(Pty::new()).child_fd(0, Fd::null()),
        ];
        for command in bad {
            assert_step(&driver.fails(command), Step::Validate, libc::EINVAL);
        }
        let closed = valid_command().child_fd(3, Fd::inherit(sys::unopened(999)));
        assert_step(&driver.fails(closed), Step::FdMap, libc::EBADF);
        for (path, mode, errno) in [
            ("", FileMode::Read, libc::ENOENT),
            ("a\0b", FileMode::Read, libc::EINVAL),
            ("/no/such/file", FileMode::Append, libc::ENOENT),
            ("/", FileMode::Write, libc::EISDIR),
        ] {
            let error = driver.fails(valid_command().child_fd(3, Fd::file(path, mode)));
            assert_eq!(error.raw_os_error(), Some(errno), "{path:?}: {error:?}");
        }
        // The highest possible number, and a number that is closed twice in the child.
        assert_eq!(driver.run(valid_command().child_fd(limit - 1, Fd::null())).code(), 0);
        assert_eq!(driver.run(valid_command().child_fd(700, Fd::closed())).code(), 0);
    });
}

/// Ids, groups, limits, priorities, processors, masks and signals.
#[test]
fn numbers_of_the_childs_identity_at_their_extremes() {
    in_every_way("numbers_of_the_childs_identity_at_their_extremes", |driver| {
        let validate = [
            valid_command().uid(u32::MAX),
            valid_command().gid(u32::MAX),
            valid_command().process_group(-1),
            valid_command().process_group(i32::MIN),
            valid_command().new_session().process_group(0),
            valid_command().user("nobody").uid(1),
        ];
        for command in validate {
            assert_step(&driver.fails(command), Step::Validate, libc::EINVAL);
        }
        for name in ["", "no-such-user", "a\0b", "-1", "99999999999999999999"] {
            let error = driver.fails(valid_command().user(name));
            assert!(matches!(error.step(), Step::Validate | Step::Resolve), "{name:?}: {error:?}");
        }
        let error = driver.fails(valid_command().process_group(i32::MAX));
        assert_eq!(error.step(), Step::ProcessGroup, "{error:?}");
        let more = Rlimit { soft: Some(2), hard: Some(1) };
        let error = driver.fails(valid_command().rlimit(Resource::Core, more));
        assert_step(&error, Step::Limits, libc::EINVAL);
        let zero = Rlimit { soft: Some(0), hard: Some(0) };
        assert_eq!(driver.run(valid_command().rlimit(Resource::Core, zero)).code(), 0);
        // An empty list, a processor that no machine has, and one beyond every mask.
        for cpus in [vec![], vec![60_000], vec![usize::MAX]] {
            let error = driver.fails(valid_command().cpu_affinity(cpus));
            assert_step(&error, Step::Priority, libc::EINVAL);
        }
        assert_eq!(driver.run(valid_command().cpu_affinity([0, usize::MAX])).code(), 0);
        for score in [i16::MIN, -1001, 1001, i16::MAX] {
            let error = driver.fails(valid_command().oom_score_adj(score));
            assert_step(&error, Step::Priority, libc::EINVAL);
        }
        // The kernel clamps a nice value to its range.
        assert_eq!(driver.run(sh("nice").nice(i32::MAX)).text(1), "19\n");
        for number in [-1, 65, 1000, i32::MIN, i32::MAX] {
            let error = driver.fails(valid_command().parent_death_signal(Signal::from_raw(number)));
            assert_step(&error, Step::ParentDeathSignal, libc::EINVAL);
        }
        // Only the nine permission bits of a mask count.
        assert_eq!(driver.run(sh("umask").umask(u32::MAX)).text(1), "0777\n");
        assert_eq!(driver.run(sh("umask").umask(0)).text(1), "0000\n");
        if util::root_or_skip("group lists") {
            assert_eq!(driver.run(valid_command().groups([])).code(), 0);
            let error = driver.fails(valid_command().groups([u32::MAX]));
            assert_step(&error, Step::Groups, libc::EINVAL);
            let error = driver.fails(valid_command().groups(0..70_000));
            assert_step(&error, Step::Groups, libc::EINVAL);
        }
    });
}

/// Terminals of size zero and of the largest size.
#[test]
fn terminals_of_any_size_and_settings() {
    behaviour("terminals_of_any_size_and_settings", |driver| {
        for (rows, columns) in [(0, 0), (u16::MAX, u16::MAX), (1, 0)] {
            let pty = Pty::new().size(rows, columns).size_pixels(columns, rows);
            let size = sh("stty size").pty(pty);
            assert_eq!(driver.run(size).text(1), format!("{rows} {columns}\r\n"));
        }
        let child = driver.spawn(sh("read x").pty(Pty::new()));
        for (rows, columns) in [(0, 0), (u16::MAX, u16::MAX)] {
            child.process.resize(rows, columns).unwrap();
            let size = child.process.window_size().unwrap();
            assert_eq!((size.rows, size.columns), (rows, columns));
        }
        let usual = child.process.termios().unwrap();
        // No flag and no speed. Speed zero hangs up or is refused, and both outcomes are allowed.
        child.process.set_termios(&Termios::default()).ok();
        child.process.set_termios(&usual).ok();
        child.process.lose_connection();
        child.process.signal(Signal::KILL).ok(); // the hang-up may have ended it
        driver.drive_to_end(&child.record);
        for result in [
            child.process.resize(1, 1),
            child.process.set_termios(&usual),
            child.process.send_eof(),
        ] {
            assert!(result.is_err(), "a terminal that is gone");
        }
        drop(child); // the handle keeps a session leader's pidfd open
        let null: Arc<std::os::fd::OwnedFd> =
            Arc::new(std::fs::File::open("/dev/null").unwrap().into());
        driver.rebase();
        let error = driver.fails(valid_command().pty(Pty::new().pair(null.clone(), null.clone())));
        assert!(matches!(error.step(), Step::Pty | Step::ControllingTerminal), "{error:?}");
        drop(null);
        let null = std::fs::File::open("/dev/null").unwrap();
        for error in [Termios::of(&null).map(drop), RawMode::begin(&null).map(drop)] {
            assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::ENOTTY));
        }
        drop(null);
        driver.rebase();
    });
}

/// Descriptor numbers that the child does not have, in every call of its handle.
#[test]
fn calls_with_descriptors_that_are_not_there() {
    behaviour("calls_with_descriptors_that_are_not_there", |driver| {
        let child = driver.spawn(command("/bin/cat"));
        let process = &child.process;
        for fd in [-1, 3, i32::MIN, i32::MAX] {
            assert_eq!(process.write_to_child(fd, "x"), Err(WriteError::UnknownFd));
            assert_eq!(process.set_write_limits(fd, 1, 1), Err(WriteError::UnknownFd));
            assert_eq!(process.set_write_hard_limit(fd, None), Err(WriteError::UnknownFd));
            assert_eq!(process.write_limits(fd), None);
            assert_eq!(process.write_buffered(fd), 0);
            assert_eq!(process.pipe_size(fd), None);
            assert!(process.with_fd(fd, |_| ()).is_none());
            assert!(!process.unregister_producer(fd));
            process.close_child_fd(fd);
            process.shutdown_write(fd);
            process.abort_connection(fd);
            process.pause(fd);
            process.resume(fd);
            let null = std::fs::File::options().write(true).open("/dev/null").unwrap();
            let moved = process.forward(fd, Target::fd(null));
            assert!(matches!(moved.try_take(), Some(Err(_))), "nothing to move");
            let moved = process.forward(1, Target::child(process, fd));
            assert!(matches!(moved.try_take(), Some(Err(_))), "nowhere to move to");
        }
        process.write("");
        process.write_copy(&[]);
        process.write_sequence(Vec::<&'static str>::new());
        process.write_sequence(["", "a", ""]);
        for limits in [(0, 0), (usize::MAX, usize::MAX), (0, usize::MAX)] {
            process.set_write_limits(0, limits.0, limits.1).unwrap();
            let low = limits.1.min(limits.0);
            assert_eq!(process.write_limits(0), Some((limits.0, low)));
        }
        process.set_write_hard_limit(0, Some(0)).unwrap();
        assert_eq!(process.write_to_child(0, "x"), Err(WriteError::BufferFull));
        process.set_write_hard_limit(0, Some(usize::MAX)).unwrap();
        process.write(vec![b'b'; 100_000]);
        process.close_stdin();
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.data(1).len(), 100_001);
        assert_eq!(process.write_to_child(0, "x"), Err(WriteError::Closed));
    });
}

/// Signals that do not exist, and extremely long times.
#[test]
fn signals_of_any_number_and_graces_of_any_length() {
    behaviour("signals_of_any_number_and_graces_of_any_length", |driver| {
        let child = driver.spawn(command("/bin/sleep").arg("100").owned(true));
        for number in [-1, 65, 1000, i32::MIN, i32::MAX] {
            let signal = Signal::from_raw(number);
            for result in [child.process.signal(signal), child.process.signal_group(signal)] {
                let Err(SignalError::Os(error)) = result else { panic!("{number}: {result:?}") };
                assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
            }
            let ended = child.process.terminate(signal, Duration::MAX);
            assert!(matches!(ended.try_take(), Some(Err(_))), "{number}");
        }
        child.process.signal(Signal::from_raw(0)).unwrap();
        child.process.signal_group(Signal::from_raw(0)).unwrap();
        let ended = child.process.terminate(Signal::from_raw(0), Duration::MAX);
        driver.run_for(ms(10));
        assert!(ended.try_take().is_none(), "signal 0 ends nothing");
        let now = child.process.terminate(Signal::TERM, Duration::ZERO);
        driver.drive_to_end(&child.record);
        assert!(matches!((ended.try_take(), now.try_take()), (Some(Ok(_)), Some(Ok(_)))));

        for grace in [Duration::ZERO, Duration::MAX] {
            let child = driver.spawn(command("/bin/sleep").arg("100"));
            let ended = child.process.terminate(Signal::TERM, grace);
            driver.drive_to_end(&child.record);
            assert!(matches!(ended.try_take(), Some(Ok(_))));
        }
        for after in [Duration::ZERO, Duration::MAX] {
            let command = sh("echo x").drain_after_exit(after).owned(true).kill_grace(after);
            assert_eq!(driver.run(command).text(1), "x\n");
        }
    });
}

/// The same numbers on an async child.
#[test]
fn an_async_child_with_descriptors_that_are_not_there() {
    behaviour("an_async_child_with_descriptors_that_are_not_there", |driver| {
        assert!(driver.handle().spawn_child("").is_err());
        let mut child = driver.handle().spawn_child(command("/bin/cat")).unwrap();
        let reactor = driver.reactor();
        for fd in [-1, 0, 9, i32::MAX, i32::MIN] {
            assert!(child.take_output(fd).is_none());
            assert!(fd == 0 || child.take_input(fd).is_none());
            assert!(reactor.block_on(child.output(fd).collect()).is_empty());
        }
        for fd in [-1, 1, 9, i32::MAX] {
            assert!(reactor.block_on(child.write_to_child(fd, "x")).is_err());
        }
        reactor.block_on(child.write("")).unwrap();
        reactor.block_on(child.write("x")).unwrap();
        child.close_stdin();
        assert_eq!(reactor.block_on(child.stdout().collect()), b"x");
        assert!(reactor.block_on(child.ended()).is_ok());
    });
}

/// A timeout longer than any clock can count waits until the child ends.
#[test]
fn a_wait_for_no_time_and_for_all_time() {
    let mut child = command("/bin/cat").spawn().unwrap();
    let input = child.take(0).unwrap(); // a wait would close it
    assert_eq!(child.wait_timeout(Duration::ZERO).unwrap(), None);
    drop(input);
    let reason = child.wait_timeout(Duration::MAX).unwrap();
    assert!(reason.is_some_and(|reason| reason.is_ok()));
}

//! The lack of descriptors or processes at every point where one is needed: a typed error, no
//! leaked descriptor, no zombie, and a loop that goes on.
#![cfg(feature = "reactor")]

mod util;

#[path = "faults/limit.rs"]
mod limit;

use std::os::fd::OwnedFd;
use std::process::Command as StdCommand;

use procession_process_transport::{Command, Fd, FileMode, Pty, Step, reserve_spawn_fds};
use procession_protocol::{SpawnPath, Target};
use procession_reactor::Reactor;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limit::FilledFds;
use crate::util::{
    Driver, Leaks, command, forced_path, isolated, ms, open_fds, sanitizer, sh, skip, sys,
};

/// More descriptors than any of these commands opens at once.
const ENOUGH: u64 = 24;

/// Commands that open descriptors in every possible way.
fn commands() -> Vec<(&'static str, Command)> {
    let nothing: [(i32, Fd); 0] = [];
    vec![
        ("three pipes", command("/bin/true")),
        ("no descriptor", command("/bin/true").child_fds(nothing)),
        ("a socketpair", command("/bin/true").child_fd(4, Fd::socketpair())),
        (
            "files",
            command("/bin/true")
                .child_fd(0, Fd::file("/dev/null", FileMode::Read))
                .child_fd(5, Fd::null()),
        ),
        ("a terminal", command("/bin/true").pty(Pty::new())),
        ("a terminal and a pipe", command("/bin/true").pty(Pty::new()).child_fd(3, Fd::to_child())),
        ("a group", command("/bin/true").owned(true)),
        ("a swap", command("/bin/true").child_fd(0, Fd::from_child()).child_fd(1, Fd::to_child())),
    ]
}

/// EMFILE at the k-th descriptor that a spawn opens, for every k, on a thread that has spawned
/// before.
#[test]
fn a_spawn_survives_the_lack_of_any_of_its_descriptors() {
    isolated("a_spawn_survives_the_lack_of_any_of_its_descriptors", || {
        if sanitizer().is_some() {
            let name = "a_spawn_survives_the_lack_of_any_of_its_descriptors";
            return skip(name, "the report of a sanitizer takes a descriptor before the exec");
        }
        let mut driver = Driver::new();
        let filled = FilledFds::new();
        driver.rebase();
        for (name, shape) in commands() {
            let mut failures = 0;
            for more in 0..ENOUGH {
                let result = filled.with(more, || driver.try_spawn_with(shape.clone(), |_, _| ()));
                match result {
                    Ok(child) => {
                        // A running child needs no further descriptor, so the limit is zero from
                        // here on.
                        filled.with(0, || driver.drive_to_end(&child.record));
                        assert_eq!(child.record.code(), 0, "{name} with {more}");
                    }
                    Err(error) => {
                        failures += 1;
                        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{name}: {error:?}");
                        let steps = [Step::Pipe, Step::Pty, Step::Clone, Step::FdMap];
                        assert!(steps.contains(&error.step()), "{name} with {more}: {error:?}");
                    }
                }
                driver.leaks().assert_none();
            }
            assert!(failures > 0, "{name}: the limit was never met");
            // The failures leave no trace: the next spawn takes the usual path.
            let child = driver.spawn(shape);
            if forced_path().is_none() {
                assert_eq!(child.process.spawned_by(), Some(SpawnPath::SharedFiles), "{name}");
            }
            driver.drive_to_end(&child.record);
        }
        driver.finish();
    });
}

/// The same for the first spawn of a thread, which creates descriptors that later spawns use again.
#[test]
fn a_first_spawn_survives_the_lack_of_any_of_its_descriptors() {
    isolated("a_first_spawn_survives_the_lack_of_any_of_its_descriptors", || {
        for more in 0..ENOUGH {
            let copy = sys::fork(|| {
                sys::alarm(ms(20_000));
                let reactor = Reactor::new().expect("a reactor");
                let filled = FilledFds::new();
                let made = filled.with(more, reserve_spawn_fds);
                if let Err(error) = &made {
                    assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error:?}");
                }
                drop((reactor, filled));
                let mut driver = Driver::new();
                driver.run(command("/bin/true"));
                driver.finish();
                0
            });
            sys::assert_exits_with_0(copy, &format!("with {more} descriptors"));
            let copy = sys::fork(|| {
                sys::alarm(ms(20_000));
                first_spawn(more);
                0
            });
            sys::assert_exits_with_0(copy, &format!("with {more} descriptors"));
        }
    });
}

/// Creates a reactor and spawns its first child, with `more` descriptors for the spawn.
fn first_spawn(more: u64) {
    use procession_process_transport::SpawnProcess;

    let mut reactor = Reactor::new().expect("a reactor");
    let filled = FilledFds::new();
    let before = open_fds();
    let (recorder, record) = util::Recorder::new();
    let spawned = filled.with(more, || reactor.spawn_process(recorder, command("/bin/true")));
    match spawned {
        Ok(process) => {
            let deadline = reactor.now() + util::WATCHDOG;
            while record.ended().is_none() {
                assert!(reactor.now() < deadline, "{record:?}");
                reactor.turn(Some(ms(100))).expect("a turn");
            }
            assert_eq!(record.code(), 0);
            drop(process);
        }
        Err(error) => {
            // If a path is forced, the lack of a descriptor is an error of that path.
            assert!(matches!(error.raw_os_error(), Some(libc::EMFILE)), "{error:?}");
            // The mailbox is kept if there was room for it.
            let more: Vec<_> =
                open_fds().into_iter().filter(|(fd, at)| before.get(fd) != Some(at)).collect();
            assert!(more.iter().all(|(_, link)| link.starts_with("socket:")), "{more:?}");
            assert!(more.len() <= 2, "{more:?}");
        }
    }
    Leaks::assert_no_children();
    drop(reactor);
    let mut driver = Driver::new();
    driver.run(command("/bin/true"));
    driver.finish();
}

/// The calls of a running child's handle open descriptors too: duplicates of the pidfd, and pipes
/// for a forwarding.
#[test]
fn calls_that_open_descriptors_survive_the_lack_of_them() {
    isolated("calls_that_open_descriptors_survive_the_lack_of_them", || {
        let mut driver = Driver::new();
        let filled = FilledFds::new();
        driver.rebase();
        for more in 0..8 {
            let child = driver.spawn(sh("head -c 300000 /dev/zero"));
            let pidfd = filled.with(more, || child.process.pidfd());
            assert_eq!(pidfd.is_ok(), more > 0, "{pidfd:?}");
            if let Err(error) = &pidfd {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            }
            drop(pidfd);
            let file = tempfile::tempfile().expect("a file");
            let target = file.try_clone().expect("a duplicate");
            let moved =
                filled.with(more, || child.process.forward(1, Target::fd(OwnedFd::from(target))));
            let result = filled.with(more, || {
                driver.drive_to_end(&child.record);
                moved.try_take()
            });
            match result.expect("a forwarding ends with its source") {
                Ok(bytes) => {
                    assert_eq!(bytes, 300_000, "with {more}");
                    assert_eq!(file.metadata().expect("it is open").len(), 300_000);
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
            drop((file, child));
            driver.leaks().assert_none();
        }
        driver.finish();
    });
}

/// A reactor that cannot be created returns an error and leaves nothing behind. The next one can be
/// created.
#[test]
fn a_reactor_survives_the_lack_of_any_of_its_descriptors() {
    isolated("a_reactor_survives_the_lack_of_any_of_its_descriptors", || {
        let filled = FilledFds::new();
        let before = Leaks::baseline();
        let mut made = 0;
        for more in 0..12 {
            match filled.with(more, Reactor::new) {
                Ok(reactor) => {
                    made += 1;
                    drop(reactor);
                }
                Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error:?}"),
            }
            before.assert_no_fds();
        }
        assert!((1..12).contains(&made), "{made} of 12");
        drop(filled); // so that the mailbox gets a low number
        let mut driver = Driver::new();
        driver.run(command("/bin/true"));
        driver.finish();
    });
}

/// A user has reached the limit of processes. `clone` fails with EAGAIN, and the next spawn works.
#[test]
fn one_process_too_many_is_an_error_of_the_clone() {
    isolated("one_process_too_many_is_an_error_of_the_clone", || {
        if !util::root_or_skip("a limit of processes") {
            return;
        }
        let mut driver = Driver::new();
        // The kernel does not limit root. An id that nobody else uses is limited alone.
        let nobody = rustix::process::Uid::from_raw(61_234);
        let root = rustix::process::Uid::ROOT;
        rustix::thread::set_thread_res_uid(nobody, nobody, root).expect("root may");
        let usual = getrlimit(Resource::Nproc);
        for _ in 0..3 {
            let none = Rlimit { current: Some(0), ..usual };
            setrlimit(Resource::Nproc, none).expect("a lower soft limit");
            let error = driver.fails(command("/bin/true"));
            assert_eq!((error.step(), error.raw_os_error()), (Step::Clone, Some(libc::EAGAIN)));
            setrlimit(Resource::Nproc, usual).expect("the limit from before");
            let child = driver.spawn(command("/bin/true"));
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.code(), 0);
        }
        rustix::thread::set_thread_res_uid(root, root, root).expect("it was kept");
        driver.finish();
    });
}

/// Case ST-14.
#[test]
fn children_until_the_limit_then_all_of_them_again() {
    isolated("children_until_the_limit_then_all_of_them_again", || {
        let mut driver = Driver::new();
        let limit = Rlimit { current: Some(128), ..getrlimit(Resource::Nofile) };
        setrlimit(Resource::Nofile, limit).expect("a lower soft limit");
        let mut counts = Vec::new();
        for _ in 0..2 {
            let mut alive = 0;
            let error = loop {
                match driver.try_spawn_with(command("/bin/sleep").arg("1"), |_, _| ()) {
                    Ok(_) => alive += 1,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error:?}");
            assert!(matches!(error.step(), Step::Pipe | Step::Clone), "{error:?}");
            // Each child has three pipes and a pidfd.
            assert!((20..=31).contains(&alive), "{alive} children at once");
            driver.drive_all_to_end(util::WATCHDOG);
            driver.leaks().assert_none();
            counts.push(alive);
        }
        assert_eq!(counts[0], counts[1], "full recovery");
        driver.finish();
    });
}

/// A child has the parent's limit, as a child that `std` starts has.
#[test]
fn a_limit_in_the_parent_is_the_childs_too() {
    isolated("a_limit_in_the_parent_is_the_childs_too", || {
        let mut driver = Driver::new();
        let limit = Rlimit { current: Some(64), ..getrlimit(Resource::Nofile) };
        setrlimit(Resource::Nofile, limit).expect("a lower soft limit");
        let ours = driver.run(sh("ulimit -n")).text(1);
        let theirs = StdCommand::new("/bin/sh").args(["-c", "ulimit -n"]).output().expect("sh");
        assert_eq!(ours.as_bytes(), theirs.stdout);
        assert_eq!(ours, "64\n");
        driver.finish();
    });
}

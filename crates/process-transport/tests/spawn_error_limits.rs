//! Spawns that run into a limit: of processes, and of descriptors at each descriptor that a spawn
//! creates. The error names the step, nothing is left behind, and the next spawn works.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/paths.rs"]
mod paths;
#[path = "spawn_paths/table.rs"]
mod table;

use std::fs::File;
use std::sync::Arc;

use procession_process_transport::{Command, Fd, FileMode, Pty, SpawnProcess, Step};
use procession_protocol::SpawnPath;
use procession_reactor::Reactor;
use rustix::process::{Resource, Rlimit, Uid, getrlimit, setrlimit};
use rustix::thread::set_thread_res_uid;

use crate::paths::{by, paths};
use crate::table::fd_table;
use crate::util::{
    Driver, Recorder, WATCHDOG, behaviour, children, forced_path, isolated, root_or_skip,
};

/// The limit of processes of a user is reached.
#[test]
fn a_clone_that_the_process_limit_refuses_is_an_error_on_every_path() {
    isolated("a_clone_that_the_process_limit_refuses_is_an_error_on_every_path", || {
        if !root_or_skip("RLIMIT_NPROC") {
            return;
        }
        let mut driver = Driver::new();
        let limit = getrlimit(Resource::Nproc);
        let nobody = Uid::from_raw(65534);
        set_thread_res_uid(nobody, nobody, nobody).unwrap();
        for path in paths() {
            driver.run(by(path, "/bin/true"));
            driver.rebase();
            let before = fd_table();
            setrlimit(Resource::Nproc, Rlimit { current: Some(0), ..limit }).unwrap();
            let error = driver.fails(by(path, "/bin/true").child_fd(7, Fd::socketpair()));
            setrlimit(Resource::Nproc, limit).unwrap();
            assert_eq!((error.step(), error.raw_os_error()), (Step::Clone, Some(libc::EAGAIN)));
            assert_eq!(fd_table(), before, "{path:?}");
            assert_eq!(driver.run(by(path, "/bin/true")).code(), 0, "{path:?}");
        }
        driver.finish();
    });
}

/// The first spawn of a process needs room for one process only.
#[test]
fn the_first_spawn_starts_nobody_but_its_child() {
    isolated("the_first_spawn_starts_nobody_but_its_child", || {
        if forced_path().is_some() || !root_or_skip("RLIMIT_NPROC") {
            return;
        }
        let mut reactor = Reactor::new().unwrap();
        let limit = getrlimit(Resource::Nproc);
        // A user id for this run alone. This thread and one child reach the limit, whatever else
        // runs on the machine.
        let user = Uid::from_raw(1_954_000_000 + std::process::id());
        set_thread_res_uid(user, user, user).unwrap();
        let mut spawned_by = || {
            let (recorder, record) = Recorder::new();
            let process = reactor.spawn_process(recorder, "/bin/true").unwrap();
            while record.ended().is_none() {
                reactor.turn(Some(WATCHDOG)).unwrap();
            }
            process.spawned_by()
        };
        setrlimit(Resource::Nproc, Rlimit { current: Some(2), ..limit }).unwrap();
        let short = spawned_by();
        setrlimit(Resource::Nproc, limit).unwrap();
        let usual = spawned_by();
        assert_eq!(short, usual, "on the best path from the first");
        assert_eq!(spawned_by(), usual);
        assert_ne!(usual, Some(SpawnPath::Fork), "{short:?}, then {usual:?}");
    });
}

/// Spawns with no free descriptor, then with one, two and so on, until it works. Returns the steps
/// that failed.
fn with_few_descriptors(driver: &mut Driver, ask: &dyn Fn() -> Command) -> Vec<Step> {
    const LIMIT: u64 = 64;
    let limit = getrlimit(Resource::Nofile);
    let low = Rlimit { current: Some(LIMIT), ..limit };
    setrlimit(Resource::Nofile, low).expect("less is allowed");
    // All numbers below the limit are in use.
    let mut fillers = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        fillers.push(file);
    }
    let mut steps = Vec::new();
    loop {
        setrlimit(Resource::Nofile, limit).expect("it was so before");
        let (before, alive) = (fd_table(), children());
        setrlimit(Resource::Nofile, low).expect("less is allowed");
        let tried = driver.try_spawn_with(ask(), |_, _| ());
        setrlimit(Resource::Nofile, limit).expect("it was so before");
        match tried {
            Ok(child) => {
                drop(fillers);
                driver.drive_to_end(&child.record);
                assert_eq!(child.record.code(), 0);
                return steps;
            }
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}: {error:?}");
                assert_eq!(fd_table(), before, "{error}");
                assert_eq!(children(), alive, "{error}");
                steps.push(error.step());
            }
        }
        drop(fillers.pop().expect("it works with all of them free"));
    }
}

/// Runs out of descriptors at each one that a spawn creates.
#[test]
fn a_spawn_that_runs_out_of_descriptors_leaves_none() {
    behaviour("a_spawn_that_runs_out_of_descriptors_leaves_none", |driver| {
        let own = Arc::new(tempfile::tempfile().unwrap());
        for path in paths() {
            let map = || {
                by(path, "/bin/true")
                    .child_fd(5, Fd::socketpair())
                    .child_fd(6, Fd::null())
                    .child_fd(7, Fd::same_as(1))
                    .child_fd(8, Fd::file("/dev/null", FileMode::Read))
                    .child_fd(9, Fd::inherit(own.clone()))
            };
            // Three pipes, a socketpair, the null device, a duplicate, a file, and last the pidfd.
            let steps = with_few_descriptors(driver, &map);
            let mut expected = vec![Step::Pipe; 11];
            expected.push(Step::Clone);
            assert_eq!(steps, expected, "{path:?}");

            let terminal = || by(path, "/bin/true").pty(Pty::new()).child_fd(3, Fd::from_child());
            let steps = with_few_descriptors(driver, &terminal);
            let expected = [Step::Pipe, Step::Pipe, Step::Pty, Step::Pty, Step::Clone];
            assert_eq!(steps, expected, "{path:?}");
        }
        drop(own);
        driver.rebase();
    });
}

/// If the mailbox cannot be created, the child gets a copied table. The next spawn tries the
/// mailbox again.
#[test]
fn a_spawn_works_without_a_mailbox_that_cannot_be_created() {
    isolated("a_spawn_works_without_a_mailbox_that_cannot_be_created", || {
        if forced_path().is_some() {
            return;
        }
        let mut driver = Driver::new();
        // Each thread has its own mailbox, and the driver has created the one of this thread.
        let done = std::thread::spawn(|| {
            let mut reactor = Reactor::new().unwrap();
            let limit = getrlimit(Resource::Nofile);
            setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit }).unwrap();
            let mut fillers = Vec::new();
            while let Ok(file) = File::open("/dev/null") {
                fillers.push(file);
            }
            fillers.pop();
            let mut spawn = || {
                let nothing: [(i32, Fd); 0] = [];
                let (recorder, record) = Recorder::new();
                let command = Command::new("/bin/true").child_fds(nothing);
                let process = reactor.spawn_process(recorder, command).unwrap();
                while record.ended().is_none() {
                    reactor.turn(Some(WATCHDOG)).unwrap();
                }
                process.spawned_by()
            };
            assert_eq!(spawn(), Some(SpawnPath::SharedMemory), "one number is free, for the pidfd");
            setrlimit(Resource::Nofile, limit).unwrap();
            drop(fillers);
            assert_eq!(spawn(), Some(SpawnPath::SharedFiles));
        });
        done.join().expect("it succeeds");
        driver.run(Command::new("/bin/true"));
        driver.finish();
    });
}

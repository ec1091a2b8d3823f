//! The state of the parent that a spawn leaves unchanged, on every path: POSIX locks, epoll
//! registrations, the dumpable flag, the standard descriptors and the whole descriptor table.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/paths.rs"]
mod paths;
#[path = "spawn_paths/table.rs"]
mod table;

use std::fs::{self, File, OpenOptions};
use std::io::{Write, pipe};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Barrier};

use procession_process_transport::{Command, Fd, SpawnProcess, Step, reserve_spawn_fds};
use procession_protocol::{ProcessProtocol, SpawnPath};
use procession_reactor::Reactor;
use rustix::event::epoll;
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};

use crate::paths::{by, paths};
use crate::table::fd_table;
use crate::util::{
    Driver, PROBE, Standard, WATCHDOG, behaviour, fd_list, forced_path, isolated,
    isolated_without_leak_check, open_fds, root_or_skip, sys,
};

/// Returns whether this process holds a POSIX lock on the file.
fn is_locked(file: &File) -> bool {
    let inode = format!(":{} ", file.metadata().expect("it is open").ino());
    let own = format!(" {} ", std::process::id());
    let locks = fs::read_to_string("/proc/locks").expect("/proc is mounted");
    locks.lines().any(|line| {
        line.contains("POSIX") && line.contains(&own) && format!("{line} ").contains(&inode)
    })
}

/// Closing any descriptor of a file drops the process's locks on it. A spawn closes none in the
/// parent, even of a file that it gives to the child.
#[test]
fn posix_locks_on_a_file_that_is_given_to_a_child_are_kept() {
    behaviour("posix_locks_on_a_file_that_is_given_to_a_child_are_kept", |driver| {
        let file = Arc::new(tempfile::tempfile().unwrap());
        driver.rebase();
        assert!(!is_locked(&file));
        fcntl_lock(&*file, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert!(is_locked(&file), "the test sees its lock");
        for path in paths() {
            let given = |program| {
                let fds = [(0, Fd::inherit(file.clone())), (1, Fd::inherit(file.clone()))];
                by(path, program).child_fds(fds).child_fd(7, Fd::inherit(file.clone()))
            };
            for _ in 0..5 {
                assert_eq!(driver.run(given("/bin/true")).code(), 0);
                assert!(is_locked(&file), "{path:?}");
                driver.fails(given("/no/such/program"));
                driver.fails(given("/bin/true").current_dir("/no/such/directory"));
                assert!(is_locked(&file), "{path:?}, after a failure");
            }
        }
        drop(file);
        driver.rebase();
    });
}

#[test]
fn epoll_registrations_are_kept() {
    behaviour("epoll_registrations_are_kept", |driver| {
        let (reader, mut writer) = pipe().unwrap();
        let reader = Arc::new(reader);
        let poller = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let data = epoll::EventData::new_u64(42);
        epoll::add(&poller, &*reader, data, epoll::EventFlags::IN).unwrap();
        driver.rebase();
        let ready = || {
            let mut events = Vec::with_capacity(4);
            let at_once = rustix::event::Timespec::default();
            let spare = rustix::buffer::spare_capacity(&mut events);
            epoll::wait(&poller, spare, Some(&at_once)).unwrap();
            events.iter().map(|event| event.data.u64()).collect::<Vec<_>>()
        };
        for path in paths() {
            for _ in 0..50 {
                let child = by(path, "/bin/true").child_fd(5, Fd::inherit(reader.clone()));
                assert_eq!(driver.run(child).code(), 0);
            }
            assert!(ready().is_empty(), "{path:?}");
            writer.write_all(b"x").unwrap();
            assert_eq!(ready(), [42], "{path:?}");
            rustix::io::read(&reader, &mut [0_u8; 1]).unwrap();
            driver.fails(by(path, "/no/such/program"));
        }
        drop((reader, writer, poller));
        driver.rebase();
    });
}

/// After spawns that succeed, and spawns that fail at every step, the table is unchanged.
#[test]
fn the_descriptor_table_is_the_same_after_every_spawn() {
    behaviour("the_descriptor_table_is_the_same_after_every_spawn", |driver| {
        let inheritable = sys::copy_at(tempfile::tempfile().unwrap(), 40, false);
        let sparse = sys::copy_at(tempfile::tempfile().unwrap(), 3000, true);
        let own = Arc::new(tempfile::tempfile().unwrap());
        driver.rebase();
        let before = fd_table();
        assert!(before.len() > 5 && before.contains_key(&3000), "{before:?}");
        for path in paths() {
            for target in [0, 3, 4, 9, 64, 1000] {
                let given = |program| by(path, program).child_fd(target, Fd::inherit(own.clone()));
                let child = driver.spawn(given("/bin/true"));
                driver.drive_to_end(&child.record);
                drop(child);
                assert_eq!(fd_table(), before, "{path:?}, {target}");
                driver.fails(given("/no/such/program"));
                assert_eq!(fd_table(), before, "{path:?}, {target}, after a failure");
                driver.fails(given("/bin/true").current_dir("/no/such/directory"));
                assert_eq!(fd_table(), before, "{path:?}, {target}, after a failure");
            }
        }
        drop((inheritable, sparse, own));
        driver.rebase();
    });
}

/// While 0, 1 or 2 are closed, a spawn never creates a pidfd, pipe or socket there.
#[test]
fn a_parent_without_standard_descriptors_can_spawn() {
    behaviour("a_parent_without_standard_descriptors_can_spawn", |driver| {
        drop(Standard::save());
        driver.rebase();
        for subset in 0..8 {
            for path in paths() {
                let standard = Standard::save();
                let closed: Vec<i32> = (0..3).filter(|number| subset & 1 << number != 0).collect();
                closed.iter().for_each(|number| standard.close(*number));
                let before = fd_table();
                let listing = by(path, PROBE)
                    .args(["fdlist", "1"])
                    .child_fd(3, Fd::socketpair())
                    .child_fd(4, Fd::null())
                    .child_fd(5, Fd::same_as(1))
                    .child_fd(
                        6,
                        Fd::file("/dev/null", procession_process_transport::FileMode::Read),
                    );
                let child = driver.spawn(listing);
                let low: Vec<i32> = open_fds().into_keys().filter(|n| *n < 3).collect();
                let expected: Vec<i32> = (0..3).filter(|number| !closed.contains(number)).collect();
                assert_eq!(low, expected, "{path:?}: nothing is made on 0 to 2");
                assert!(child.process.pidfd().unwrap().as_raw_fd() > 2 || !closed.is_empty());
                driver.drive_to_end(&child.record);
                assert_eq!(
                    fd_list(&child.record, 1),
                    [0, 1, 2, 3, 4, 5, 6],
                    "{path:?}, {closed:?}"
                );
                drop(child);
                driver.fails(by(path, "/no/such/program"));
                assert_eq!(fd_table(), before, "{path:?}, {closed:?} closed");
                drop(standard);
            }
        }
    });
}

#[test]
fn a_mailbox_made_without_standard_descriptors_lies_above_them() {
    isolated("a_mailbox_made_without_standard_descriptors_lies_above_them", || {
        drop(Standard::save());
        // The first call also makes those of the launch threads.
        reserve_spawn_fds().unwrap();
        for subset in 0..8 {
            // Each thread has its own mailbox, which is closed when the thread is joined.
            let thread = std::thread::spawn(move || {
                let standard = Standard::save();
                let closed = (0..3).filter(|number| subset & 1 << number != 0);
                closed.for_each(|number| standard.close(number));
                let before = open_fds();
                reserve_spawn_fds().unwrap();
                let made: Vec<i32> =
                    open_fds().into_keys().filter(|fd| !before.contains_key(fd)).collect();
                assert_eq!(made.len(), 2, "{made:?}");
                assert!(made[0] > 2 && made[1] > made[0], "{made:?}");
                drop(standard);
            });
            thread.join().expect("it succeeds");
        }
    });
}

/// A mailbox is closed when its thread ends.
#[test]
fn a_thread_that_spawned_leaves_no_descriptor() {
    isolated("a_thread_that_spawned_leaves_no_descriptor", || {
        let spawn = || {
            let thread = std::thread::spawn(|| {
                let mut driver = Driver::new();
                driver.run(by(paths()[0], "/bin/true"));
                driver.finish();
            });
            thread.join().expect("it succeeds");
        };
        spawn();
        let before = open_fds();
        for _ in 0..20 {
            spawn();
        }
        assert_eq!(open_fds(), before);
    });
}

/// Turns this thread into a user that may set ids, in a process that is dumpable, as a user's
/// processes are.
fn become_user_with_capabilities() {
    use rustix::process::Uid;
    use rustix::thread;
    thread::set_keep_capabilities(true).expect("it is allowed");
    let user = Uid::from_raw(1000);
    thread::set_thread_res_uid(user, user, user).expect("root may");
    let mut sets = thread::capabilities(None).expect("our own");
    sets.effective = sets.permitted;
    thread::set_capabilities(None, sets).expect("they are permitted");
    set_dumpable_behavior(DumpableBehavior::Dumpable).expect("it is allowed");
}

/// Returns the owner of this process's files in /proc, who may inspect the process.
fn owner() -> u32 {
    fs::metadata("/proc/thread-self").expect("/proc is mounted").uid()
}

/// On the path that copies memory, the flag never changes. On a shared path that was forced, it is
/// restored when the child has left.
#[test]
fn the_dumpable_flag_is_as_before_after_a_spawn_with_ids() {
    isolated("the_dumpable_flag_is_as_before_after_a_spawn_with_ids", || {
        if !root_or_skip("the dumpable flag") {
            return;
        }
        become_user_with_capabilities();
        let mut driver = Driver::new();
        let unforced = forced_path().is_none().then(|| Command::new("/bin/true"));
        let forced = paths().into_iter().map(|path| by(path, "/bin/true"));
        for command in forced.chain(unforced) {
            let shown = format!("{command:?}");
            let command = command.uid(65534).gid(65534);
            assert_eq!((dumpable_behavior().unwrap(), owner()), (DumpableBehavior::Dumpable, 1000));
            let child = driver.spawn(command.clone());
            assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::Dumpable, "{shown}");
            assert_eq!(owner(), 1000, "{shown}");
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.code(), 0, "{shown}");
            let error = driver.fails(command.current_dir("/no/such/directory"));
            assert_eq!(error.step(), Step::Chdir);
            let error = driver.fails(by(paths()[0], "/no/such/program").uid(65534).gid(65534));
            assert_eq!(error.step(), Step::Exec);
            assert_eq!((dumpable_behavior().unwrap(), owner()), (DumpableBehavior::Dumpable, 1000));
        }
        // A process that is not dumpable stays so.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap();
        for path in paths() {
            driver.run(by(path, "/bin/true").uid(65534).gid(65534));
            assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        }
    });
}

/// A protocol that ignores every event.
struct SilentProtocol;
impl ProcessProtocol for SilentProtocol {}

/// Several threads write programs and run them, all at once. No child of one thread holds another
/// thread's program open for writing, because its table was never a copy of the parent's. A plain
/// fork has this problem with every 50th child.
#[test]
fn a_shared_table_never_makes_a_program_busy() {
    isolated("a_shared_table_never_makes_a_program_busy", || {
        const THREADS: usize = 3;
        if forced_path().is_some_and(|path| path != SpawnPath::SharedFiles) {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let ready = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let place = dir.path().join(thread.to_string());
                let ready = &ready;
                scope.spawn(move || {
                    reserve_spawn_fds().unwrap();
                    ready.wait();
                    let mut reactor = Reactor::new().unwrap();
                    ready.wait();
                    // These files fill the gaps below the mailboxes, because descriptors below a
                    // mailbox are copied.
                    let filler: Vec<File> =
                        (0..20).map(|_| File::open("/dev/null").unwrap()).collect();
                    ready.wait();
                    for round in 0..150 {
                        write_program(&place);
                        let program = place.to_str().expect("its name is text");
                        let child = by(SpawnPath::SharedFiles, program);
                        let nothing: [(i32, Fd); 0] = [];
                        if let Err(error) =
                            reactor.spawn_process(SilentProtocol, child.child_fds(nothing))
                        {
                            panic!("round {round}: {error}: {:?}", error.io_error());
                        }
                        reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
                        fs::remove_file(&place).unwrap();
                    }
                    drop(filler);
                });
            }
        });
    });
}

fn write_program(place: &Path) {
    let mut file = OpenOptions::new().create_new(true).write(true).open(place).expect("a file");
    file.write_all(&fs::read("/bin/true").expect("a small program")).expect("there is room");
    file.set_permissions(fs::Permissions::from_mode(0o755)).expect("its mode");
}

/// A process that was forked from one that has spawned receives no message for its parent's
/// children, and none of their errors.
#[test]
fn a_forked_process_spawns_by_itself() {
    isolated_without_leak_check("a_forked_process_spawns_by_itself", || {
        for path in paths() {
            let mut first = Driver::new();
            first.run(by(path, "/bin/true"));
            first.finish();
            spawn_in_both(path);
        }
    });
}

/// Both processes spawn at once. Each child has the file of its own parent.
fn spawn_in_both(path: SpawnPath) {
    let (mut go, start) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let copy = sys::fork(|| {
        rustix::io::read(&start, &mut [0_u8; 1]).expect("it goes");
        spawn_own(path);
        0
    });
    go.write_all(b"x").expect("it is read");
    spawn_own(path);
    sys::assert_exits_with_0(copy, &format!("{path:?}"));
}

fn spawn_own(path: SpawnPath) {
    let mut driver = Driver::new();
    let own = Arc::new(tempfile::tempfile().expect("a file"));
    let stat = own.metadata().expect("it is open");
    let inode = format!("0 dev={} ino={} ", stat.dev(), stat.ino());
    for _ in 0..100 {
        let fds = [(0, Fd::inherit(own.clone())), (1, Fd::from_child())];
        let record = driver.run(by(path, PROBE).args(["fdinfo", "1"]).child_fds(fds));
        assert!(record.text(1).starts_with(&inode), "{path:?}: {}", record.text(1));
        let fds = [(0, Fd::inherit(own.clone()))];
        let failed = driver.try_spawn_with(by(path, "/no/such/program").child_fds(fds), |_, _| ());
        let error = failed.err().expect("it does not exist");
        assert_eq!(error.step(), Step::Exec);
    }
    driver.drive_all_to_end(WATCHDOG);
}

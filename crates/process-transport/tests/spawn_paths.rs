//! The path that a spawn takes, and the reasons for a fallback. A fallback is detected and harmless,
//! and the parent's table stays the same whatever a filter does to the calls.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;
#[path = "spawn_paths/paths.rs"]
mod paths;
#[path = "spawn_paths/table.rs"]
mod table;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use procession_process_transport::{Command, Fd, SpawnError, Step, reserve_spawn_fds};
use procession_protocol::SpawnPath;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::filter::{Calls, answer, kill, kills_spare_the_parent_or_skip};
use crate::paths::{by, paths};
use crate::table::fd_table;
use crate::util::{
    Driver, PROBE, Record, behaviour, command, fd_list, forced_path, isolated, open_fds, probe, sys,
};

/// Selects the `close_range` calls that unshare the table.
const UNSHARING: Calls = Calls::With { index: 2, flag: libc::CLOSE_RANGE_UNSHARE as u64 };

/// Selects the `clone` calls that ask for a pidfd.
const WITH_PIDFD: Calls = Calls::With { index: 0, flag: libc::CLONE_PIDFD as u64 };

/// Opens `/dev/null` for reading and writing.
fn null() -> File {
    File::options().read(true).write(true).open("/dev/null").expect("/dev/null")
}

/// Opens inheritable descriptors on the lowest free numbers. A careless spawn would pass them on.
fn inheritable(count: usize) -> Vec<OwnedFd> {
    let open = null();
    let free: Vec<i32> = (3..).filter(|number| !sys::is_open(*number)).take(count).collect();
    free.into_iter().map(|number| sys::copy_at(&open, number, false)).collect()
}

/// A command that lists its descriptors, with only 1 and 9 open.
fn lists() -> Command {
    probe(["fdlist", "1"]).child_fds([(1, Fd::from_child()), (9, Fd::null())])
}

/// Spawns a child on the best path of this moment, and checks that the table is unchanged. Returns
/// the path.
fn spawn_on_best_path(driver: &mut Driver) -> Option<SpawnPath> {
    let before = fd_table();
    let child = driver.spawn(lists());
    let path = child.process.spawned_by();
    driver.drive_to_end(&child.record);
    assert_eq!(fd_list(&child.record, 1), [1, 9], "{path:?}");
    drop(child);
    assert_eq!(fd_table(), before, "{path:?}");
    path
}

/// Asserts that the shared table is refused with this error, and that nothing changed.
#[track_caller]
fn assert_refused(driver: &mut Driver, errno: i32) {
    let before = fd_table();
    let error = driver.fails(by(SpawnPath::SharedFiles, "/bin/true"));
    assert_eq!((error.step(), error.raw_os_error()), (Step::Validate, Some(errno)), "{error:?}");
    assert_eq!(fd_table(), before);
}

/// Tries both orders: the filter is there before the first launch, or it comes after it.
///
/// A run that forces a path makes no choice, so it skips this.
fn check_fallback(name: &str, filter: impl Fn(), errno: i32, to: SpawnPath) {
    isolated(name, || {
        if forced_path().is_some() {
            return;
        }
        let _inheritable = inheritable(2);
        reserve_spawn_fds().expect("a mailbox");
        // In this copy, the first launch meets the filter.
        let copy = sys::fork(|| {
            filter();
            reserve_spawn_fds().expect("a mailbox"); // its own: the inherited one is the parent's
            let mut driver = Driver::new();
            assert_refused(&mut driver, errno);
            assert_eq!(spawn_on_best_path(&mut driver), Some(to), "chosen from the first");
            driver.finish();
            0
        });
        sys::assert_exits_with_0(copy, "the copy");
        let mut driver = Driver::new();
        assert_eq!(
            spawn_on_best_path(&mut driver),
            Some(SpawnPath::SharedFiles),
            "without a filter"
        );
        filter();
        assert_refused(&mut driver, errno);
        assert_eq!(spawn_on_best_path(&mut driver), Some(to), "a child that refuses falls back");
        driver.finish();
    });
}

#[test]
fn the_first_launch_takes_the_mailbox_path_here() {
    behaviour("the_first_launch_takes_the_mailbox_path_here", |driver| {
        let expected = forced_path().unwrap_or(SpawnPath::SharedFiles);
        assert_eq!(spawn_on_best_path(driver), Some(expected));
    });
}

#[test]
fn every_path_can_be_forced_and_says_so() {
    behaviour("every_path_can_be_forced_and_says_so", |driver| {
        for path in paths() {
            let before = fd_table();
            let child = driver.spawn(by(path, "/bin/cat"));
            assert_eq!(child.process.spawned_by(), Some(path));
            child.process.close_stdin();
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.code(), 0);
            drop(child);
            assert_eq!(fd_table(), before, "{path:?}");
        }
    });
}

#[test]
fn a_filter_that_denies_close_range_is_detected() {
    let filter = || answer(libc::SYS_close_range, Calls::All, libc::EPERM);
    let name = "a_filter_that_denies_close_range_is_detected";
    check_fallback(name, filter, libc::EPERM, SpawnPath::SharedMemory);
}

#[test]
fn a_kernel_without_close_range_is_detected_and_the_list_in_proc_is_used() {
    let filter = || answer(libc::SYS_close_range, Calls::All, libc::ENOSYS);
    let name = "a_kernel_without_close_range_is_detected_and_the_list_in_proc_is_used";
    check_fallback(name, filter, libc::ENOSYS, SpawnPath::SharedMemory);
}

#[test]
fn a_table_that_cannot_be_copied_for_lack_of_memory_is_detected() {
    let filter = || answer(libc::SYS_close_range, UNSHARING, libc::ENOMEM);
    let name = "a_table_that_cannot_be_copied_for_lack_of_memory_is_detected";
    check_fallback(name, filter, libc::ENOMEM, SpawnPath::SharedMemory);
}

#[test]
fn a_filter_that_fakes_the_success_of_unsharing_is_detected() {
    let filter = || answer(libc::SYS_close_range, UNSHARING, 0);
    let name = "a_filter_that_fakes_the_success_of_unsharing_is_detected";
    check_fallback(name, filter, libc::EPERM, SpawnPath::SharedMemory);
}

/// Old container runtimes answer ENOSYS to calls that they do not know.
#[test]
fn spawning_works_without_clone3_and_pidfd_open() {
    isolated("spawning_works_without_clone3_and_pidfd_open", || {
        for call in [libc::SYS_clone3, libc::SYS_pidfd_open, libc::SYS_execveat] {
            answer(call, Calls::All, libc::ENOSYS);
        }
        let mut driver = Driver::new();
        let expected = forced_path().unwrap_or(SpawnPath::SharedFiles);
        assert_eq!(spawn_on_best_path(&mut driver), Some(expected));
        driver.finish();
    });
}

/// An emulator refuses the flag.
#[test]
fn a_pidfd_that_the_clone_refuses_is_opened() {
    isolated("a_pidfd_that_the_clone_refuses_is_opened", || {
        answer(libc::SYS_clone, WITH_PIDFD, libc::EINVAL);
        let mut driver = Driver::new();
        for command in [command("/bin/cat"), command("/bin/cat").owned(true)] {
            let child = driver.spawn(command);
            drop(child.process.pidfd().expect("the call for it is allowed"));
            child.process.close_stdin();
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.code(), 0);
        }
        driver.finish();
    });
}

/// The exit is then seen with SIGCHLD.
#[test]
fn a_clone_without_pidfds_is_supported() {
    isolated("a_clone_without_pidfds_is_supported", || {
        answer(libc::SYS_clone, WITH_PIDFD, libc::EINVAL);
        answer(libc::SYS_pidfd_open, Calls::All, libc::ENOSYS);
        let mut driver = Driver::new();
        let child = driver.spawn(command("/bin/cat"));
        let error = child.process.pidfd().expect_err("there is none");
        assert_ne!(error.raw_os_error(), Some(libc::EBADF), "{error}");
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 0);
        driver.rebase();
        driver.run(command("/bin/true"));
        driver.finish();
    });
}

/// Every path closes each gap between the targets. A number below the cut that is no target was
/// copied with the table, whether inheritable or not.
#[test]
fn an_inheritable_descriptor_below_the_cut_is_not_in_the_childs_list() {
    isolated("an_inheritable_descriptor_below_the_cut_is_not_in_the_childs_list", || {
        let below = inheritable(6);
        let before = open_fds();
        reserve_spawn_fds().unwrap();
        let receiver = mailbox(&before);
        let above = sys::copy_at(null(), receiver + 40, false);
        assert!(below.iter().all(|fd| std::os::fd::AsRawFd::as_raw_fd(fd) < receiver));
        let mut driver = Driver::new();
        for path in paths() {
            for targets in [vec![1], vec![1, 2, 4, 9], vec![0, 1, 2, 5, 6, 60, receiver]] {
                let map = targets.iter().map(|number| match number {
                    1 => (1, Fd::from_child()),
                    number => (*number, Fd::null()),
                });
                let record = driver.run(by(path, PROBE).args(["fdlist", "1"]).child_fds(map));
                let mut expected = targets.clone();
                expected.sort_unstable();
                assert_eq!(fd_list(&record, 1), expected, "{path:?}");
            }
        }
        driver.finish();
        drop((below, above));
    });
}

/// Returns the receiver of this thread's mailbox, which was created after `before` was recorded.
fn mailbox(before: &std::collections::BTreeMap<i32, String>) -> i32 {
    let made: Vec<i32> =
        open_fds().into_keys().filter(|number| !before.contains_key(number)).collect();
    // Those of the launch threads lie above.
    let [receiver, sender, ..] = made[..] else { panic!("two descriptors: {made:?}") };
    assert!(3 <= receiver && receiver < sender, "{made:?}");
    receiver
}

/// A child that is killed before it has received its descriptors died by that signal, which is not
/// an error. Its message does not stay in the mailbox for the next child.
#[test]
fn a_child_killed_before_receipt_leaves_nothing_in_the_mailbox() {
    isolated("a_child_killed_before_receipt_leaves_nothing_in_the_mailbox", || {
        if !kills_spare_the_parent_or_skip(
            "a_child_killed_before_receipt_leaves_nothing_in_the_mailbox",
        ) {
            return;
        }
        if forced_path().is_some_and(|path| path != SpawnPath::SharedFiles) {
            return;
        }
        let before = open_fds();
        reserve_spawn_fds().unwrap();
        let receiver = mailbox(&before);
        let mut driver = Driver::new();
        let secret = Arc::new(tempfile::tempfile().unwrap());
        driver.rebase();
        let table = fd_table();
        kill(libc::SYS_recvmsg);
        for _ in 0..3 {
            let fds = [(0, Fd::inherit(secret.clone())), (1, Fd::from_child())];
            let victim = by(SpawnPath::SharedFiles, "/bin/true").child_fds(fds);
            let child = driver.spawn(victim);
            assert_eq!(child.process.spawned_by(), Some(SpawnPath::SharedFiles));
            let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
            let left = recv(sys::borrow(receiver), &mut [0_u8; 8][..], flags).map(|(n, _)| n);
            assert_eq!(left, Err(Errno::AGAIN), "no message is left");
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.signal(), libc::SIGSYS);
            drop(child);
            assert_eq!(fd_table(), table);
        }
        // A child without descriptors receives no message, and so passes the filter.
        let nothing: [(i32, Fd); 0] = [];
        let next = by(SpawnPath::SharedFiles, "/bin/true").child_fds(nothing);
        assert_eq!(driver.run(next).code(), 0);
        driver.finish();
    });
}

/// If the mailbox has a high number, a shared table would cost as much as a copied one.
#[test]
fn a_mailbox_that_lies_high_is_not_used() {
    isolated("a_mailbox_that_lies_high_is_not_used", || {
        if forced_path().is_some() {
            return;
        }
        let many: Vec<File> = (0..300).map(|_| null()).collect();
        let mut late = Driver::new();
        assert_eq!(spawn_on_best_path(&mut late), Some(SpawnPath::SharedMemory));
        let error = late.fails(by(SpawnPath::SharedFiles, "/bin/true"));
        assert_eq!(error.step(), Step::Validate, "{error:?}");
        late.finish();
        drop(many);
    });
}

#[test]
fn a_mailbox_that_was_reserved_stays_low() {
    isolated("a_mailbox_that_was_reserved_stays_low", || {
        if forced_path().is_some() {
            return;
        }
        reserve_spawn_fds().unwrap();
        let many: Vec<File> = (0..300).map(|_| null()).collect();
        let mut driver = Driver::new();
        assert_eq!(spawn_on_best_path(&mut driver), Some(SpawnPath::SharedFiles));
        driver.finish();
        drop(many);
    });
}

/// One message carries at most 253 descriptors.
#[test]
fn more_descriptors_than_a_message_carries_take_the_copied_table() {
    behaviour("more_descriptors_than_a_message_carries_take_the_copied_table", |driver| {
        if forced_path().is_some() {
            return;
        }
        let shared = Arc::new(null());
        driver.rebase();
        for (count, path) in [(253, SpawnPath::SharedFiles), (254, SpawnPath::SharedMemory)] {
            let map = |count| {
                let nulls = (2..=count).map(|number| (number, Fd::inherit(shared.clone())));
                std::iter::once((1, Fd::from_child())).chain(nulls)
            };
            let child = driver.spawn(probe(["fdlist", "1"]).child_fds(map(count)));
            assert_eq!(child.process.spawned_by(), Some(path));
            driver.drive_to_end(&child.record);
            assert_eq!(fd_list(&child.record, 1), (1..=count).collect::<Vec<_>>());
            let forced = by(SpawnPath::SharedFiles, PROBE).args(["fdlist", "1"]);
            if path == SpawnPath::SharedMemory {
                let error = driver.fails(forced.child_fds(map(count)));
                let found = (error.step(), error.raw_os_error());
                assert_eq!(found, (Step::Validate, Some(libc::ETOOMANYREFS)), "{error:?}");
                let message = error.to_string();
                assert!(
                    message.contains("253 descriptors") && message.contains("254"),
                    "{message}"
                );
            }
        }
        drop(shared);
        driver.rebase();
    });
}

/// A closure of the caller runs in copied memory, whichever paths work here.
#[test]
fn pre_exec_takes_the_path_that_copies_memory() {
    behaviour("pre_exec_takes_the_path_that_copies_memory", |driver| {
        if forced_path().is_none() {
            let child = driver.spawn(sys::pre_exec(Command::new("/bin/true"), 0));
            assert_eq!(child.process.spawned_by(), Some(SpawnPath::Fork));
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.code(), 0);
        }
        for path in paths() {
            let command = sys::pre_exec(by(path, "/bin/true"), 0);
            if path == SpawnPath::Fork {
                assert_eq!(driver.run(command).code(), 0);
            } else {
                assert_step(&driver.fails(command), Step::Validate, libc::EINVAL);
            }
        }
    });
}

/// A child with other ids runs in copied memory, unless a shared path is forced.
#[test]
fn a_change_of_ids_takes_the_path_that_copies_memory() {
    behaviour("a_change_of_ids_takes_the_path_that_copies_memory", |driver| {
        if !util::root_or_skip("ids by path") {
            return;
        }
        let nobody = |command: Command| command.uid(65534).gid(65534);
        if forced_path().is_none() {
            let child = driver.spawn(nobody(Command::new("/bin/true")));
            assert_eq!(child.process.spawned_by(), Some(SpawnPath::Fork));
            driver.drive_to_end(&child.record);
            let own = Command::new("/bin/true").groups([7]);
            let child = driver.spawn(own);
            assert_eq!(child.process.spawned_by(), Some(SpawnPath::SharedFiles), "no id changes");
            driver.drive_to_end(&child.record);
        }
        for path in paths() {
            let child = driver.spawn(nobody(by(path, "/bin/true")));
            assert_eq!(child.process.spawned_by(), Some(path));
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.code(), 0);
        }
    });
}

#[track_caller]
fn assert_step(error: &SpawnError, step: Step, errno: i32) {
    assert_eq!((error.step(), error.raw_os_error()), (step, Some(errno)), "{error:?}");
}

/// Without `close_range` and /proc, every number up to the limit is marked.
#[test]
fn without_close_range_and_proc_the_limit_bounds_the_closing() {
    isolated("without_close_range_and_proc_the_limit_bounds_the_closing", || {
        let low = inheritable(3);
        let high = sys::copy_at(null(), 900, false);
        let mut driver = Driver::new();
        answer(libc::SYS_close_range, Calls::All, libc::ENOSYS);
        answer(libc::SYS_getdents64, Calls::All, libc::ENOSYS);
        for path in paths().into_iter().filter(|path| *path != SpawnPath::SharedFiles) {
            let fds = [(1, Fd::from_child()), (9, Fd::null())];
            let child = driver.spawn(by(path, PROBE).args(["fdlist", "1"]).child_fds(fds));
            driver.drive_to_end(&child.record);
            assert_eq!(fd_list(&child.record, 1), [1, 9], "{path:?}");
        }
        drop((low, high));
    });
}

/// As in `std`, a closure finds the child's own mask, and the program starts with the mask that the
/// closure leaves.
#[test]
fn pre_exec_has_the_last_word_on_the_signal_mask() {
    behaviour("pre_exec_has_the_last_word_on_the_signal_mask", |driver| {
        if forced_path().is_some_and(|path| path != SpawnPath::Fork) {
            return;
        }
        let status = || by(SpawnPath::Fork, "/bin/cat").arg("/proc/self/status");
        let blocked = |record: &Record| {
            let text = record.text(1);
            let line = text.lines().find_map(|line| line.strip_prefix("SigBlk:\t"));
            u64::from_str_radix(line.expect("there is such a line"), 16).expect("a number")
        };
        let mask = |signals: &[i32]| signals.iter().fold(0, |set, signal| set | 1 << (signal - 1));
        let record = driver.run(sys::pre_exec_blocking(status(), &[], libc::SIGUSR1));
        assert_eq!(blocked(&record), mask(&[libc::SIGUSR1]));
        sys::block(&[libc::SIGUSR2]);
        let inheriting = status().inherit_signals();
        let record =
            driver.run(sys::pre_exec_blocking(inheriting, &[libc::SIGUSR2], libc::SIGUSR1));
        assert_eq!(blocked(&record), mask(&[libc::SIGUSR1, libc::SIGUSR2]));
    });
}

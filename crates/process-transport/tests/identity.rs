//! Area UG: children with other users and groups. All but one of these need root.
#![cfg(feature = "reactor")]

mod util;

use std::fs;

use procession_process_transport::Step;
use rustix::process::Gid;
use rustix::thread::set_thread_groups;

use crate::util::users::{NOBODY, PublicProbe, become_nobody, set_mode};
use crate::util::{PROBE, command, in_every_way, root_or_skip, sh};

/// A user and group that no system knows.
const UNKNOWN: u32 = 54321;

/// Case UG-01.
#[test]
fn a_child_can_have_another_user() {
    in_every_way("a_child_can_have_another_user", |driver| {
        if !root_or_skip("UG-01") {
            return;
        }
        let probe = PublicProbe::new();
        let record = driver.run(probe.run("ids").uid(NOBODY));
        assert!(record.text(1).starts_with("(65534, 65534, 65534) "), "{}", record.text(1));
        assert_eq!(record.code(), 0);
    });
}

/// Case UG-02.
#[test]
fn a_child_can_have_another_group_and_the_same_user() {
    in_every_way("a_child_can_have_another_group_and_the_same_user", |driver| {
        if !root_or_skip("UG-02") {
            return;
        }
        let record = driver.run(command(PROBE).arg("ids").gid(NOBODY));
        assert_eq!(record.text(1), "(0, 0, 0) (65534, 65534, 65534) [65534]\n");
        assert_eq!(record.code(), 0);
    });
}

/// Case UG-03. Case UG-04: no group of the parent survives.
#[test]
fn all_six_ids_change_and_the_parents_groups_are_gone() {
    in_every_way("all_six_ids_change_and_the_parents_groups_are_gone", |driver| {
        if !root_or_skip("UG-03, UG-04") {
            return;
        }
        let probe = PublicProbe::new();
        set_thread_groups(&[0, 4, 24].map(Gid::from_raw)).unwrap();
        let record = driver.run(probe.run("ids").uid(NOBODY).gid(NOBODY));
        assert_eq!(record.text(1), "(65534, 65534, 65534) (65534, 65534, 65534) [65534]\n");
        assert_eq!(record.code(), 0);
    });
}

/// Case UG-05.
#[test]
fn privileges_cannot_be_regained() {
    in_every_way("privileges_cannot_be_regained", |driver| {
        if !root_or_skip("UG-05") {
            return;
        }
        let probe = PublicProbe::new();
        let record = driver.run(probe.run("regain").uid(NOBODY).gid(NOBODY));
        assert_eq!(record.text(2), format!("errno {}\n", libc::EPERM));
        assert_eq!(record.code(), 1);
    });
}

/// Returns the uids of every thread of this process, as the kernel prints them.
fn uids_of_all_threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("/proc is mounted");
    tasks
        .map(|task| {
            let path = task.expect("an entry").path().join("status");
            let status = fs::read_to_string(path).expect("a thread");
            let line = status.lines().find(|line| line.starts_with("Uid:"));
            line.expect("the kernel prints it").to_owned()
        })
        .collect()
}

/// Case UG-06.
#[test]
fn the_parents_threads_keep_their_ids() {
    in_every_way("the_parents_threads_keep_their_ids", |driver| {
        if !root_or_skip("UG-06") {
            return;
        }
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || stopped.recv().ok());
        let before = uids_of_all_threads();
        assert!(before.len() >= 2, "{before:?}");
        assert_eq!(driver.run(command("/bin/true").uid(NOBODY).gid(NOBODY)).code(), 0);
        assert_eq!(uids_of_all_threads(), before);
        assert!(before.iter().all(|uids| uids == "Uid:\t0\t0\t0\t0"), "{before:?}");
        drop(stop);
        thread.join().unwrap();
    });
}

/// Case UG-07.
#[test]
fn ids_that_are_not_permitted_are_an_error() {
    in_every_way("ids_that_are_not_permitted_are_an_error", |driver| {
        if !root_or_skip("UG-07") {
            return;
        }
        become_nobody(&[]);
        for command in [command("/bin/true").uid(0), command("/bin/true").gid(0)] {
            let error = driver.fails(command);
            assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
            assert!(matches!(error.step(), Step::Groups | Step::Gid | Step::Uid), "{error}");
        }
    });
}

/// Case UG-08.
#[test]
fn the_id_that_means_none_is_refused() {
    in_every_way("the_id_that_means_none_is_refused", |driver| {
        for command in [command("/bin/true").uid(u32::MAX), command("/bin/true").gid(u32::MAX)] {
            let error = driver.fails(command);
            assert_eq!((error.step(), error.raw_os_error()), (Step::Validate, Some(libc::EINVAL)));
        }
    });
}

/// Case UG-10.
#[test]
fn a_program_that_the_new_user_cannot_reach_is_an_error() {
    in_every_way("a_program_that_the_new_user_cannot_reach_is_an_error", |driver| {
        if !root_or_skip("UG-10") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), 0o700);
        let script = dir.path().join("script");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        set_mode(&script, 0o755);
        let error = driver.fails(command(&script).uid(NOBODY).gid(NOBODY));
        assert_eq!((error.step(), error.raw_os_error()), (Step::Exec, Some(libc::EACCES)));
        assert_eq!(driver.run(command(&script)).code(), 0, "root can");
    });
}

/// Case UG-11.
#[test]
fn the_directory_is_entered_before_the_ids_change() {
    in_every_way("the_directory_is_entered_before_the_ids_change", |driver| {
        if !root_or_skip("UG-11") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), 0o700);
        let child = command("/bin/true").current_dir(dir.path()).uid(NOBODY).gid(NOBODY);
        assert_eq!(driver.run(child).code(), 0);
    });
}

/// Case UG-12.
#[test]
fn ids_that_passwd_does_not_know_are_used_unchanged() {
    in_every_way("ids_that_passwd_does_not_know_are_used_unchanged", |driver| {
        if !root_or_skip("UG-12") {
            return;
        }
        let probe = PublicProbe::new();
        let record = driver.run(probe.run("ids").uid(UNKNOWN).gid(UNKNOWN));
        assert_eq!(record.text(1), "(54321, 54321, 54321) (54321, 54321, 54321) [54321]\n");
        assert_eq!(record.code(), 0);
    });
}

/// Case UG-13.
#[test]
fn groups_are_the_ones_that_are_named() {
    in_every_way("groups_are_the_ones_that_are_named", |driver| {
        if !root_or_skip("UG-13") {
            return;
        }
        let record = driver.run(command(PROBE).arg("ids").groups([1, 2, 3]));
        assert!(record.text(1).ends_with(" [1, 2, 3]\n"), "{}", record.text(1));
        assert_eq!(record.code(), 0);
        let error = driver.fails(command("/bin/true").groups(0..65_537));
        assert_eq!((error.step(), error.raw_os_error()), (Step::Groups, Some(libc::EINVAL)));
    });
}

/// Case UG-30.
#[test]
fn ids_above_16_bits_reach_the_child() {
    in_every_way("ids_above_16_bits_reach_the_child", |driver| {
        if !root_or_skip("UG-30") {
            return;
        }
        let probe = PublicProbe::new();
        let ids = probe.run("ids").uid(100_001).gid(100_002).groups([3, 100_003]);
        let record = driver.run(ids);
        let wanted = "(100001, 100001, 100001) (100002, 100002, 100002) [3, 100003]\n";
        assert_eq!(record.text(1), wanted);
        assert_eq!(record.code(), 0);
    });
}

/// Case UG-14.
#[test]
fn a_user_brings_its_own_group_or_needs_one() {
    in_every_way("a_user_brings_its_own_group_or_needs_one", |driver| {
        if !root_or_skip("UG-14") {
            return;
        }
        let probe = PublicProbe::new();
        let record = driver.run(probe.run("ids").uid(NOBODY));
        assert_eq!(record.text(1), "(65534, 65534, 65534) (65534, 65534, 65534) [65534]\n");
        assert_eq!(record.code(), 0);
        let error = driver.fails(command("/bin/true").uid(UNKNOWN));
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        assert!(matches!(error.step(), Step::Validate | Step::Resolve), "{error}");
    });
}

/// A change to the process's own ids needs no privilege.
#[test]
fn a_change_to_ones_own_ids_needs_no_privilege() {
    in_every_way("a_change_to_ones_own_ids_needs_no_privilege", |driver| {
        if !root_or_skip("ids without privilege") {
            return;
        }
        become_nobody(&[]);
        let record = driver.run(sh("exit 6").uid(NOBODY).gid(NOBODY));
        assert_eq!(record.code(), 6);
    });
}

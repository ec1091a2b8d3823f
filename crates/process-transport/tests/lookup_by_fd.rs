//! Programs and directories that are named by a descriptor of the parent. `/proc/self/fd/N` refers
//! to the parent's descriptor while the child looks up the path, and the program itself does not
//! get it.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/paths.rs"]
mod paths;

use std::fs::File;
use std::os::fd::AsRawFd;

use procession_process_transport::{Command, Fd, Step};
use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::paths::{by, paths};
use crate::util::{PROBE, behaviour, fd_list, sys};

#[test]
fn a_program_that_is_named_by_a_descriptor_runs_without_that_descriptor() {
    let name = "a_program_that_is_named_by_a_descriptor_runs_without_that_descriptor";
    behaviour(name, |driver| {
        let open = File::open(PROBE).unwrap();
        let high = sys::copy_at(&open, 1300, true);
        let path_only = openat(CWD, PROBE, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        driver.rebase();
        for path in paths() {
            for number in [open.as_raw_fd(), high.as_raw_fd(), path_only.as_raw_fd()] {
                for folder in ["/proc/self/fd", "/proc/thread-self/fd", "/dev/fd"] {
                    let program = format!("{folder}/{number}");
                    let list = || by(path, &program).args(["fdlist", "1"]);
                    let child = driver.spawn(list());
                    driver.drive_to_end(&child.record);
                    assert_eq!(fd_list(&child.record, 1), [0, 1, 2], "{path:?} {program}");
                    // Also on the path for a closure.
                    if path == procession_protocol::SpawnPath::Fork {
                        let child = driver.spawn(sys::pre_exec(list(), 0));
                        driver.drive_to_end(&child.record);
                        assert_eq!(fd_list(&child.record, 1), [0, 1, 2], "{path:?} {program}");
                    }
                }
            }
        }
        drop((open, high, path_only));
        driver.rebase();
    });
}

#[test]
fn a_directory_that_is_named_by_a_descriptor_is_found() {
    behaviour("a_directory_that_is_named_by_a_descriptor_is_found", |driver| {
        let root = File::open("/").unwrap();
        let bin = File::open("/bin").unwrap();
        driver.rebase();
        for path in paths() {
            let here = format!("/proc/self/fd/{}", root.as_raw_fd());
            let pwd = format!("/proc/self/fd/{}/sh", bin.as_raw_fd());
            let child = driver.spawn(by(path, &pwd).args(["-c", "pwd -P"]).current_dir(here));
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.text(1), "/\n", "{path:?}");
        }
        drop((root, bin));
        driver.rebase();
    });
}

/// A number of the map refers to the child's own descriptor. A number that is not open is not
/// found.
#[test]
fn a_number_of_the_map_is_the_childs() {
    behaviour("a_number_of_the_map_is_the_childs", |driver| {
        let probe = std::sync::Arc::new(File::open(PROBE).unwrap());
        let null = File::open("/dev/null").unwrap();
        driver.rebase();
        for path in paths() {
            let number = null.as_raw_fd();
            let program = format!("/proc/self/fd/{number}");
            let child = driver.spawn(
                by(path, &program)
                    .args(["fdlist", "1"])
                    .child_fd(number, Fd::inherit(probe.clone())),
            );
            driver.drive_to_end(&child.record);
            assert_eq!(fd_list(&child.record, 1), [0, 1, 2, number], "{path:?}");
            let error = driver.fails(by(path, "/proc/self/fd/900"));
            assert_eq!((error.step(), error.raw_os_error()), (Step::Exec, Some(libc::ENOENT)));
            let error =
                driver.fails(Command::new("/bin/true").spawn_path(path).current_dir("/dev/fd/900"));
            assert_eq!((error.step(), error.raw_os_error()), (Step::Chdir, Some(libc::ENOENT)));
        }
        drop((probe, null));
        driver.rebase();
    });
}

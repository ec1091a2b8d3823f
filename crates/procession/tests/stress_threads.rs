//! Area ST: children beside threads that open descriptors and wait for children of their own.

#[path = "stress/mod.rs"]
mod stress;

use std::collections::VecDeque;
use std::fs::File;
use std::process::Command as StdCommand;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use procession::prelude::*;

use crate::stress::{Spawned, behaviour, list_fds, listed, sh, with_directory};

/// Case ST-07, with eight threads.
#[test]
fn five_hundred_children_list_exactly_their_descriptors() {
    behaviour("five_hundred_children_list_exactly_their_descriptors", |driver| {
        let going = AtomicBool::new(true);
        let opened = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while going.load(Ordering::Relaxed) {
                        let cloexec = File::open("/dev/null").expect("/dev/null");
                        let inheritable = rustix::io::dup(&cloexec).expect("a number");
                        let (reader, writer) = rustix::pipe::pipe().expect("inheritable ends");
                        drop((cloexec, inheritable, reader, writer));
                        opened.fetch_add(1, Ordering::Relaxed);
                        std::thread::yield_now();
                    }
                });
            }
            let mut alive: VecDeque<(i32, Spawned)> = VecDeque::new();
            for round in 0..500 {
                let other = 3 + round % 40;
                let fds = [(1, Fd::from_child()), (other, Fd::null())];
                alive.push_back((other, driver.spawn(list_fds().child_fds(fds))));
                if alive.len() == 4 {
                    let (other, child) = alive.pop_front().unwrap();
                    driver.drive_to_end(&child.record);
                    assert_eq!(listed(&child.record), with_directory(&[1, other]));
                }
            }
            for (other, child) in alive {
                driver.drive_to_end(&child.record);
                assert_eq!(listed(&child.record), with_directory(&[1, other]));
            }
            going.store(false, Ordering::Relaxed);
        });
        assert!(opened.load(Ordering::Relaxed) > 500, "the threads did little");
    });
}

/// Case ST-08.
#[test]
fn children_of_std_in_other_threads_keep_their_statuses() {
    behaviour("children_of_std_in_other_threads_keep_their_statuses", |driver| {
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let status = StdCommand::new("/bin/sh").args(["-c", "exit 7"]).status();
                        assert_eq!(status.expect("nobody else waits").code(), Some(7));
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let mut alive: VecDeque<Spawned> = VecDeque::new();
            for _ in 0..500 {
                alive.push_back(driver.spawn(sh("exit 3")));
                if alive.len() == 20 {
                    let child = alive.pop_front().unwrap();
                    driver.drive_to_end(&child.record);
                    assert_eq!(child.record.code(), 3);
                }
            }
            for child in alive {
                driver.drive_to_end(&child.record);
                assert_eq!(child.record.code(), 3);
            }
        });
        assert_eq!(done.into_inner(), 800);
    });
}

//! Adaptive pipes: a pipe starts with the system's default size and grows when much data passes. If
//! the kernel refuses once, the pipe is not grown again.
#![cfg(feature = "reactor")]

mod util;

use std::os::fd::AsFd;

use procession_process_transport::Fd;

use crate::util::{
    Driver, Event, Spawned, WATCHDOG, behaviour, command, ms, probe, root_or_skip, sh,
};

/// The system's default size.
const DEFAULT_BYTES: usize = 64 << 10;
/// The size to which a pipe grows.
const LARGEST_BYTES: usize = 1 << 20;

/// Drives the loop to the child's end. Returns the largest size that the pipe of `fd` had.
fn largest_size(driver: &mut Driver, child: &Spawned, fd: i32) -> usize {
    let mut largest_size = 0;
    driver.until("the end", WATCHDOG, || {
        largest_size = largest_size.max(child.process.pipe_size(fd).unwrap_or(0));
        child.record.ended().is_some()
    });
    largest_size
}

#[test]
fn the_pipe_of_a_bulk_grows_and_that_of_a_trickle_does_not() {
    behaviour("the_pipe_of_a_bulk_grows_and_that_of_a_trickle_does_not", |driver| {
        // The flood begins before the loop turns, so the loop finds the pipe full.
        let bulk = driver.spawn(probe(["blocks", "500", "131072"]));
        assert_eq!(bulk.process.pipe_size(1), Some(DEFAULT_BYTES));
        assert_eq!(largest_size(driver, &bulk, 1), LARGEST_BYTES);
        let trickle = driver.spawn(sh("i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done"));
        assert_eq!(largest_size(driver, &trickle, 1), DEFAULT_BYTES);
        let off = driver.spawn(probe(["blocks", "500", "131072"]).adaptive_pipes(false));
        assert_eq!(largest_size(driver, &off, 1), DEFAULT_BYTES);
        assert_eq!(off.record.data(1).len(), 500 << 17);
    });
}

#[test]
fn the_pipe_to_a_child_grows_too() {
    behaviour("the_pipe_to_a_child_grows_too", |driver| {
        let child = driver.spawn_with(sh("cat >/dev/null"), {
            let mut left = 500;
            move |process, event| match event {
                Event::Made | Event::Drained(0) if left > 0 => {
                    left -= 1;
                    process.write(vec![0; 128 << 10]);
                }
                Event::Drained(0) => process.close_stdin(),
                _ => {}
            }
        });
        assert_eq!(child.process.pipe_size(0), Some(DEFAULT_BYTES));
        assert!(largest_size(driver, &child, 0) > DEFAULT_BYTES);
    });
}

#[test]
fn a_descriptor_that_is_no_pipe_has_no_pipe_size() {
    behaviour("a_descriptor_that_is_no_pipe_has_no_pipe_size", |driver| {
        let child = driver.spawn(sh("head -c 3000000 /dev/zero >&5").child_fd(5, Fd::socketpair()));
        assert_eq!((child.process.pipe_size(5), child.process.pipe_size(9)), (None, None));
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.data(5).len(), 3_000_000);
    });
}

/// `pipe-user-pages-soft` is used up. The pipe keeps its size, and nothing is lost.
#[test]
fn a_refusal_to_grow_is_no_failure() {
    if !root_or_skip("a_refusal_to_grow_is_no_failure") {
        return;
    }
    behaviour("a_refusal_to_grow_is_no_failure", |driver| {
        // A user id for this run alone: no other program frees pipes of this user.
        let user = rustix::process::Uid::from_raw(1_955_000_000 + std::process::id());
        let mut pipes = Vec::new();
        rustix::thread::set_thread_res_uid(user, user, rustix::process::Uid::ROOT).unwrap();
        loop {
            let (read, write) = std::io::pipe().unwrap();
            let grown = rustix::pipe::fcntl_setpipe_size(read.as_fd(), LARGEST_BYTES);
            pipes.push((read, write));
            if grown.is_err() {
                break;
            }
            assert!(pipes.len() < 2000, "there is no limit");
        }
        let child = driver.spawn(command("/usr/bin/head").args(["-c", "50000000", "/dev/zero"]));
        let largest_size = largest_size(driver, &child, 1);
        assert!(largest_size <= DEFAULT_BYTES, "{largest_size}");
        assert_eq!(child.record.data(1).len(), 50_000_000);
        drop(pipes);
        rustix::thread::set_thread_res_uid(
            rustix::process::Uid::ROOT,
            rustix::process::Uid::ROOT,
            rustix::process::Uid::ROOT,
        )
        .unwrap();
        driver.run_for(ms(1));
    });
}

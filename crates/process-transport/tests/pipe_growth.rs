//! Adaptive pipes: the system's default until a bulk passes, then larger; a refusal is final.
#![cfg(feature = "reactor")]

mod util;

use std::os::fd::AsFd;

use procession_process_transport::Fd;

use crate::util::{
    Driver, Event, Spawned, WATCHDOG, behaviour, command, ms, probe, root_or_skip, sh,
};

/// The system's default.
const DEFAULT_BYTES: usize = 64 << 10;
/// What a bulk grows to.
const LARGEST_BYTES: usize = 1 << 20;

/// Drives the loop to the child's end; the largest size that the pipe of `fd` had.
fn largest(driver: &mut Driver, child: &Spawned, fd: i32) -> usize {
    let mut largest = 0;
    driver.until("the end", WATCHDOG, || {
        largest = largest.max(child.process.pipe_size(fd).unwrap_or(0));
        child.record.ended().is_some()
    });
    largest
}

#[test]
fn the_pipe_of_a_bulk_grows_and_that_of_a_trickle_does_not() {
    behaviour("the_pipe_of_a_bulk_grows_and_that_of_a_trickle_does_not", |driver| {
        // The flood begins when the loop stands still, so that it finds the pipe full.
        let bulk = driver.spawn(probe(["blocks", "500", "131072"]));
        assert_eq!(bulk.process.pipe_size(1), Some(DEFAULT_BYTES));
        assert_eq!(largest(driver, &bulk, 1), LARGEST_BYTES);
        let trickle = driver.spawn(sh("i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done"));
        assert_eq!(largest(driver, &trickle, 1), DEFAULT_BYTES);
        let off = driver.spawn(probe(["blocks", "500", "131072"]).adaptive_pipes(false));
        assert_eq!(largest(driver, &off, 1), DEFAULT_BYTES);
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
        assert!(largest(driver, &child, 0) > DEFAULT_BYTES);
    });
}

#[test]
fn what_is_no_pipe_has_no_size() {
    behaviour("what_is_no_pipe_has_no_size", |driver| {
        let child = driver.spawn(sh("head -c 3000000 /dev/zero >&5").child_fd(5, Fd::socketpair()));
        assert_eq!((child.process.pipe_size(5), child.process.pipe_size(9)), (None, None));
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.data(5).len(), 3_000_000);
    });
}

/// `pipe-user-pages-soft` is used up: the pipe stays as it is, and nothing is lost.
#[test]
fn a_refusal_to_grow_is_no_failure() {
    if !root_or_skip("a_refusal_to_grow_is_no_failure") {
        return;
    }
    behaviour("a_refusal_to_grow_is_no_failure", |driver| {
        let nobody = rustix::process::Uid::from_raw(65534);
        let mut pipes = Vec::new();
        rustix::thread::set_thread_res_uid(nobody, nobody, rustix::process::Uid::ROOT).unwrap();
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
        let largest = largest(driver, &child, 1);
        assert!(largest <= DEFAULT_BYTES, "{largest}");
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

//! Adaptive pipes of a child whose thread waits: they grow as those of a loop do.

mod util;

use std::fs::File;
use std::io::{Read, Write};
use std::thread;

use procession_process_transport::{Command, Fd};

use crate::util::{isolated, sh};

/// The system's default size.
const DEFAULT_BYTES: usize = 64 << 10;
/// The size to which a pipe grows.
const LARGEST_BYTES: usize = 1 << 20;

/// Returns what a blocking wait gathers of the child, and the size of its pipe when it has written
/// everything. The child writes to 3 then, and goes on when it has read a line.
fn gathered(command: Command) -> (usize, usize) {
    let mut child = command.child_fd(3, Fd::from_child()).spawn().expect("sh starts");
    // Now, because a shell exchanges its output while it runs `echo >&3`.
    let stdout = File::open(format!("/proc/{}/fd/1", child.pid())).expect("it runs");
    let mut stdin = File::from(child.take(0).expect("0 is a pipe"));
    let mut mark = File::from(child.take(3).expect("3 is a pipe"));
    let watcher = thread::spawn(move || {
        mark.read_exact(&mut [0]).expect("the child writes to 3");
        stdin.write_all(b"go on\n").expect("the child reads a line");
        rustix::pipe::fcntl_getpipe_size(stdout).expect("1 is a pipe")
    });
    let gathered = child.output().expect("it ends").stdout().len();
    (gathered, watcher.join().expect("the watcher does not panic"))
}

/// Case BP-15.
#[test]
fn the_pipe_of_a_bulk_grows_while_a_thread_waits() {
    isolated("the_pipe_of_a_bulk_grows_while_a_thread_waits", || {
        // The kernel moves as much of one large write as fits, so each read finds a full pipe.
        let bulk = || sh("dd if=/dev/zero bs=1M count=100 2>&-; echo >&3; read line");
        assert_eq!(gathered(bulk()), (100 << 20, LARGEST_BYTES));
        assert_eq!(gathered(bulk().adaptive_pipes(false)), (100 << 20, DEFAULT_BYTES));
        let trickle =
            sh("i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done; echo >&3; read l");
        assert_eq!(gathered(trickle).1, DEFAULT_BYTES);
    });
}

//! Closures between fork and exec. The child is created as the C library creates one: its locks are
//! free in the child, and the fork handlers have run.
#![cfg(feature = "reactor")]

mod util;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Step};
use procession_protocol::SpawnPath;

use crate::util::{Leaks, PROBE, code, isolated, ms, sys};

/// Runs `body` while other threads are in the allocator at nearly every moment.
fn while_others_allocate(body: impl FnOnce()) {
    let stop = Arc::new(AtomicBool::new(false));
    let busy = || {
        let stop = Arc::clone(&stop);
        thread::spawn(move || {
            let mut blocks = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                // Too large for a thread's own cache, and small enough for the heap.
                blocks.extend((0..64).map(|size| vec![0_u8; 2000 + size * 300]));
                blocks.clear();
            }
        })
    };
    let threads = [busy(), busy(), busy()];
    body();
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().expect("it only allocates"));
}

#[test]
fn a_closure_may_allocate_while_other_threads_do() {
    isolated("a_closure_may_allocate_while_other_threads_do", || {
        sys::alarm(ms(60_000));
        while_others_allocate(|| {
            for _ in 0..60 {
                let command =
                    sys::pre_exec_allocating(Command::new(PROBE).args(["exit", "7"]), true);
                let error = command.spawn().unwrap_err();
                assert_eq!(
                    (error.step(), error.raw_os_error()),
                    (Step::Signals, Some(libc::EINVAL))
                );
                let command =
                    sys::pre_exec_allocating(Command::new(PROBE).args(["exit", "7"]), false);
                let mut child = command.spawn().unwrap();
                assert_eq!(child.spawned_by(), SpawnPath::Fork);
                assert!(child.pidfd().is_ok());
                assert_eq!(code(&child.wait().unwrap()), Some(7));
            }
        });
        Leaks::assert_no_children();
    });
}

#[test]
fn handlers_of_a_fork_run_before_a_closure() {
    isolated("handlers_of_a_fork_run_before_a_closure", || {
        let command = sys::pre_exec_after_fork_handlers(Command::new(PROBE).args(["exit", "7"]));
        for _ in 0..2 {
            let mut child = command.spawn().expect("the closure has found what the handler did");
            assert_eq!(code(&child.wait().unwrap()), Some(7));
        }
        Leaks::assert_no_children();
    });
}

/// Case SE-24. If the panic unwound into the program, a second copy of the program would run on.
/// The child ends even if it ignores SIGABRT.
#[test]
fn a_closure_that_panics_ends_its_child() {
    isolated("a_closure_that_panics_ends_its_child", || {
        let program = std::process::id();
        sys::ignore(libc::SIGABRT);
        for (by_its_error, inherits) in [(false, false), (true, false), (false, true)] {
            let command = Command::new(PROBE).args(["exit", "7"]);
            let command = if inherits { command.inherit_signals() } else { command };
            let command = sys::pre_exec_panicking(command, by_its_error);
            let spawned = catch_unwind(AssertUnwindSafe(|| command.spawn()));
            if std::process::id() != program {
                std::process::exit(9); // this is a copy of the program
            }
            let mut child = spawned.expect("nothing panics here").expect("it has started");
            let terminated = child.wait().unwrap().expect_err("it has run nothing");
            assert_eq!(
                (terminated.signal(), terminated.exit_code()),
                (Some(Signal::ABRT), None),
                "{by_its_error} {inherits}"
            );
        }
        Leaks::assert_no_children();
    });
}

/// A descriptor confirms the exec. The closure may close it with all others, and the closure's
/// error still arrives.
#[test]
fn a_closure_that_closes_all_descriptors_is_waited_for() {
    isolated("a_closure_that_closes_all_descriptors_is_waited_for", || {
        for errno in [0, libc::EACCES] {
            let command = sys::pre_exec_closing_all(Command::new(PROBE).args(["exit", "7"]), errno);
            match command.spawn() {
                Ok(mut child) => assert_eq!((code(&child.wait().unwrap()), errno), (Some(7), 0)),
                Err(error) => {
                    assert_eq!(error.step(), Step::Signals);
                    assert_eq!(error.raw_os_error(), Some(errno));
                }
            }
        }
        Leaks::assert_no_children();
    });
}

/// In this process, one end of the pipe that confirms the exec has one of these numbers.
#[test]
fn the_pipe_that_confirms_an_exec_lies_on_no_number_of_the_childs() {
    isolated("the_pipe_that_confirms_an_exec_lies_on_no_number_of_the_childs", || {
        let file = Fd::inherit(File::open("/dev/null").unwrap());
        let list = Command::new(PROBE).args(["fdlist", "1"]).child_fd(3, file);
        let list = (4..=40).fold(list, |list, number| list.child_fd(number, Fd::same_as(3)));
        let output = sys::pre_exec(list, 0).spawn().unwrap().output().unwrap();
        let wanted: Vec<String> = (0..=40).map(|number: i32| number.to_string()).collect();
        assert_eq!(output.stdout_utf8(), Ok(format!("[{}]", wanted.join(", ")).as_str()));
        Leaks::assert_no_children();
    });
}

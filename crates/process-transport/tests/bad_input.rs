//! Area BI: commands and calls that make no sense.
#![cfg(feature = "reactor")]

mod util;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use procession_core::WriteError;
use procession_process_transport::{Fd, SpawnProcess, Step};
use procession_reactor::Handle;

use crate::util::{Event, Recorder, WATCHDOG, behaviour, command, ms, open_fds, sh, sys};

/// Case BI-03.
#[test]
fn argv_is_never_empty() {
    behaviour("argv_is_never_empty", |driver| {
        let child = driver.spawn(command("/bin/sh"));
        child.process.write("echo $#:$0\n");
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert_eq!((child.record.text(1).as_str(), child.record.code()), ("0:/bin/sh\n", 0));
    });
}

/// Case BI-05.
#[test]
fn the_last_entry_for_a_child_fd_wins() {
    behaviour("the_last_entry_for_a_child_fd_wins", |driver| {
        let script = "echo x >&4";
        let calls = sh(script).child_fd(4, Fd::null()).child_fd(4, Fd::from_child());
        let list = sh(script).child_fds([(4, Fd::null()), (4, Fd::from_child())]);
        for command in [calls, list] {
            let record = driver.run(command);
            assert_eq!((record.text(4).as_str(), record.code()), ("x\n", 0));
        }
    });
}

/// Case BI-06.
#[test]
fn a_write_to_a_descriptor_that_cannot_be_written_is_an_error() {
    behaviour("a_write_to_a_descriptor_that_cannot_be_written_is_an_error", |driver| {
        let child = driver.spawn(command("/bin/cat").child_fd(5, Fd::null()));
        let write = |fd: i32| child.process.write_to_child(fd, "x");
        assert_eq!(write(13), Err(WriteError::UnknownFd));
        assert_eq!(write(1), Err(WriteError::NotWritable));
        assert_eq!(write(5), Err(WriteError::UnknownFd), "inherited, not ours");
        assert_eq!(write(-1), Err(WriteError::UnknownFd));
        child.process.write("unaffected");
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert_eq!((child.record.text(1).as_str(), child.record.code()), ("unaffected", 0));
    });
}

/// Case BI-07.
#[test]
fn closing_an_unknown_descriptor_is_harmless() {
    behaviour("closing_an_unknown_descriptor_is_harmless", |driver| {
        let child = driver.spawn(command("/bin/cat"));
        child.process.close_child_fd(99);
        child.process.abort_connection(99);
        child.process.shutdown_write(99);
        child.process.close_child_fd(0);
        child.process.close_child_fd(0);
        driver.drive_to_end(&child.record);
        assert_eq!((child.record.lost(), child.record.code()), (vec![0, 1, 2], 0));
    });
}

/// Case BI-08.
#[test]
fn children_can_be_spawned_after_a_stop() {
    behaviour("children_can_be_spawned_after_a_stop", |driver| {
        let spawned: Rc<RefCell<Vec<_>>> = Rc::default();
        let slot = spawned.clone();
        // The reactor closes the pipes of this child with the others, so the child must not write.
        driver.handle().call_soon(move |handle: &Handle| {
            handle.stop();
            let (recorder, record) = Recorder::new();
            handle.spawn_process(recorder, sh("exit 4")).unwrap();
            slot.borrow_mut().push(record);
        });
        driver.reactor().run().unwrap();
        let after = driver.spawn(sh("exit 5")).record;
        driver.drive_to_end(&after);
        let inside = spawned.borrow()[0].clone();
        driver.drive_to_end(&inside);
        assert_eq!((inside.code(), after.code()), (4, 5));
        assert_eq!(inside.lost(), [0, 1, 2]);
    });
}

/// Case BI-09.
#[test]
fn an_empty_working_directory_is_a_missing_one() {
    behaviour("an_empty_working_directory_is_a_missing_one", |driver| {
        let error = driver.fails(command("/bin/true").current_dir(""));
        assert_eq!((error.step(), error.raw_os_error()), (Step::Chdir, Some(libc::ENOENT)));
    });
}

/// Case BI-10.
#[test]
fn a_write_only_standard_input_is_the_childs_problem() {
    behaviour("a_write_only_standard_input_is_the_childs_problem", |driver| {
        let (_reader, writer) = std::io::pipe().unwrap();
        let record = driver.run(command("/bin/cat").child_fd(0, Fd::inherit(writer)));
        assert_eq!((record.text(1).as_str(), record.code()), ("", 1));
        assert!(!record.text(2).is_empty(), "cat complains");
    });
}

/// Case BI-11.
#[test]
fn the_reactors_own_descriptor_can_be_handed_on_without_harm() {
    behaviour("the_reactors_own_descriptor_can_be_handed_on_without_harm", |driver| {
        let epoll = open_fds()
            .into_iter()
            .find_map(|(fd, link)| (link == "anon_inode:[eventpoll]").then_some(fd))
            .expect("the reactor has one");
        let fds = [(1, Fd::from_child()), (5, Fd::inherit(sys::borrow(epoll)))];
        let record = driver.run(sh("echo alive").child_fds(fds));
        assert_eq!((record.text(1).as_str(), record.code()), ("alive\n", 0));
        let ran = Rc::new(Cell::new(false));
        let done = ran.clone();
        driver.handle().call_later(ms(1), move |_| done.set(true));
        driver.until("the timer", WATCHDOG, || ran.get());
        let after = driver.run(command("/bin/true"));
        assert_eq!(after.code(), 0);
        assert!(after.has(|event| *event == Event::Lost(0)));
    });
}

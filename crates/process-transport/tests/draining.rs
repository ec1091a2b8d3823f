//! `drain_after_exit`: nothing that the child wrote is cut off, and no holder of a pipe can prolong
//! the wait.
#![cfg(feature = "reactor")]

mod util;

use std::os::fd::{BorrowedFd, OwnedFd};

use procession_process_transport::{Fd, Pty};
use procession_protocol::{ExitReason, Target};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::util::forwarding::{drive, outcome};
use crate::util::{Event, WATCHDOG, behaviour, ms, sh};

/// The descriptors that a reason lists as held.
fn held(reason: Option<ExitReason>) -> Vec<i32> {
    let held = |reason: &ExitReason| match reason {
        Ok(done) => done.held_fds().to_vec(),
        Err(terminated) => terminated.held_fds().to_vec(),
    };
    held(&reason.expect("it has ended")).iter().map(|fd| fd.as_raw()).collect()
}

#[test]
fn a_descendant_that_floods_the_pipe_does_not_prolong_the_wait() {
    behaviour("a_descendant_that_floods_the_pipe_does_not_prolong_the_wait", |driver| {
        let flood = sh("yes 2>/dev/null & echo first; exit 0").drain_after_exit(ms(100));
        let child = driver.spawn(flood);
        driver.until("the end", ms(2000), || child.record.ended().is_some());
        assert_eq!(held(child.record.ended()), [1]);
        assert!(child.record.text(1).contains("first"));
    });
}

/// The loop was busy past the deadline. The pipes are read to their ends, and no descriptor is
/// reported as held.
#[test]
fn a_busy_loop_cuts_nothing_off_and_reports_nothing_as_held() {
    behaviour("a_busy_loop_cuts_nothing_off_and_reports_nothing_as_held", |driver| {
        for script in ["head -c 60000 /dev/zero; exit 2", "printf x; exit 2", "exit 2"] {
            let child = driver.spawn(sh(script).drain_after_exit(ms(0)));
            util::sys::wait_until_zombie(child.process.pid().unwrap());
            driver.drive_to_end(&child.record);
            assert_eq!(held(child.record.ended()), [0; 0], "{script}");
            let wanted = match script.as_bytes()[0] {
                b'h' => 60_000,
                b'p' => 1,
                _ => 0,
            };
            assert_eq!(child.record.data(1).len(), wanted);
        }
    });
}

/// An input is not reported as held if its holder let it go while the loop was busy.
#[test]
fn an_input_that_was_let_go_in_time_is_not_reported_as_held() {
    behaviour("an_input_that_was_let_go_in_time_is_not_reported_as_held", |driver| {
        let script = "exec 3<&0; read x <&3 & exit 0";
        let child = driver.spawn_with(sh(script).drain_after_exit(ms(20)), |process, event| {
            if matches!(event, Event::Exited(_)) {
                // The descendant ends while this callback runs; the poll waits for that.
                let gone = |fd: BorrowedFd<'_>| {
                    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
                    rustix::io::write(fd, b"go\n").ok();
                    poll(&mut fds, None).unwrap();
                    fds[0].revents().contains(PollFlags::ERR)
                };
                assert!(process.with_fd(0, gone).expect("it is open"));
                // The callback then goes on past the bound.
                poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 50_000_000 })).unwrap();
            }
        });
        driver.drive_to_end(&child.record);
        assert_eq!(held(child.record.ended()), [0; 0]);
    });
}

/// A terminal's output is read whole, including the part that the kernel keeps beyond the 4 KiB
/// that one read returns.
#[test]
fn a_terminals_output_is_not_cut_off() {
    behaviour("a_terminals_output_is_not_cut_off", |driver| {
        for forwarded in [false, true] {
            let script = "stty raw; sleep 5 & head -c 7000 /dev/zero; printf END";
            let pty = Pty::new().controlling(false);
            let child = driver.spawn(sh(script).pty(pty).drain_after_exit(ms(20)));
            child.process.pause(1);
            let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
            let moved = forwarded.then(|| {
                let file = std::fs::File::create(&path).unwrap();
                outcome(child.process.forward(1, Target::fd(file)))
            });
            driver.until("the exit", WATCHDOG, || child.record.exited().is_some());
            driver.run_for(ms(50));
            child.process.resume(1);
            driver.until("the end", ms(2000), || child.record.ended().is_some());
            assert_eq!(held(child.record.ended()), [1], "the descendant has it open");
            let output = match moved {
                Some(moved) => {
                    assert_eq!(drive(driver, &moved), Ok(7003));
                    std::fs::read(&path).unwrap()
                }
                None => child.record.data(1),
            };
            assert_eq!(output.len(), 7003, "forwarded: {forwarded}");
            assert!(output.ends_with(b"END"));
        }
    });
}

#[test]
fn a_paused_pipe_is_drained_when_it_is_resumed() {
    behaviour("a_paused_pipe_is_drained_when_it_is_resumed", |driver| {
        let script = "sleep 3 2>/dev/null & head -c 50000 /dev/zero; exit 0";
        let child = driver.spawn(sh(script).drain_after_exit(ms(50)));
        child.process.pause(1);
        driver.until("the exit", WATCHDOG, || child.record.exited().is_some());
        driver.run_for(ms(150));
        assert_eq!((child.record.data(1).len(), child.record.is_lost(1)), (0, false));
        child.process.resume(1);
        driver.until("the end", ms(1000), || child.record.ended().is_some());
        assert_eq!((child.record.data(1).len(), held(child.record.ended())), (50_000, vec![1]));
    });
}

/// A pipe that is paused in its data callback delivers nothing until it is resumed, also while it
/// is drained.
#[test]
fn a_pipe_that_is_paused_while_it_is_drained_waits() {
    behaviour("a_pipe_that_is_paused_while_it_is_drained_waits", |driver| {
        let (read, write) = std::io::pipe().unwrap();
        driver.rebase();
        let script = "sleep 3 2>/dev/null & head -c 150000 /dev/zero; read x <&5; exit 0";
        let child = driver.spawn_with(
            sh(script).child_fd(5, Fd::inherit(OwnedFd::from(read))).drain_after_exit(ms(20)),
            |process, event| {
                if matches!(event, Event::Data(1, _)) {
                    process.pause(1);
                }
            },
        );
        drop(write);
        let mut rounds = 0;
        while child.record.ended().is_none() {
            let before = child.record.count(|event| matches!(event, Event::Data(1, _)));
            child.process.resume(1);
            driver.run_for(ms(30));
            let now = child.record.count(|event| matches!(event, Event::Data(1, _)));
            assert!(now <= before + 1, "one read, then it is paused");
            rounds += 1;
            assert!(rounds < 50, "{:?}", child.record);
        }
        assert_eq!((child.record.data(1).len(), held(child.record.ended())), (150_000, vec![1]));
        driver.rebase();
    });
}

#[test]
fn an_input_that_a_descendant_holds_is_closed_and_named() {
    behaviour("an_input_that_a_descendant_holds_is_closed_and_named", |driver| {
        let script = "exec 7<&0; sleep 0.8 <&7 >/dev/null 2>&1 & exit 0";
        let child = driver.spawn(sh(script).drain_after_exit(ms(50)));
        child.process.write("unread");
        driver.until("the end", ms(500), || child.record.ended().is_some());
        assert_eq!(held(child.record.ended()), [0]);
    });
}

#[test]
fn the_data_of_a_socketpair_is_delivered_after_the_exit() {
    behaviour("the_data_of_a_socketpair_is_delivered_after_the_exit", |driver| {
        // The parent's queue is blocked, and its reader is gone. The child's output still arrives.
        for script in
            ["printf 'last words' >&5; exit 0", "printf 'last words' >&5; exec 5>&-; sleep 0.1"]
        {
            let child = driver.spawn(sh(script).child_fd(5, Fd::socketpair()));
            child.process.write_to_child(5, vec![0; 4 << 20]).unwrap();
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.text(5), "last words", "{script}");
        }
    });
}

/// A paused terminal or socketpair keeps its unread data when a write to it fails.
#[test]
fn unread_data_of_a_paused_socketpair_survives_a_failed_write() {
    behaviour("unread_data_of_a_paused_socketpair_survives_a_failed_write", |driver| {
        let script = "printf 'last words' >&5; exit 0";
        let child = driver.spawn(sh(script).child_fd(5, Fd::socketpair()));
        child.process.pause(5);
        driver.until("the exit", WATCHDOG, || child.record.exited().is_some());
        child.process.write_to_child(5, "in vain").unwrap();
        driver.run_for(ms(50));
        assert!(!child.record.is_lost(5));
        child.process.resume(5);
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.text(5), "last words");
    });
}

/// Closing one output ends its writer, and with that the holder of the other outputs. The reason
/// still names everything that was held at the deadline.
#[test]
fn descriptors_held_at_the_deadline_are_named() {
    behaviour("descriptors_held_at_the_deadline_are_named", |driver| {
        let cases: [(&str, &[i32]); 4] = [
            ("cat /dev/zero & exit 0", &[1, 2, 3]),
            ("cat /dev/zero >&2 & exit 0", &[2, 3]),
            ("cat /dev/zero >&3 & exit 0", &[2, 3]),
            ("exec 2>&3; cat /dev/zero & exit 0", &[1, 3]),
        ];
        for (script, expected) in cases {
            for round in 0..6 {
                let command = sh(script).child_fd(3, Fd::from_child()).drain_after_exit(ms(30));
                let child = driver.spawn(command);
                let moved = (round % 2 == 1).then(|| {
                    let null = std::fs::File::create("/dev/null").unwrap();
                    outcome(child.process.forward(1, Target::fd(null)))
                });
                driver.drive_to_end(&child.record);
                assert_eq!(held(child.record.ended()), expected, "{script}");
                drop(moved);
            }
        }
    });
}

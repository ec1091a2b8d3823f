//! Forwarding when a side ends, begins late, waits, or is closed by a verb.
#![cfg(feature = "reactor")]

mod util;

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use procession_core::Signal;
use procession_process_transport::{Fd, Pty};
use procession_protocol::Target;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_send_buffer_size;

use crate::util::forwarding::{SharedOutcome, drive, outcome};
use crate::util::{Driver, Event, Spawned, WATCHDOG, behaviour, command, ms, sh};

/// More turns than an idle loop takes, and far fewer than a busy loop takes.
const MAX_IDLE_TURNS: usize = 20;

/// A source that writes so many bytes to its socket and ends.
fn socket_source(driver: &mut Driver, bytes: usize) -> Spawned {
    let script = format!("head -c {bytes} /dev/zero >&5");
    driver.spawn(sh(&script).child_fd(5, Fd::socketpair()).drain_after_exit(ms(50)))
}

/// A sink that reads its socket late. The socket has so little room that copies have to wait.
fn late_sink(driver: &mut Driver) -> Spawned {
    let sink = driver.spawn(sh("read go; wc -c <&6").child_fd(6, Fd::socketpair()));
    let shrink = |fd: BorrowedFd<'_>| set_socket_send_buffer_size(fd, 4096).expect("a socket");
    sink.process.with_fd(6, shrink).expect("it is open");
    sink
}

/// A callback starts a forwarding in the middle of a turn. The data read later in that turn goes to
/// the target as well.
#[test]
fn nothing_is_delivered_to_the_protocol_after_the_call() {
    behaviour("nothing_is_delivered_to_the_protocol_after_the_call", |driver| {
        for drained in [false, true] {
            let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
            let moved: Rc<RefCell<Option<SharedOutcome>>> = Rc::default();
            let (put, target) = (moved.clone(), File::create(&path).unwrap());
            let target = RefCell::new(Some(target));
            let script = "sleep 5 2>/dev/null & head -c 200000 /dev/zero; exit 0";
            let child = if drained {
                sh(script).drain_after_exit(ms(20))
            } else {
                sh("head -c 200000 /dev/zero")
            };
            let child = driver.spawn_with(child, move |process, event| {
                if matches!(event, Event::Data(1, _))
                    && let Some(file) = target.take()
                {
                    // The loop reads again in this turn, because the pipe holds more than one read
                    // takes.
                    let filled = |fd: BorrowedFd<'_>| rustix::io::ioctl_fionread(fd).unwrap() > 0;
                    assert!(process.with_fd(1, filled).unwrap(), "the rest is in the pipe");
                    *put.borrow_mut() = Some(outcome(process.forward(1, Target::fd(file))));
                }
            });
            let room = |fd: BorrowedFd<'_>| rustix::pipe::fcntl_setpipe_size(fd, 1 << 20).unwrap();
            child.process.with_fd(1, room).unwrap();
            child.process.pause(1);
            driver.until("the exit", WATCHDOG, || child.record.exited().is_some());
            driver.run_for(ms(50));
            child.process.resume(1);
            driver.drive_to_end(&child.record);
            let told = child.record.data(1).len();
            let outcome = moved.take().expect("it was called").take().expect("it is over");
            let file = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
            assert_eq!(outcome, Ok(u64::try_from(file).unwrap()), "drained: {drained}");
            assert_eq!(told + file, 200_000, "drained: {drained}");
            assert_eq!(child.record.count(|event| matches!(event, Event::Data(..))), 1);
        }
    });
}

/// A full sink is closed at once when the program closes it, because the program has queued nothing
/// for it.
#[test]
fn a_sink_that_waits_for_room_is_closed_when_it_is_asked_for() {
    behaviour("a_sink_that_waits_for_room_is_closed_when_it_is_asked_for", |driver| {
        for (number, half) in [(0, false), (5, false), (5, true)] {
            let source = driver.spawn(command("/usr/bin/yes"));
            let sink = command("/bin/sleep").arg("1000");
            let sink = if number == 5 { sink.child_fd(5, Fd::socketpair()) } else { sink };
            let sink = driver.spawn(sink);
            let moved = outcome(source.process.forward(1, Target::child(&sink.process, number)));
            driver.run_for(ms(100));
            assert_eq!(sink.process.write_buffered(number), 0);
            if half {
                sink.process.shutdown_write(number);
            } else {
                sink.process.close_child_fd(number);
            }
            let Err((bytes, kind)) = drive(driver, &moved) else { panic!("the sink is closed") };
            assert!(bytes >= 4096 && kind == io::ErrorKind::BrokenPipe, "{bytes} {kind}");
            assert_eq!(sink.record.is_lost(number), !half);
            driver.drive_to_end(&source.record);
            assert_eq!(source.record.signal(), libc::SIGPIPE);
            sink.process.signal(Signal::KILL).unwrap();
            driver.drive_to_end(&sink.record);
        }
    });
}

/// Copies wait for a slow sink after their source has ended. Resuming the source costs no turns, no
/// descriptor counts as held, and all copies arrive.
#[test]
fn copies_outlive_their_source_and_are_not_held() {
    behaviour("copies_outlive_their_source_and_are_not_held", |driver| {
        let (source, sink) = (socket_source(driver, 100_000), late_sink(driver));
        let moved = outcome(source.process.forward(5, Target::child(&sink.process, 6)));
        driver.until("the exit", WATCHDOG, || source.record.exited().is_some());
        driver.until("all is read", WATCHDOG, || sink.process.write_buffered(6) > 10_000);
        driver.run_for(ms(100));
        source.process.resume_all();
        let turns = driver.turns_in(ms(100));
        assert!(turns < MAX_IDLE_TURNS, "{turns} turns while the sink is full");
        sink.process.write("go\n");
        assert_eq!(drive(driver, &moved), Ok(100_000));
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(sink.record.text(1).trim(), "100000");
        assert!(source.record.ended().unwrap().unwrap().held_fds().is_empty());
    });
}

/// The same if the kernel moves the bytes. The bytes that are in the pipe at the bound are the
/// child's own.
#[test]
fn a_pipe_that_waits_for_its_sink_is_not_held() {
    behaviour("a_pipe_that_waits_for_its_sink_is_not_held", |driver| {
        let source = driver.spawn(sh("head -c 120000 /dev/zero").drain_after_exit(ms(20)));
        let late = command("/bin/sh").arg("-c").arg("read go <&5; wc -c");
        let sink = driver.spawn(late.child_fd(5, Fd::to_child()));
        let moved = outcome(source.process.forward(1, Target::child(&sink.process, 0)));
        driver.until("the exit", WATCHDOG, || source.record.exited().is_some());
        driver.run_for(ms(100));
        sink.process.write_to_child(5, "go\n").unwrap();
        assert_eq!(drive(driver, &moved), Ok(120_000));
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(sink.record.text(1).trim(), "120000");
        assert!(source.record.ended().unwrap().unwrap().held_fds().is_empty());
    });
}

/// A child that leaves data unread resets its socket. The reset counts as the end of the source,
/// not as a failure.
#[test]
fn a_reset_of_the_source_is_its_end() {
    behaviour("a_reset_of_the_source_is_its_end", |driver| {
        let script = "read x; printf hello >&5; exit 0";
        let source = driver.spawn(sh(script).child_fd(5, Fd::socketpair()));
        source.process.write_to_child(5, "unread").unwrap();
        let sink = driver.spawn(command("/bin/cat"));
        let moved = outcome(source.process.forward(5, Target::child(&sink.process, 0)));
        driver.run_for(ms(20));
        source.process.write("go\n");
        assert_eq!(drive(driver, &moved), Ok(5));
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(sink.record.text(1), "hello");
    });
}

/// The count does not include the bytes that the program itself queued for the sink.
#[test]
fn the_count_leaves_out_bytes_that_the_program_queued() {
    behaviour("the_count_leaves_out_bytes_that_the_program_queued", |driver| {
        let source = driver.spawn(command("/usr/bin/yes"));
        let sink = driver.spawn(command("/bin/sleep").arg("1000"));
        let moved = outcome(source.process.forward(1, Target::child(&sink.process, 0)));
        driver.run_for(ms(100));
        let taken = sink.process.with_fd(0, |fd| rustix::io::ioctl_fionread(fd).unwrap()).unwrap();
        sink.process.write(vec![b'u'; 5000]);
        driver.run_for(ms(20));
        assert_eq!(sink.process.write_buffered(0), 5000);
        sink.process.signal(Signal::KILL).unwrap();
        assert_eq!(drive(driver, &moved), Err((taken, io::ErrorKind::BrokenPipe)));
        driver.drive_all_to_end(WATCHDOG);
    });
}

/// A verb ends a forwarding. The loop calls the waiting callback, not the verb.
#[test]
fn a_verb_calls_nobody_back() {
    behaviour("a_verb_calls_nobody_back", |driver| {
        for of_source in [false, true] {
            let source = driver.spawn(command("/usr/bin/yes"));
            let sink = driver.spawn(command("/bin/sleep").arg("1000"));
            let (inside, called_inside) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(None)));
            let (is_inside, put) = (inside.clone(), called_inside.clone());
            let moved = source.process.forward(1, Target::child(&sink.process, 0));
            moved.done(move |_| put.set(Some(is_inside.get())));
            driver.run_for(ms(20));
            inside.set(true);
            if of_source {
                source.process.abort_connection(1);
            } else {
                sink.process.abort_connection(0);
            }
            inside.set(false);
            driver.until("the forwarding is over", WATCHDOG, || called_inside.get().is_some());
            assert_eq!(called_inside.get(), Some(false));
            sink.process.signal(Signal::KILL).unwrap();
            driver.drive_all_to_end(WATCHDOG);
        }
    });
}

/// A verb closes one side while the other side is ready in the same turn. The next step of the loop
/// does not change the outcome of the forwarding.
#[test]
fn a_side_that_is_closed_in_a_callback_decides_the_outcome() {
    behaviour("a_side_that_is_closed_in_a_callback_decides_the_outcome", |driver| {
        for of_source in [false, true] {
            let source = driver.spawn(sh("read x; exec cat /dev/zero"));
            let sink =
                driver.spawn(sh("read x <&5; exec cat >/dev/null").child_fd(5, Fd::to_child()));
            let (from, to) = (source.process.clone(), sink.process.clone());
            // This child speaks first, so that the loop sees it first.
            let close = driver.spawn_with(sh("read x; echo now"), move |_, event| {
                if matches!(event, Event::Data(1, _)) {
                    if of_source {
                        from.abort_connection(1);
                    } else {
                        to.abort_connection(0);
                    }
                }
            });
            let moved = outcome(source.process.forward(1, Target::child(&sink.process, 0)));
            if of_source {
                // The sink is full, and reads again while the loop is busy.
                source.process.write("go\n");
                driver.run_for(ms(100));
            }
            // Write directly: a write by the loop takes a turn, in which the answer may already come.
            close.process.with_fd(0, |fd| rustix::io::write(fd, b"go\n")).unwrap().unwrap();
            readable(&close, 1);
            if of_source {
                sink.process.with_fd(5, |fd| rustix::io::write(fd, b"go\n")).unwrap().unwrap();
                writable(&sink, 0);
                let Ok(bytes) = drive(driver, &moved) else { panic!("the source was closed") };
                assert!(bytes >= 4096, "{bytes}");
            } else {
                source.process.with_fd(0, |fd| rustix::io::write(fd, b"go\n")).unwrap().unwrap();
                readable(&source, 1);
                assert_eq!(drive(driver, &moved), Err((0, io::ErrorKind::BrokenPipe)));
            }
            for child in [&source, &sink] {
                child.process.signal(Signal::KILL).ok();
            }
            driver.drive_all_to_end(WATCHDOG);
        }
    });
}

fn readable(child: &Spawned, number: i32) {
    wait_for(child, number, PollFlags::IN);
}

fn writable(child: &Spawned, number: i32) {
    wait_for(child, number, PollFlags::OUT);
}

/// Waits without running the loop.
fn wait_for(child: &Spawned, number: i32, ready: PollFlags) {
    let wait = |fd: BorrowedFd<'_>| {
        let mut fds = [PollFd::from_borrowed_fd(fd, ready)];
        poll(&mut fds, Some(&Timespec { tv_sec: 10, tv_nsec: 0 })).expect("it is open")
    };
    assert_eq!(child.process.with_fd(number, wait), Some(1));
}

/// A terminal that hung up takes no input and reports no error. The loop gives up the input.
#[test]
fn a_terminal_that_hung_up_costs_no_turns() {
    behaviour("a_terminal_that_hung_up_costs_no_turns", |driver| {
        for forwarded in [false, true] {
            let script = "stty raw -echo; printf R; yes & exec sleep 100";
            let child = driver.spawn(sh(script).pty(Pty::new()));
            driver.until("ready", WATCHDOG, || child.record.text(1).starts_with('R'));
            let sink = driver.spawn(command("/bin/sleep").arg("1000"));
            let moved = forwarded
                .then(|| outcome(child.process.forward(1, Target::child(&sink.process, 0))));
            child.process.write(vec![b'x'; 200_000]);
            driver.run_for(ms(100));
            assert!(child.process.write_buffered(0) > 100_000);
            if !forwarded {
                child.process.pause(1);
            }
            child.process.signal_group(Signal::KILL).unwrap();
            driver.until("the exit", WATCHDOG, || child.record.exited().is_some());
            driver.run_for(ms(20));
            let turns = driver.turns_in(ms(200));
            assert!(turns < MAX_IDLE_TURNS, "{turns} turns of a dead terminal");
            child.process.resume(1);
            sink.process.signal(Signal::KILL).unwrap();
            driver.drive_all_to_end(WATCHDOG);
            if let Some(moved) = moved {
                let Err((_, kind)) = drive(driver, &moved) else { panic!("the sink is lost") };
                assert_eq!(kind, io::ErrorKind::BrokenPipe);
            }
        }
    });
}

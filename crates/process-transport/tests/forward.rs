//! Forwarding: the loop moves a child's output on without passing it to the program.
#![cfg(feature = "reactor")]

mod util;

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use procession_core::Signal;
use procession_process_transport::{Fd, Pty};
use procession_protocol::Target;

use crate::util::forwarding::{drive, outcome};
use crate::util::{Event, WATCHDOG, behaviour, command, ms, sh};

#[test]
fn one_childs_output_is_another_ones_input() {
    behaviour("one_childs_output_is_another_ones_input", |driver| {
        let source = driver.spawn(sh("head -c 3000000 /dev/zero; printf end; exit 3"));
        let sink = driver.spawn(command("/bin/cat"));
        sink.process.write("first ");
        let moved = outcome(source.process.forward(1, Target::child(&sink.process, 0)));
        assert_eq!(drive(driver, &moved), Ok(3_000_003));
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!((source.record.data(1).len(), source.record.code()), (0, 3));
        let data = sink.record.data(1);
        assert!(data.starts_with(b"first \0") && data.ends_with(b"\0end"), "order is kept");
        assert_eq!((data.len(), sink.record.code()), (3_000_009, 0));
    });
}

#[test]
fn data_goes_to_a_socket() {
    behaviour("data_goes_to_a_socket", |driver| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let source = driver.spawn(sh("head -c 1000000 /dev/zero"));
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).map(|_| all.len())
        });
        let moved = outcome(source.process.forward(1, Target::fd(near)));
        assert_eq!(drive(driver, &moved), Ok(1_000_000));
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(reader.join().unwrap().unwrap(), 1_000_000);
    });
}

/// A file opened for appending cannot be the target of a splice (splice(2), EINVAL), so the bytes
/// are copied.
#[test]
fn a_file_takes_data_by_splice_or_appended_by_copies() {
    behaviour("a_file_takes_data_by_splice_or_appended_by_copies", |driver| {
        for append in [false, true] {
            let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
            std::fs::write(&path, "old ").unwrap();
            let mut file = OpenOptions::new().append(append).write(true).open(&path).unwrap();
            file.seek(SeekFrom::End(0)).unwrap();
            let source = driver.spawn(sh("head -c 1000000 /dev/zero; sleep 0.05; printf end"));
            let moved = outcome(source.process.forward(1, Target::fd(file)));
            assert_eq!(drive(driver, &moved), Ok(1_000_003), "append: {append}");
            driver.drive_all_to_end(WATCHDOG);
            let text = std::fs::read(&path).unwrap();
            assert!(text.starts_with(b"old \0") && text.ends_with(b"\0end"));
            assert_eq!(text.len(), 1_000_007, "append: {append}");
        }
    });
}

#[test]
fn a_terminal_is_a_source_and_a_sink() {
    behaviour("a_terminal_is_a_source_and_a_sink", |driver| {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let source = driver.spawn(sh("stty -opost; printf 'from a terminal\\n'").pty(Pty::new()));
        let file = File::create(&path).unwrap();
        let moved = outcome(source.process.forward(1, Target::fd(file)));
        assert_eq!(drive(driver, &moved), Ok(16));
        driver.drive_to_end(&source.record);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "from a terminal\n");

        // This sink stays until the source has ended. Otherwise the sink would be lost first.
        let ready = "stty raw -echo; printf R; head -c 5; printf .; exec sleep 100";
        let sink = driver.spawn(sh(ready).pty(Pty::new()));
        driver.until("ready", WATCHDOG, || sink.record.text(1).ends_with('R'));
        let source = driver.spawn(sh("printf hello"));
        let moved = outcome(source.process.forward(1, Target::child(&sink.process, 0)));
        assert_eq!(drive(driver, &moved), Ok(5));
        driver.until("all is written", WATCHDOG, || sink.record.text(1) == "Rhello.");
        sink.process.signal(Signal::KILL).unwrap();
        driver.drive_all_to_end(WATCHDOG);
    });
}

#[test]
fn a_full_sink_holds_the_source_back_and_costs_no_turns() {
    behaviour("a_full_sink_holds_the_source_back_and_costs_no_turns", |driver| {
        let source = driver.spawn(command("/usr/bin/yes"));
        let sink = driver.spawn(sh("sleep 0.6; head -c 500000 >/dev/null; exit 7"));
        let moved = outcome(source.process.forward(1, Target::child(&sink.process, 0)));
        driver.run_for(ms(200));
        let turns = driver.turns_in(ms(200));
        assert!(turns <= 3, "{turns} turns while the sink is full");
        assert!(moved.borrow().is_none());
        // The sink ends before it has read everything, and SIGPIPE ends the source.
        let Err((bytes, kind)) = drive(driver, &moved) else { panic!("the sink is lost") };
        assert_eq!(kind, io::ErrorKind::BrokenPipe);
        assert!(bytes >= 500_000, "{bytes}");
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!((source.record.signal(), sink.record.code()), (13, 7));
    });
}

#[test]
fn copies_that_wait_for_a_slow_sink_are_bounded_and_all_arrive() {
    behaviour("copies_that_wait_for_a_slow_sink_are_bounded_and_all_arrive", |driver| {
        // splice(2) cannot move bytes from a socket to a socket.
        let source = driver
            .spawn(sh("head -c 2000000 /dev/zero >&5; exec 5>&-").child_fd(5, Fd::socketpair()));
        let slow = sh("sleep 0.3; cat <&6 | wc -c").child_fd(6, Fd::socketpair());
        let sink = driver.spawn(slow);
        let moved = outcome(source.process.forward(5, Target::child(&sink.process, 6)));
        let highest = Cell::new(0);
        driver.until("the forwarding is over", WATCHDOG, || {
            highest.set(highest.get().max(sink.process.write_buffered(6)));
            moved.borrow().is_some()
        });
        assert_eq!(moved.take(), Some(Ok(2_000_000)));
        assert!(highest.get() <= (256 + 64) << 10, "{} bytes in memory", highest.get());
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(sink.record.text(1).trim(), "2000000");
        // The forwarding ended only one direction of the sink. The child closed the other.
        assert!(sink.record.has(|event| *event == Event::Lost(6)));
    });
}

#[test]
fn a_closed_source_completes_with_the_moved_bytes() {
    behaviour("a_closed_source_completes_with_the_moved_bytes", |driver| {
        let source = driver.spawn(sh("printf some; exec sleep 100"));
        let sink = driver.spawn(command("/bin/cat"));
        let moved = outcome(source.process.forward(1, Target::child(&sink.process, 0)));
        driver.until("some", WATCHDOG, || sink.record.text(1) == "some");
        source.process.close_stdout();
        assert_eq!(drive(driver, &moved), Ok(4));
        driver.drive_to_end(&sink.record);
        source.process.signal(Signal::KILL).unwrap();
        driver.drive_all_to_end(WATCHDOG);
    });
}

#[test]
fn a_paused_source_moves_nothing_until_it_is_resumed() {
    behaviour("a_paused_source_moves_nothing_until_it_is_resumed", |driver| {
        let source = driver.spawn(sh("printf one; read x; printf two; exit 0"));
        let sink = driver.spawn(command("/bin/cat"));
        let moved = outcome(source.process.forward(1, Target::child(&sink.process, 0)));
        driver.until("one", WATCHDOG, || sink.record.text(1) == "one");
        source.process.pause(1);
        source.process.write("go\n");
        driver.until("the exit", WATCHDOG, || source.record.exited().is_some());
        driver.run_for(ms(50));
        assert_eq!((sink.record.text(1).as_str(), moved.borrow().is_some()), ("one", false));
        source.process.resume(1);
        assert_eq!(drive(driver, &moved), Ok(6));
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(sink.record.text(1), "onetwo");
    });
}

#[test]
fn a_forwarded_pipe_that_descendants_hold_is_drained_and_named() {
    behaviour("a_forwarded_pipe_that_descendants_hold_is_drained_and_named", |driver| {
        let held = sh("sleep 2 2>/dev/null & printf last; exit 0").drain_after_exit(ms(100));
        let source = driver.spawn(held);
        let sink = driver.spawn(command("/bin/cat"));
        let moved = outcome(source.process.forward(1, Target::child(&sink.process, 0)));
        assert_eq!(drive(driver, &moved), Ok(4));
        driver.drive_all_to_end(ms(1500));
        assert_eq!((source.record.text(1).as_str(), sink.record.text(1).as_str()), ("", "last"));
        let held = source.record.ended().unwrap().unwrap();
        assert_eq!(held.held_fds(), [procession_protocol::ChildFd::STDOUT]);
    });
}

#[test]
fn the_panic_of_a_protocol_does_not_stop_its_forwarding() {
    let name = "the_panic_of_a_protocol_does_not_stop_its_forwarding";
    behaviour(name, |driver| {
        use std::panic::{AssertUnwindSafe, catch_unwind};
        let sink = driver.spawn(command("/bin/cat"));
        let (recorder, _) = util::Recorder::with(|_, event| {
            assert!(!matches!(event, Event::Data(2, _)), "the panic that the test wants");
        });
        let child = sh("echo x >&2; sleep 0.1; head -c 100000 /dev/zero");
        let process = procession_process_transport::SpawnProcess::spawn_process(
            &driver.handle(),
            recorder,
            child,
        )
        .unwrap();
        let moved = outcome(process.forward(1, Target::child(&sink.process, 0)));
        process.pause(1);
        let turns = AssertUnwindSafe(|| driver.until("never", WATCHDOG, || false));
        assert!(catch_unwind(turns).is_err());
        assert_eq!(drive(driver, &moved), Ok(100_000));
        driver.drive_all_to_end(WATCHDOG);
        driver.until("it is reaped", WATCHDOG, || process.pid().is_none());
    });
}

#[test]
fn an_impossible_forwarding_is_refused() {
    behaviour("an_impossible_forwarding_is_refused", |driver| {
        let source = driver.spawn(command("/bin/cat"));
        let sink = driver.spawn(command("/bin/cat"));
        let refused = |fd: i32, target: Target| {
            let failed = source.process.forward(fd, target).try_take().expect("at once");
            failed.unwrap_err().error().expect("an error").source.kind()
        };
        let null = || Target::fd(File::open("/dev/null").expect("it exists"));
        assert_eq!(refused(0, null()), io::ErrorKind::InvalidInput);
        assert_eq!(refused(7, null()), io::ErrorKind::InvalidInput);
        refused(1, Target::child(&sink.process, 1));
        let moved = outcome(source.process.forward(1, Target::child(&sink.process, 0)));
        assert_eq!(refused(1, null()), io::ErrorKind::InvalidInput, "it is forwarded already");
        refused(2, Target::child(&sink.process, 0));
        source.process.close_stdin();
        assert_eq!(drive(driver, &moved), Ok(0));
        driver.drive_all_to_end(WATCHDOG);
    });
}

#[test]
fn a_childs_output_can_be_its_own_input() {
    behaviour("a_childs_output_can_be_its_own_input", |driver| {
        let script = "printf '1\\n'; while read x; do test $x = 500 && exit 9; echo $((x+1)); done";
        let child = driver.spawn(sh(script));
        let moved = outcome(child.process.forward(1, Target::child(&child.process, 0)));
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 9);
        let bytes = (1..=500).map(|n: u32| u64::try_from(n.to_string().len() + 1).unwrap()).sum();
        assert_eq!(moved.take().map(|moved| moved.unwrap_or_else(|(bytes, _)| bytes)), Some(bytes));
    });
}

/// Bytes that were queued but not taken do not count. Bytes that the sink took before do.
#[test]
fn a_copy_that_the_sink_refuses_leaves_the_count_as_it_was() {
    behaviour("a_copy_that_the_sink_refuses_leaves_the_count_as_it_was", |driver| {
        let (theirs, mut go) = io::pipe().unwrap();
        let (target, mut peer) = UnixStream::pair().unwrap();
        peer.set_nonblocking(true).unwrap();
        let script = "printf 0123456789 >&5; read x; printf 0123456 >&5; read x; exit 0";
        let source = sh(script).child_fd(5, Fd::socketpair());
        let source = driver.spawn(source.child_fd(0, Fd::inherit(OwnedFd::from(theirs))));
        let moved = outcome(source.process.forward(5, Target::fd(target)));
        let mut ten = Vec::new();
        driver.until_seen("ten bytes", WATCHDOG, || {
            peer.read_to_end(&mut ten).ok(); // it would block
            ten.len() == 10
        });
        // The source is ready before the sink is gone, so that the loop sees the source first.
        go.write_all(b"\n").unwrap();
        let waiting = || source.process.with_fd(5, |fd| rustix::io::ioctl_fionread(fd).unwrap());
        while waiting() != Some(7) {
            std::thread::yield_now();
        }
        drop(peer);
        assert_eq!(drive(driver, &moved), Err((10, io::ErrorKind::BrokenPipe)));
        go.write_all(b"\n").unwrap();
        driver.drive_to_end(&source.record);
    });
}

//! Area PT: children on a terminal.
//!
//! The cases that need `stty` or `head` use the probe and the shell instead.
#![cfg(feature = "reactor")]

mod util;

use std::fmt::Debug;
use std::fs;
use std::sync::Arc;

use procession_core::{Signal, WriteError};
use procession_process_transport::{Command, Fd, OfTerminal, Pty, Step};
use procession_protocol::Termios;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::util::{
    Driver, Event, PROBE, PROMPTLY, Record, Spawned, WATCHDOG, Written, behaviour, bound, command,
    fd_list, in_every_way, ms, open_fds, probe, sh, sys,
};

/// Gives the command a new terminal.
fn on_terminal(command: Command) -> Command {
    command.pty(Pty::new())
}

/// Asserts that all output came on fd 1, and that only 1 was lost (D13).
#[track_caller]
fn assert_terminal(child: &(impl Written + Debug), text: &str) {
    assert_eq!(child.written(1), text);
    assert_eq!(child.all_lost(), [1], "the terminal is lost once:\n{child:?}");
    assert_eq!((child.written(0), child.written(2)), (String::new(), String::new()));
}

/// Drives the loop until the child has printed this text.
fn until_text(driver: &mut Driver, child: &Spawned, text: &str) {
    driver.until(text, WATCHDOG, || child.record.text(1) == text);
}

/// Returns how many terminals exist.
fn terminals() -> usize {
    fs::read_dir("/dev/pts").expect("devpts is mounted").count()
}

/// Case PT-01.
#[test]
fn a_terminal_is_standard_input_output_and_error() {
    in_every_way("a_terminal_is_standard_input_output_and_error", |driver| {
        let script =
            format!("'{PROBE}' tty; test -t 0 && test -t 1 && test -t 2 && echo all; exit 7");
        let record = driver.run(on_terminal(sh(&script)));
        let text = record.text(1);
        let number =
            text.strip_prefix("/dev/pts/").and_then(|rest| rest.strip_suffix("\r\nall\r\n"));
        assert!(number.is_some_and(|number| number.parse::<u32>().is_ok()), "{text:?}");
        assert_eq!((record.lost(), record.code()), (vec![1], 7));
    });
}

/// Case PT-02.
#[test]
fn the_child_leads_a_session_in_the_foreground_of_its_terminal() {
    in_every_way("the_child_leads_a_session_in_the_foreground_of_its_terminal", |driver| {
        let record = driver.run(on_terminal(probe(["terminal"])));
        assert_terminal(&record, "True True\r\n");
        assert_eq!(record.code(), 0);
    });
}

/// Case PT-03.
#[test]
fn a_terminal_echoes_and_ends_at_its_end_character() {
    behaviour("a_terminal_echoes_and_ends_at_its_end_character", |driver| {
        let cat = driver.spawn(on_terminal(command("/bin/cat")));
        cat.process.write("foo\n");
        until_text(driver, &cat, "foo\r\nfoo\r\n");
        cat.process.write(b"\x04");
        driver.drive_to_end(&cat.record);
        assert_terminal(&cat.record, "foo\r\nfoo\r\n");
        assert_eq!(cat.record.code(), 0);
    });
}

/// Case PT-04.
#[test]
fn the_end_of_a_terminal_is_no_error() {
    behaviour("the_end_of_a_terminal_is_no_error", |driver| {
        let record = driver.run(on_terminal(sh("echo x; exit 3")));
        assert_terminal(&record, "x\r\n");
        assert_eq!(record.code(), 3);
        assert_eq!(record.count(|event| matches!(event, Event::Exited(_))), 1);
    });
}

/// Case PT-05.
#[test]
fn all_output_of_a_terminal_comes_as_fd_1() {
    in_every_way("all_output_of_a_terminal_comes_as_fd_1", |driver| {
        let record = driver.run(on_terminal(sh("echo out; echo err >&2")));
        assert_terminal(&record, "out\r\nerr\r\n");
        assert_eq!(record.code(), 0);
    });
}

/// Case PT-06.
#[test]
fn trailing_output_of_a_terminal_is_never_lost() {
    in_every_way("trailing_output_of_a_terminal_is_never_lost", |driver| {
        for _ in 0..10 {
            let record = driver.run(on_terminal(probe(["blocks", "8", "8192"])));
            assert!(record.data(1) == vec![b'x'; 65_536], "{} bytes", record.data(1).len());
            assert_eq!(record.code(), 0);
        }
    });
}

/// Case PT-08.
#[test]
fn a_terminal_has_its_size_before_the_program_starts() {
    in_every_way("a_terminal_has_its_size_before_the_program_starts", |driver| {
        let record = driver.run(probe(["size"]).pty(Pty::new().size(33, 97)));
        assert_terminal(&record, "33 97\r\n");
        let record = driver.run(on_terminal(probe(["size"])));
        assert_terminal(&record, "0 0\r\n");
        assert_eq!(record.code(), 0);
    });
}

/// Case PT-09.
#[test]
fn a_resize_reaches_the_child() {
    behaviour("a_resize_reaches_the_child", |driver| {
        let script =
            format!("trap \"'{PROBE}' size; exit 0\" WINCH; echo R; while :; do sleep 0.1; done");
        let child = driver.spawn(sh(&script).pty(Pty::new().size(24, 80)));
        until_text(driver, &child, "R\r\n");
        let size = child.process.window_size().unwrap();
        assert_eq!((size.rows, size.columns), (24, 80));
        child.process.resize(50, 132).unwrap();
        driver.drive_to_end(&child.record);
        assert_terminal(&child.record, "R\r\n50 132\r\n");
        assert_eq!(child.record.code(), 0);
    });
}

/// Case PT-10.
#[test]
fn the_interrupt_and_quit_characters_signal_the_child() {
    behaviour("the_interrupt_and_quit_characters_signal_the_child", |driver| {
        let dir = tempfile::tempdir().unwrap(); // for a core file
        for (typed, echo, signal) in [(b"\x03", "^C", 2), (b"\x1c", "^\\", 3)] {
            let sleep = sh("echo r; exec sleep 100").current_dir(dir.path());
            let child = driver.spawn(on_terminal(sleep));
            until_text(driver, &child, "r\r\n");
            child.process.write(typed);
            driver.drive_to_end(&child.record);
            assert_terminal(&child.record, &format!("r\r\n{echo}"));
            assert_eq!(child.record.signal(), signal);
        }
    });
}

/// Case PT-11.
#[test]
fn an_end_character_within_a_line_only_flushes_it() {
    behaviour("an_end_character_within_a_line_only_flushes_it", |driver| {
        let cat = driver.spawn(on_terminal(command("/bin/cat")));
        cat.process.write(b"foo\x04");
        until_text(driver, &cat, "foofoo");
        driver.run_for(ms(50));
        assert!(cat.record.exited().is_none(), "it is alive");
        cat.process.send_eof().unwrap();
        driver.drive_to_end(&cat.record);
        assert_terminal(&cat.record, "foofoo");
        assert_eq!(cat.record.code(), 0);
    });
}

/// Case PT-12.
#[test]
fn a_lost_connection_hangs_up() {
    behaviour("a_lost_connection_hangs_up", |driver| {
        let cat = driver.spawn(on_terminal(command("/bin/cat")));
        driver.run_for(ms(200));
        cat.process.lose_connection();
        driver.drive_to_end(&cat.record);
        assert_terminal(&cat.record, "");
        assert_eq!(cat.record.signal(), libc::SIGHUP);
    });
}

/// Case PT-17.
#[test]
fn terminal_output_of_a_grandchild_after_the_exit_is_delivered() {
    behaviour("terminal_output_of_a_grandchild_after_the_exit_is_delivered", |driver| {
        let script = "trap '' HUP; (sleep 0.5; echo late) & echo early; exit 4";
        let record = driver.run(on_terminal(sh(script)));
        let exited = record.after_made(|event| matches!(event, Event::Exited(_))).unwrap();
        let ended = record.after_made(|event| matches!(event, Event::Ended(_))).unwrap();
        assert!(exited < bound(PROMPTLY) && ended > ms(400), "{record:?}");
        assert_terminal(&record, "early\r\nlate\r\n");
        assert_eq!(record.code(), 4);
    });
}

/// Case PT-18.
#[test]
fn a_terminal_takes_0_to_2_and_leaves_the_rest_to_the_map() {
    in_every_way("a_terminal_takes_0_to_2_and_leaves_the_rest_to_the_map", |driver| {
        for number in 0..3 {
            let both = on_terminal(command("/bin/true")).child_fd(number, Fd::from_child());
            let error = driver.fails(both);
            assert_eq!((error.step(), error.raw_os_error()), (Step::Validate, Some(libc::EINVAL)));
        }
        let child = on_terminal(sh("echo extra >&3; echo terminal"));
        let record = driver.run(child.child_fd(3, Fd::from_child()));
        assert_eq!((record.text(1).as_str(), record.text(3).as_str()), ("terminal\r\n", "extra\n"));
        let mut lost = record.lost();
        lost.sort_unstable();
        assert_eq!((lost, record.code()), (vec![1, 3], 0));
    });
}

/// Case PT-19.
#[test]
fn closing_0_to_2_of_a_terminal_has_no_effect() {
    behaviour("closing_0_to_2_of_a_terminal_has_no_effect", |driver| {
        let cat = driver.spawn(on_terminal(command("/bin/cat")));
        cat.process.close_child_fd(0);
        cat.process.close_stdin();
        cat.process.close_stdout();
        cat.process.close_stderr();
        driver.run_for(ms(50));
        assert_eq!(cat.process.write_to_child(1, "x"), Err(WriteError::NotWritable));
        cat.process.write_to_child(0, "a\n").unwrap();
        until_text(driver, &cat, "a\r\na\r\n");
        cat.process.send_eof().unwrap();
        driver.drive_to_end(&cat.record);
        assert_terminal(&cat.record, "a\r\na\r\n");
        assert_eq!(cat.record.code(), 0);
    });
}

/// Case PT-20.
#[test]
fn a_pair_of_the_caller_survives_a_failed_spawn() {
    behaviour("a_pair_of_the_caller_survives_a_failed_spawn", |driver| {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let open =
            rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let slave = rustix::fs::open(&name, open, rustix::fs::Mode::empty()).unwrap();
        let (master, slave) = (Arc::new(master), Arc::new(slave));
        let pty = || Pty::new().pair(master.clone(), slave.clone());
        let state = || {
            let settings = Termios::of(&*slave).unwrap();
            let size = rustix::termios::tcgetwinsize(&*slave).unwrap();
            let status = rustix::fs::fstat(&*slave).unwrap();
            let flags = rustix::fs::fcntl_getfl(&*master).unwrap();
            let settings = (settings.local_flags, settings.output_flags);
            (settings, (size.ws_row, size.ws_col), (status.st_uid, status.st_gid), flags)
        };
        let before = state();
        let mut raw = Termios::default();
        raw.local_flags = 0;
        let changed = pty().size(7, 11).termios(raw);
        driver.fails(command("/no/such/prog").pty(changed.clone()));
        assert_eq!(state(), before);
        if rustix::process::geteuid().is_root() {
            driver.fails(command("/no/such/prog").pty(changed).uid(1).gid(1));
            assert_eq!(state(), before);
        }
        let error = driver.fails(command("/no/such/prog").pty(pty()));
        assert_eq!((error.step(), error.raw_os_error()), (Step::Exec, Some(libc::ENOENT)));
        assert!(rustix::io::fcntl_getfd(&*master).is_ok());
        assert!(rustix::io::fcntl_getfd(&*slave).is_ok());
        let child = driver.spawn(sh("echo works; exit 2").pty(pty()));
        until_text(driver, &child, "works\r\n");
        drop((pty(), slave));
        let record = child.record.clone();
        driver.until("the exit", WATCHDOG, || record.exited().is_some());
        child.process.lose_connection();
        driver.drive_to_end(&record);
        assert_eq!(record.code(), 2);
    });
}

/// Case PT-21.
#[test]
fn a_child_on_a_terminal_has_nothing_else() {
    in_every_way("a_child_on_a_terminal_has_nothing_else", |driver| {
        let leak = sys::copy_at(fs::File::open("/dev/null").unwrap(), 50, false);
        let record = driver.run(on_terminal(probe(["fdlist", "1"])));
        assert_eq!((fd_list(&record, 1), record.code()), (vec![0, 1, 2], 0));
        drop(leak);
    });
}

/// Case PT-22.
#[test]
fn a_later_child_does_not_hold_a_terminal_open() {
    behaviour("a_later_child_does_not_hold_a_terminal_open", |driver| {
        let a = driver.spawn(on_terminal(command("/bin/cat")));
        let b = driver.spawn(command("/bin/sleep").arg("5"));
        a.process.lose_connection();
        driver.until("the hang-up", ms(500), || a.record.ended().is_some());
        assert_eq!(a.record.signal(), libc::SIGHUP);
        assert!(b.record.exited().is_none());
        b.process.signal(Signal::KILL).unwrap();
        driver.drive_to_end(&b.record);
        assert_eq!(b.record.signal(), 9);
    });
}

/// Case PT-25.
#[test]
fn the_interrupt_character_reaches_its_own_terminal_alone() {
    behaviour("the_interrupt_character_reaches_its_own_terminal_alone", |driver| {
        let script = format!("'{PROBE}' tty; exec sleep 100");
        let [a, b] = [0, 1].map(|_| driver.spawn(on_terminal(sh(&script))));
        let named = |child: &Spawned| child.record.text(1).ends_with('\n');
        driver.until("the names", WATCHDOG, || named(&a) && named(&b));
        assert_ne!(a.record.text(1), b.record.text(1));
        a.process.write(b"\x03");
        driver.drive_to_end(&a.record);
        assert_eq!(a.record.signal(), 2);
        driver.run_for(ms(50));
        assert!(b.record.exited().is_none());
        b.process.signal(Signal::TERM).unwrap();
        driver.drive_to_end(&b.record);
        assert_eq!(b.record.signal(), 15);
    });
}

/// Case PT-29.
#[test]
fn many_terminals_leave_nothing() {
    behaviour("many_terminals_leave_nothing", |driver| {
        let before = (open_fds(), terminals());
        for _ in 0..100 {
            assert_eq!(driver.run(on_terminal(command("/bin/true"))).code(), 0);
        }
        let children: Vec<Record> =
            (0..30).map(|_| driver.spawn(on_terminal(command("/bin/true"))).record).collect();
        driver.drive_all_to_end(WATCHDOG);
        assert!(children.iter().all(|record| record.code() == 0));
        assert_eq!(open_fds(), before.0);
        // Other processes may hold terminals for a while too.
        driver.until_seen("the terminals are gone", WATCHDOG, || terminals() <= before.1);
    });
}

/// Case SE-18.
#[test]
fn a_failed_spawn_on_a_terminal_leaves_no_terminal() {
    behaviour("a_failed_spawn_on_a_terminal_leaves_no_terminal", |driver| {
        let before = terminals();
        let error = driver.fails(on_terminal(command("/no/such")));
        assert_eq!((error.step(), error.raw_os_error()), (Step::Exec, Some(libc::ENOENT)));
        let error = driver.fails(on_terminal(command("/bin/true").current_dir("/no/such")));
        assert_eq!((error.step(), error.raw_os_error()), (Step::Chdir, Some(libc::ENOENT)));
        driver.until_seen("the terminals are gone", WATCHDOG, || terminals() <= before);
    });
}

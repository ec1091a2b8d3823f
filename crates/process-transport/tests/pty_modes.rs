//! Area PT: a terminal's attributes and user, floods of output, and long lines.
#![cfg(feature = "reactor")]

mod util;

use std::cell::Cell;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Pty};
use procession_protocol::Termios;

use crate::util::{
    Driver, Event, PROBE, Spawned, WATCHDOG, behaviour, command, in_every_way, ms, probe,
    root_or_skip, sh, skip,
};

/// The user and group that every system has for nobody.
const NOBODY: u32 = 65534;

/// Gives the command a new terminal.
fn on_terminal(command: Command) -> Command {
    command.pty(Pty::new())
}

/// Drives the loop until the child has printed this text.
fn until_text(driver: &mut Driver, child: &Spawned, text: &str) {
    driver.until(text, WATCHDOG, || child.record.text(1) == text);
}

/// Returns whether `stty` is installed. Without it the test is skipped.
fn stty_or_skip(what: &str) -> bool {
    let found = ["/bin/stty", "/usr/bin/stty"].iter().any(|path| Path::new(path).exists());
    if !found {
        skip(what, "needs stty");
    }
    found
}

/// Case PT-15.
#[test]
fn a_terminal_that_is_not_read_does_not_block_the_loop() {
    behaviour("a_terminal_that_is_not_read_does_not_block_the_loop", |driver| {
        if !stty_or_skip("PT-15") {
            return;
        }
        let child = driver.spawn(on_terminal(sh("stty raw -echo; printf R; exec sleep 600")));
        until_text(driver, &child, "R");
        // It reads nothing for as long as it lives, so whatever waits for that never returns.
        child.process.write(vec![b'x'; 1 << 20]);
        let count = driver.ticker();
        driver.until("the timer goes on", WATCHDOG, || count.get() >= 10);
        let queued = child.process.write_buffered(0);
        assert!(queued > 1 << 19, "{queued} bytes wait: the kernel takes a few thousand");
        drop(count);
        child.process.signal(Signal::KILL).unwrap();
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.signal(), 9);
        assert_eq!(child.record.lost(), [1]);
    });
}

/// Case PT-16.
#[test]
fn a_long_line_is_cut_by_the_terminal_and_not_by_the_library() {
    behaviour("a_long_line_is_cut_by_the_terminal_and_not_by_the_library", |driver| {
        if !stty_or_skip("PT-16") {
            return;
        }
        let child = driver.spawn(on_terminal(sh("stty -echo; printf R; exec head -n1")));
        until_text(driver, &child, "R");
        let mut line = vec![b'y'; 10_000];
        line.push(b'\n');
        child.process.write(line);
        driver.drive_to_end(&child.record);
        let text = child.record.text(1);
        let got = text.strip_prefix('R').and_then(|rest| rest.strip_suffix("\r\n"));
        let got = got.unwrap_or_else(|| panic!("{} bytes: {text:?}", text.len()));
        assert!(got.bytes().all(|byte| byte == b'y'));
        assert_eq!((got.len(), child.record.code()), (4095, 0));
    });
}

/// Case PT-23.
#[test]
fn a_terminal_belongs_to_the_childs_user() {
    behaviour("a_terminal_belongs_to_the_childs_user", |driver| {
        if !root_or_skip("PT-23") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let owner = Rc::new(Cell::new((0, 0)));
        let seen = owner.clone();
        let script = "id -u; echo ok >/dev/tty";
        let child = on_terminal(sh(script)).uid(NOBODY).gid(NOBODY).current_dir(dir.path());
        let record = driver.run_with(child, move |process, event| {
            if *event == Event::Made {
                let slave = process.with_fd(1, |master| {
                    let name = rustix::pty::ptsname(master, Vec::new()).unwrap();
                    std::fs::metadata(name.to_str().unwrap()).unwrap()
                });
                let slave = slave.unwrap();
                seen.set((slave.uid(), slave.gid()));
            }
        });
        assert_eq!((record.text(1).as_str(), record.code()), ("65534\r\nok\r\n", 0));
        assert_eq!(owner.get().0, NOBODY);
        let groups = std::fs::read_to_string("/etc/group").unwrap();
        let tty = groups.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some("tty")).then(|| fields.nth(1)?.parse::<u32>().ok())?
        });
        if let Some(tty) = tty {
            assert_eq!(owner.get().1, tty, "the group of terminals");
        }
    });
}

/// Case PT-24.
#[test]
fn children_on_terminals_can_be_killed_from_outside() {
    behaviour("children_on_terminals_can_be_killed_from_outside", |driver| {
        let children = [0, 1].map(|_| driver.spawn(on_terminal(sh("echo r; exec sleep 100"))));
        for child in &children {
            until_text(driver, child, "r\r\n");
            let kill = format!("kill -TERM {}", child.process.pid().unwrap());
            assert_eq!(driver.run(sh(&kill)).code(), 0);
        }
        for child in &children {
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.signal(), 15);
            assert_eq!(child.record.count(|event| matches!(event, Event::Ended(_))), 1);
        }
    });
}

/// Case PT-27.
#[test]
fn a_flood_on_a_terminal_does_not_block_the_loop() {
    behaviour("a_flood_on_a_terminal_does_not_block_the_loop", |driver| {
        let child = driver.spawn(on_terminal(command("/bin/cat").arg("/dev/zero")));
        let count = driver.ticker();
        driver.until("the timer and the flood go on", WATCHDOG, || {
            count.get() >= 20 && child.record.data(1).len() > 1 << 16
        });
        let bytes = child.record.data(1).len();
        child.process.pause(1);
        driver.run_for(ms(300));
        assert_eq!(child.record.data(1).len(), bytes, "nothing while it is paused");
        drop(count);
        child.process.signal(Signal::KILL).unwrap();
        child.process.resume(1);
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.signal(), 9);
    });
}

/// Case PT-28.
#[test]
fn a_new_terminal_is_cooked() {
    in_every_way("a_new_terminal_is_cooked", |driver| {
        if !stty_or_skip("PT-28") {
            return;
        }
        let record = driver.run(on_terminal(sh("stty -a")));
        let text = record.text(1);
        let words: Vec<&str> = text.split([' ', ';', '\r', '\n']).collect();
        for word in ["speed", "icanon", "isig", "echo", "opost", "onlcr"] {
            assert!(words.contains(&word), "{word}: {text}");
        }
        assert_eq!(record.code(), 0);
    });
}

/// Case PT-34. The attributes and the size are set before the program can look at them.
#[test]
fn a_terminal_has_its_attributes_before_the_program_starts() {
    behaviour("a_terminal_has_its_attributes_before_the_program_starts", |driver| {
        let cooked = driver.spawn(on_terminal(command("/bin/cat")));
        let mut settings = cooked.process.termios().unwrap();
        assert!(settings.echoes() && settings.is_canonical());
        assert_eq!(settings.eof_char(), 4);
        cooked.process.send_eof().unwrap();
        driver.drive_to_end(&cooked.record);
        let closed = cooked.process.termios().unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::BrokenPipe);
        assert!(closed.to_string().ends_with(": its terminal is closed"), "{closed}");

        settings.set_echo(false);
        settings.control_chars[libc::VEOF] = b'q';
        let quiet = command("/bin/cat").pty(Pty::new().size(7, 9).termios(settings.clone()));
        let quiet = driver.spawn(quiet);
        assert_eq!(quiet.process.termios().unwrap(), settings);
        quiet.process.write("said once\n");
        until_text(driver, &quiet, "said once\r\n");
        quiet.process.send_eof().unwrap();
        driver.drive_to_end(&quiet.record);
        assert_eq!((quiet.record.text(1).as_str(), quiet.record.code()), ("said once\r\n", 0));
    });
}

/// Case PT-35. A terminal can be made raw while the child runs, and can have a different speed in
/// each direction.
#[test]
fn attributes_can_be_changed_while_the_child_runs() {
    behaviour("attributes_can_be_changed_while_the_child_runs", |driver| {
        let cat = driver.spawn(on_terminal(command("/bin/cat")));
        let mut settings = cat.process.termios().unwrap();
        settings.set_raw();
        if (settings.input_speed, settings.output_speed) == (0, 0) {
            skip("the speeds of a terminal", "this system does not tell them");
        } else {
            (settings.input_speed, settings.output_speed) = (9_600, 123_456);
        }
        cat.process.set_termios(&settings).unwrap();
        let now = cat.process.termios().unwrap();
        let speeds = (now.input_speed, now.output_speed);
        assert_eq!(speeds, (settings.input_speed, settings.output_speed));
        assert!(!now.echoes() && !now.is_canonical());
        cat.process.write(b"\x03\x04\n");
        until_text(driver, &cat, "\x03\x04\n");
        cat.process.lose_connection();
        driver.drive_to_end(&cat.record);
        assert_eq!(cat.record.signal(), libc::SIGHUP);
    });
}

/// Case PT-36. A terminal without an end-of-file character cannot pass on an end of file.
#[test]
fn a_disabled_end_character_is_an_error() {
    behaviour("a_disabled_end_character_is_an_error", |driver| {
        let cat = driver.spawn(on_terminal(command("/bin/cat")));
        let mut settings = cat.process.termios().unwrap();
        settings.control_chars[libc::VEOF] = libc::_POSIX_VDISABLE;
        cat.process.set_termios(&settings).unwrap();
        let error = cat.process.send_eof().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        cat.process.signal(Signal::TERM).unwrap();
        driver.drive_to_end(&cat.record);
        assert_eq!((cat.record.text(1), cat.record.signal()), (String::new(), 15));
    });
}

/// Case PT-37. Without control, 0 to 2 are a terminal, but Ctrl-C on it sends no signal.
#[test]
fn a_terminal_without_control_sends_no_signals() {
    behaviour("a_terminal_without_control_sends_no_signals", |driver| {
        let script = format!("test -t 0 && '{PROBE}' tty; echo r; read x; exit 4");
        let child = driver.spawn(sh(&script).pty(Pty::new().controlling(false)));
        driver.until("it is ready", WATCHDOG, || child.record.text(1).ends_with("r\r\n"));
        assert!(child.record.text(1).starts_with("/dev/pts/"), "{}", child.record.text(1));
        assert_eq!(child.process.group(), None, "it leads nothing");
        child.process.write(b"\x03\n");
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 4, "no signal came of it");
    });
}

/// Case PT-38. A child on a terminal leads a group. A signal to the group reaches the processes
/// that it started.
#[test]
fn a_child_on_a_terminal_leads_a_group() {
    behaviour("a_child_on_a_terminal_leads_a_group", |driver| {
        let child = driver.spawn(on_terminal(sh("echo r; sleep 100; exit 9")));
        until_text(driver, &child, "r\r\n");
        assert_eq!(child.process.group(), child.process.pid());
        child.process.signal_group(Signal::TERM).unwrap();
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.signal(), 15);
    });
}

/// Case PT-39. Any map from 3 up works beside a terminal, in both directions.
#[test]
fn further_descriptors_work_beside_a_terminal() {
    behaviour("further_descriptors_work_beside_a_terminal", |driver| {
        let script = "read a <&3; echo \"$a\" >&4; read b <&7; echo \"$b\" >&7; echo done";
        let child = on_terminal(sh(script))
            .child_fd(3, Fd::to_child())
            .child_fd(4, Fd::from_child())
            .child_fd(7, Fd::socketpair());
        let child = driver.spawn(child);
        child.process.write_to_child(3, "three\n").unwrap();
        child.process.write_to_child(7, "seven\n").unwrap();
        driver.drive_to_end(&child.record);
        let record = &child.record;
        assert_eq!((record.text(4), record.text(7)), ("three\n".into(), "seven\n".into()));
        assert_eq!((record.text(1).as_str(), record.code()), ("done\r\n", 0));
        assert_eq!(record.lost(), [1, 3, 4, 7]);
    });
}

/// Case PT-33. The terminal's calls fail for a child without a terminal. The child runs on.
#[test]
fn terminal_calls_fail_for_a_child_without_a_terminal() {
    behaviour("terminal_calls_fail_for_a_child_without_a_terminal", |driver| {
        let cat = driver.spawn(command("/bin/cat"));
        let (process, pid) = (&cat.process, cat.process.pid().unwrap());
        let verbs = [
            ("set the window size", process.resize(1, 2)),
            ("read the window size", process.window_size().map(drop)),
            ("read the terminal settings", process.termios().map(drop)),
            ("change the terminal settings", process.set_termios(&Termios::default())),
            ("type the end-of-file character", process.send_eof()),
        ];
        for (what, result) in verbs {
            let error = result.unwrap_err();
            let text = format!("cannot {what} of process {pid}: it has no terminal");
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Unsupported, text));
        }
        cat.process.close_stdin();
        driver.drive_to_end(&cat.record);
        assert_eq!(cat.record.code(), 0);
    });
}

/// Case PT-40. Water marks of a terminal's queue are reported for child fd 0, its input.
#[test]
fn water_marks_of_a_terminal_are_reported_for_its_input() {
    behaviour("water_marks_of_a_terminal_are_reported_for_its_input", |driver| {
        let child = driver.spawn(on_terminal(probe(["length"])));
        let mut settings = child.process.termios().unwrap();
        settings.set_echo(false);
        child.process.set_termios(&settings).unwrap();
        // The data has lines, so that the terminal passes them on. The end character comes last.
        let lines = "0123456789abcde\n".repeat(10_000);
        child.process.write(lines);
        child.process.send_eof().unwrap();
        driver.drive_to_end(&child.record);
        assert_eq!((child.record.text(1).as_str(), child.record.code()), ("160000\r\n", 0));
        assert_eq!(child.record.count(|event| matches!(event, Event::Full(0))), 1);
        assert_eq!(child.record.count(|event| matches!(event, Event::Drained(0))), 1);
        assert!(!child.record.has(|event| matches!(event, Event::Full(1) | Event::Drained(1))));
    });
}

//! Area PT: the one slave descriptor of a terminal that the parent keeps, and the end of output.
//!
//! If it were closed at once, a child that redirects its own 0 to 2 would leave the slave without
//! any opener. If it were closed too late, the master would never report its end.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::rc::Rc;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Pty};
use procession_protocol::Process;

use crate::util::{
    Driver, Event, PROMPTLY, Spawned, WATCHDOG, behaviour, bound, command, ms, open_fds,
    process_state, sh,
};

/// Gives the command a new terminal.
fn on_terminal(command: Command) -> Command {
    command.pty(Pty::new())
}

/// Returns how many descriptors of slaves this process has.
fn slaves() -> usize {
    open_fds().values().filter(|link| is_slave(link)).count()
}

fn is_slave(link: &str) -> bool {
    link.strip_prefix("/dev/pts/").is_some_and(|rest| rest.parse::<u32>().is_ok())
}

/// Returns how many descriptors of masters this process has.
fn masters() -> usize {
    open_fds().values().filter(|link| link.ends_with("/ptmx")).count()
}

/// Drives the loop until the child has printed this text.
fn until_text(driver: &mut Driver, child: &Spawned, text: &str) {
    driver.until(text, WATCHDOG, || child.record.text(1) == text);
}

/// The events of a hook, each with the number of slaves at that moment.
type EventLog = Rc<RefCell<Vec<(Event, usize)>>>;

/// A hook that counts the slaves in each callback.
fn counting() -> (EventLog, impl FnMut(&Process, &Event) + 'static) {
    let log = EventLog::default();
    let counts = log.clone();
    (log, move |_: &Process, event: &Event| counts.borrow_mut().push((event.clone(), slaves())))
}

/// Case PT-41. A child that redirects its 0 to 2 still has its terminal as long as it lives.
#[test]
fn a_child_that_redirects_its_own_0_to_2_keeps_its_terminal() {
    behaviour("a_child_that_redirects_its_own_0_to_2_keeps_its_terminal", |driver| {
        let script = "exec </dev/null >/dev/null 2>&1; read x <&3; echo later >/dev/tty; exit 5";
        for _ in 0..10 {
            let (log, hook) = counting();
            let child = on_terminal(sh(script)).child_fd(3, Fd::to_child());
            let child = driver.spawn_with(child, hook);
            let number = child.process.pid().unwrap();
            let gone = || {
                let link = std::fs::read_link(format!("/proc/{number}/fd/2"));
                link.is_ok_and(|link| link == std::path::Path::new("/dev/null"))
            };
            driver.until_seen("the child has redirected its own", WATCHDOG, gone);
            // Only the parent has the slave open now. The master must not report its end.
            driver.run_for(ms(20));
            assert!(child.record.exited().is_none(), "it was hung up:\n{}", driver.dump());
            assert_eq!((masters(), slaves()), (1, 1));
            child.process.write_to_child(3, "go\n").unwrap();
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.text(1), "later\r\n");
            assert_eq!(child.record.code(), 5);
            for (event, count) in log.borrow().iter() {
                let reaped = matches!(event, Event::Exited(_) | Event::Ended(_));
                if reaped {
                    assert_eq!(*count, 0, "once it is reaped there is none: {event:?}");
                } else if *event == Event::Made {
                    assert_eq!(*count, 1, "while it lives there is one");
                }
            }
            assert_eq!((masters(), slaves()), (0, 0));
        }
    });
}

/// Case PT-42. The last output of a child to its terminal is delivered, whether the loop sees the
/// output or the exit first.
#[test]
fn the_last_words_on_a_terminal_are_delivered() {
    behaviour("the_last_words_on_a_terminal_are_delivered", |driver| {
        // More than one read of a terminal returns, and less than the terminal holds.
        let script = "exec >/dev/null 2>&1; i=0; while [ $i -lt 400 ]; do echo 0123456; \
                      i=$((i + 1)); done >/dev/tty; echo end >/dev/tty";
        let wanted = format!("{}end\r\n", "0123456\r\n".repeat(400));
        for _ in 0..10 {
            let record = driver.run(on_terminal(sh(script)));
            let text = record.text(1);
            assert!(text == wanted, "{} of {} bytes", text.len(), wanted.len());
            assert_eq!(record.code(), 0);
        }
    });
}

/// Case PT-42. The loop runs only after the child is dead. Its output waits in the terminal.
#[test]
fn output_survives_a_child_that_died_before_the_loop_ran() {
    behaviour("output_survives_a_child_that_died_before_the_loop_ran", |driver| {
        for _ in 0..10 {
            let child = driver.spawn(on_terminal(sh("echo one; echo two; exit 3")));
            util::sys::wait_until_zombie(child.process.pid().unwrap());
            assert_eq!(slaves(), 1, "until the reap");
            driver.drive_to_end(&child.record);
            assert_eq!((child.record.text(1).as_str(), child.record.code()), ("one\r\ntwo\r\n", 3));
        }
    });
}

/// Case PT-43. A paused terminal is not read. Its output and the child's end wait until it is
/// resumed.
#[test]
fn a_paused_terminal_keeps_its_output_past_the_exit() {
    behaviour("a_paused_terminal_keeps_its_output_past_the_exit", |driver| {
        let child = driver.spawn_with(on_terminal(sh("echo kept; exit 2")), |process, event| {
            if *event == Event::Made {
                process.pause(1);
            }
        });
        driver.until("the exit", WATCHDOG, || child.record.exited().is_some());
        driver.run_for(ms(50));
        assert_eq!((child.record.text(1), slaves()), (String::new(), 0));
        assert!(child.record.ended().is_none());
        child.process.resume(1);
        driver.drive_to_end(&child.record);
        assert_eq!((child.record.text(1).as_str(), child.record.code()), ("kept\r\n", 2));
    });
}

/// Case PT-44. A grandchild that holds the terminal delays the end. A bound limits that delay.
#[test]
fn a_bound_on_draining_ends_a_terminal_that_a_grandchild_holds() {
    behaviour("a_bound_on_draining_ends_a_terminal_that_a_grandchild_holds", |driver| {
        // The leader's exit hangs the session up, so the grandchild ignores HUP, as nohup does.
        let script = "trap '' HUP; sleep 5 & echo $!; exit 0";
        let record = driver.run(on_terminal(sh(script)).drain_after_exit(ms(100)));
        let ended = record.after_made(|event| matches!(event, Event::Ended(_))).unwrap();
        assert!((ms(100)..ms(2000)).contains(&ended), "{record:?}");
        assert_eq!(record.code(), 0);
        let reason = record.ended().unwrap().unwrap();
        assert_eq!(reason.held_fds().iter().map(|fd| fd.as_raw()).collect::<Vec<_>>(), [1]);
        let grandchild: u32 = record.text(1).trim().parse().unwrap();
        assert!(!"ZX".contains(process_state(grandchild)), "nobody has killed it");
        let pid = rustix::process::Pid::from_raw(grandchild.cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    });
}

/// Case PT-45. A kill from outside leaves no slave, no master and no zombie.
#[test]
fn a_killed_child_gives_its_terminal_back() {
    behaviour("a_killed_child_gives_its_terminal_back", |driver| {
        let cat = driver.spawn(on_terminal(command("/bin/cat")));
        cat.process.write("x\n");
        until_text(driver, &cat, "x\r\nx\r\n");
        let from = driver.now();
        cat.process.signal(Signal::KILL).unwrap();
        driver.drive_to_end(&cat.record);
        assert_eq!(cat.record.signal(), 9);
        assert!(driver.now() - from < bound(PROMPTLY) + ms(700));
        assert_eq!((masters(), slaves()), (0, 0));
    });
}

/// Case PT-46. Another number can be the same as 0, 1 or 2, also through a chain. It is then the
/// terminal.
#[test]
fn a_number_that_is_the_same_as_a_standard_one_is_the_terminal() {
    behaviour("a_number_that_is_the_same_as_a_standard_one_is_the_terminal", |driver| {
        let script = "for fd in 3 4 5; do test -t $fd && echo $fd >&$fd; done; \
                      exec </dev/null >/dev/null 2>&1; echo last >&4; exit 5";
        let same = || {
            let fds = [(3, Fd::same_as(1)), (4, Fd::same_as(0)), (5, Fd::same_as(3))];
            on_terminal(sh(script)).child_fds(fds)
        };
        let commands =
            [same(), same().child_fd(5, Fd::same_as(2)), same().child_fd(3, Fd::same_as(4))];
        for command in commands {
            let record = driver.run(command);
            assert_eq!((record.text(1).as_str(), record.code()), ("3\r\n4\r\n5\r\nlast\r\n", 5));
        }
        // A source number that the child does not have is still refused, and the error names the
        // entry.
        let error = driver.fails(on_terminal(sh("exit 0")).child_fd(3, Fd::same_as(9)));
        assert!(error.to_string().contains("child fd 3"), "{error}");
        let error = driver.fails(on_terminal(sh("exit 0")).child_fd(3, Fd::same_as(3)));
        assert!(error.to_string().contains("child fd 3"), "{error}");
    });
}

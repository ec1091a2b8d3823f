//! A byte-stream protocol over real children. The standard error is not part of the connection.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use procession_process_transport::{Command, Fd, Pty, SpawnProcess};
use procession_protocol::{ProcessTerminated, Protocol, StreamAdapter, Target, Transport};

use crate::util::{Driver, WATCHDOG, behaviour, code, ms, sh, signal};

/// A test's action when the connection is made.
type OnMade = fn(&Transport);

/// Records how the connection was lost. It uses the default of `read_closed`.
struct RecordingClient {
    on_made: OnMade,
    lost: LossSlot,
}

/// How the connection was lost, once that has happened.
type LossSlot = Rc<RefCell<Option<Result<(), ProcessTerminated>>>>;

impl Protocol for RecordingClient {
    fn connection_made(&mut self, transport: &Transport) {
        (self.on_made)(transport);
    }

    fn connection_lost(&mut self, _: &Transport, reason: io::Result<()>) {
        let reason = reason.map_err(|error| {
            let inner = error.into_inner().expect("it holds how the process ended");
            *inner.downcast().expect("a ProcessTerminated")
        });
        let before = self.lost.replace(Some(reason));
        assert!(before.is_none(), "lost twice");
    }
}

fn client(on_made: OnMade) -> (StreamAdapter<RecordingClient>, LossSlot) {
    let lost = LossSlot::default();
    (StreamAdapter::new(RecordingClient { on_made, lost: Rc::clone(&lost) }), lost)
}

/// Starts the child and keeps its standard error. Returns the kept bytes and the exit code at the
/// loss.
fn kept(driver: &mut Driver, on_made: OnMade, command: Command) -> (Bytes, Option<i32>) {
    let (protocol, lost) = client(on_made);
    let (protocol, kept) = protocol.keep_stderr(1000);
    driver.handle().spawn_process(protocol, command).expect("it starts");
    let status = until_lost(driver, &lost);
    (kept.bytes(), status)
}

/// Waits for the loss. Returns the exit code, or `None` for a death by signal.
fn until_lost(driver: &mut Driver, lost: &LossSlot) -> Option<i32> {
    driver.until("the connection is lost", WATCHDOG, || lost.borrow().is_some());
    match lost.take().expect("it was waited for") {
        Ok(()) => Some(0),
        Err(terminated) => terminated.exit_code(),
    }
}

#[test]
fn the_end_of_the_output_does_not_lose_the_error_output() {
    behaviour("the_end_of_the_output_does_not_lose_the_error_output", |driver| {
        for _ in 0..100 {
            let result = kept(driver, |_| {}, sh("echo error >&2; exit 3"));
            assert_eq!(result, ("error\n".into(), Some(3)));
        }
    });
}

/// `cat` ends when the default of `read_closed` has closed the connection.
const WRITES_LATE: &str = "exec >&-; cat >/dev/null; echo error >&2; exit 3";

#[test]
fn a_child_that_closes_its_output_goes_on() {
    behaviour("a_child_that_closes_its_output_goes_on", |driver| {
        let result = kept(driver, |_| {}, sh(WRITES_LATE));
        assert_eq!(result, ("error\n".into(), Some(3)));

        let (protocol, lost) = client(|_| {});
        let lines: Rc<RefCell<Vec<Bytes>>> = Rc::default();
        let sink = Rc::clone(&lines);
        let protocol = protocol.log_stderr(move |line| sink.borrow_mut().push(line));
        driver.handle().spawn_process(protocol, sh(WRITES_LATE)).unwrap();
        assert_eq!((until_lost(driver, &lost), lines.take()), (Some(3), vec!["error".into()]));
    });
}

/// More output than a pipe holds. The child would wait for ever if nobody read it.
#[test]
fn a_child_whose_error_output_nobody_reads_goes_on() {
    behaviour("a_child_whose_error_output_nobody_reads_goes_on", |driver| {
        let (protocol, lost) = client(|_| {});
        let script = "exec >&-; cat >/dev/null; head -c 300000 /dev/zero >&2 || exit 4; exit 3";
        driver.handle().spawn_process(protocol, sh(script)).unwrap();
        assert_eq!(until_lost(driver, &lost), Some(3));
    });
}

#[test]
fn a_program_that_closes_the_connection_still_gets_the_error_output() {
    behaviour("a_program_that_closes_the_connection_still_gets_the_error_output", |driver| {
        let close: OnMade = |transport| {
            transport.write("last words");
            transport.lose_connection();
        };
        let result = kept(driver, close, sh("cat >&2; echo . >&2; exit 3"));
        assert_eq!(result, ("last words.\n".into(), Some(3)));
    });
}

#[test]
fn an_aborted_connection_closes_the_error_output_too() {
    behaviour("an_aborted_connection_closes_the_error_output_too", |driver| {
        let abort: OnMade = |transport| {
            transport.write("nobody hears");
            transport.abort_connection();
        };
        // The child's write to its standard error fails.
        let script = "trap '' PIPE; cat >/dev/null; echo error >&2 || exit 5";
        let result = kept(driver, abort, sh(script));
        assert_eq!(result, ("".into(), Some(5)));
    });
}

/// A command whose descendant holds the standard error.
fn held(reader: io::PipeReader) -> Command {
    let script = "exec >&-; (read line <&3; echo late >&2) & exec 3<&-; exit 3";
    sh(script).child_fd(3, Fd::inherit(reader))
}

#[test]
fn the_loss_waits_for_the_last_writer_of_an_error_output_that_is_kept() {
    let name = "the_loss_waits_for_the_last_writer_of_an_error_output_that_is_kept";
    behaviour(name, |driver| {
        let (reader, hold) = io::pipe().unwrap();
        let (protocol, lost) = client(|_| {});
        let (protocol, kept) = protocol.keep_stderr(1000);
        let process = driver.handle().spawn_process(protocol, held(reader)).unwrap();
        driver.until("it has exited", WATCHDOG, || process.pid().is_none());
        driver.turn();
        assert!(lost.borrow().is_none());
        drop(hold);
        assert_eq!((until_lost(driver, &lost), kept.bytes()), (Some(3), "late\n".into()));

        // A bound limits the wait.
        let (reader, hold) = io::pipe().unwrap();
        let command = held(reader).drain_after_exit(ms(1));
        assert_eq!(self::kept(driver, |_| {}, command), ("".into(), Some(3)));
        drop(hold);
    });
}

#[test]
fn the_loss_does_not_wait_if_the_error_output_is_dropped() {
    behaviour("the_loss_does_not_wait_if_the_error_output_is_dropped", |driver| {
        let (reader, hold) = io::pipe().unwrap();
        let (protocol, lost) = client(|_| {});
        driver.handle().spawn_process(protocol, held(reader)).unwrap();
        assert_eq!(until_lost(driver, &lost), Some(3));
        drop(hold);
    });
}

/// A terminal serves all three descriptors, and closing it hangs up.
#[test]
fn a_closed_connection_hangs_a_terminal_up() {
    behaviour("a_closed_connection_hangs_a_terminal_up", |driver| {
        for close in [Transport::lose_connection as OnMade, Transport::abort_connection] {
            let (protocol, lost) = client(close);
            let command = sh("exec sleep 100").pty(Pty::new());
            driver.handle().spawn_process(protocol, command).unwrap();
            driver.until("the connection is lost", WATCHDOG, || lost.borrow().is_some());
            let reason = lost.take().expect("it was waited for").expect_err("a signal");
            assert_eq!((code(&Err(reason.clone())), signal(&Err(reason))), (None, Some(1)));
        }
    });
}

/// The connection of one child is the source, and the connection of another the target.
#[test]
fn a_childs_output_is_forwarded_to_the_connection_of_another() {
    behaviour("a_childs_output_is_forwarded_to_the_connection_of_another", |driver| {
        thread_local! {
            static SINK: RefCell<Option<Transport>> = const { RefCell::new(None) };
        }
        let keep: OnMade = |transport| {
            SINK.with(|place| place.replace(Some(transport.clone())));
        };
        let (sink, sink_lost) = client(keep);
        driver.handle().spawn_process(sink, sh("test $(wc -c) = 300000")).unwrap();
        let forward: OnMade = |transport| {
            let sink = SINK.with(|place| place.take()).expect("it was made");
            let moved = transport.forward(Target::connection(&sink));
            moved.done(|moved| assert_eq!(moved.expect("it ends in order"), 300_000));
        };
        let (source, source_lost) = client(forward);
        driver.handle().spawn_process(source, sh("head -c 300000 /dev/zero")).unwrap();
        assert_eq!(until_lost(driver, &source_lost), Some(0));
        assert_eq!(until_lost(driver, &sink_lost), Some(0));
    });
}

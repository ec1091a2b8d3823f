//! Area IO: written data arrives, and the child's output is delivered, on every fd.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::io::{Seek, Write};
use std::rc::Rc;

use bytes::Bytes;
use procession_core::WriteError;
use procession_process_transport::{Fd, SpawnProcess};
use procession_protocol::{ChildFd, ExitReason, Process, ProcessProtocol, SignalError};

use crate::util::{Event, PROMPTLY, Record, WATCHDOG, behaviour, bound, command, ms, probe, sh};

/// Asserts both outputs and exit code 0.
#[track_caller]
fn assert_outputs(record: &Record, stdout: &str, stderr: &str) {
    let found = (record.text(1), record.text(2), record.code());
    assert_eq!(found, (stdout.to_owned(), stderr.to_owned(), 0));
}

/// Case IO-01.
#[test]
fn standard_output_is_delivered() {
    behaviour("standard_output_is_delivered", |driver| {
        assert_outputs(&driver.run(sh("echo foobar")), "foobar\n", "");
    });
}

/// Case IO-02.
#[test]
fn standard_error_is_delivered_apart() {
    behaviour("standard_error_is_delivered_apart", |driver| {
        assert_outputs(&driver.run(sh("printf 42 >&2")), "", "42");
    });
}

/// Case IO-03.
#[test]
fn each_output_keeps_its_own_order() {
    behaviour("each_output_keeps_its_own_order", |driver| {
        let record = driver.run(sh("echo out1; echo err1 >&2; echo out2; echo err2 >&2"));
        assert_outputs(&record, "out1\nout2\n", "err1\nerr2\n");
    });
}

/// Case IO-04.
#[test]
fn every_way_of_writing_reaches_standard_input_in_order() {
    behaviour("every_way_of_writing_reaches_standard_input_in_order", |driver| {
        let parts = ["hello, world", "abc", "123"];
        let ways: [fn(&Process, [&'static str; 3]); 4] = [
            |process, parts| parts.into_iter().for_each(|part| process.write(part)),
            |process, parts| process.write_sequence(parts),
            |process, parts| {
                parts.into_iter().for_each(|part| process.write_to_child(0, part).unwrap());
            },
            |process, parts| parts.into_iter().for_each(|part| process.write_copy(part.as_bytes())),
        ];
        for way in ways {
            let child = driver.spawn(command("/bin/cat"));
            way(&child.process, parts);
            child.process.close_stdin();
            driver.drive_to_end(&child.record);
            assert_outputs(&child.record, "hello, worldabc123", "");
        }
    });
}

/// Case IO-05.
#[test]
fn all_byte_values_come_back() {
    behaviour("all_byte_values_come_back", |driver| {
        let all: Vec<u8> = (0..=255_u8).cycle().take(256 * 2000).collect();
        let child = driver.spawn(command("/bin/cat"));
        child.process.write(all.clone());
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert!(child.record.data(1) == all, "{} bytes", child.record.data(1).len());
        assert_eq!(child.record.code(), 0);
    });
}

/// The calls that a protocol of case IO-06 received.
type CallLog = Rc<RefCell<Vec<String>>>;

/// Overrides only the generic callbacks.
struct GenericCallbacks(CallLog);

impl ProcessProtocol for GenericCallbacks {
    fn child_data_received(&mut self, _: &Process, fd: ChildFd, data: Bytes) {
        self.0.borrow_mut().push(format!("data {fd} {data:?}"));
    }

    fn child_connection_lost(&mut self, _: &Process, fd: ChildFd) {
        self.0.borrow_mut().push(format!("lost {fd}"));
    }

    fn out_received(&mut self, _: &Process, _: Bytes) {
        self.0.borrow_mut().push("out, though the generic one was overridden".into());
    }

    fn in_connection_lost(&mut self, _: &Process) {
        self.0.borrow_mut().push("in lost, though the generic one was overridden".into());
    }

    fn process_ended(&mut self, _: &Process, _: ExitReason) {
        self.0.borrow_mut().push("ended".into());
    }
}

/// Overrides only the specific callbacks.
struct SpecificCallbacks(CallLog);

impl ProcessProtocol for SpecificCallbacks {
    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.0.borrow_mut().push(format!("out {data:?}"));
    }

    fn err_received(&mut self, _: &Process, data: Bytes) {
        self.0.borrow_mut().push(format!("err {data:?}"));
    }

    fn in_connection_lost(&mut self, _: &Process) {
        self.0.borrow_mut().push("in lost".into());
    }

    fn out_connection_lost(&mut self, _: &Process) {
        self.0.borrow_mut().push("out lost".into());
    }

    fn err_connection_lost(&mut self, _: &Process) {
        self.0.borrow_mut().push("err lost".into());
    }

    fn process_ended(&mut self, _: &Process, _: ExitReason) {
        self.0.borrow_mut().push("ended".into());
    }
}

/// Case IO-06.
#[test]
fn the_generic_callbacks_dispatch_to_the_specific_ones() {
    behaviour("the_generic_callbacks_dispatch_to_the_specific_ones", |driver| {
        let script = "echo o; echo e >&2";
        let seen = CallLog::default();
        driver.handle().spawn_process(SpecificCallbacks(seen.clone()), sh(script)).unwrap();
        let done = || seen.borrow().last().is_some_and(|last| last == "ended");
        driver.until("the specific protocol ends", WATCHDOG, done);
        let mut specific = seen.take();
        specific.sort();
        let wanted = ["ended", "err b\"e\\n\"", "err lost", "in lost", "out b\"o\\n\"", "out lost"];
        assert_eq!(specific, wanted);

        driver.handle().spawn_process(GenericCallbacks(seen.clone()), sh(script)).unwrap();
        let done = || seen.borrow().last().is_some_and(|last| last == "ended");
        driver.until("the generic protocol ends", WATCHDOG, done);
        let mut generic = seen.take();
        generic.sort();
        let wanted =
            ["data 1 b\"o\\n\"", "data 2 b\"e\\n\"", "ended", "lost 0", "lost 1", "lost 2"];
        assert_eq!(generic, wanted);
    });
}

/// Case IO-07.
#[test]
fn data_written_in_connection_made_arrives() {
    behaviour("data_written_in_connection_made_arrives", |driver| {
        let record = driver.run_with(command("/bin/cat"), |process, event| {
            if *event == Event::Made {
                process.write("written in made");
                process.close_stdin();
            }
        });
        assert_outputs(&record, "written in made", "");
    });
}

/// Case IO-08.
#[test]
fn empty_writes_have_no_effect() {
    behaviour("empty_writes_have_no_effect", |driver| {
        let child = driver.spawn(command("/bin/cat"));
        for _ in 0..10 {
            child.process.write(b"");
            driver.turn();
        }
        assert_eq!(child.record.events(), [Event::Made], "empty writes call nothing back");
        child.process.write("x");
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert_outputs(&child.record, "x", "");
        let empty = |event: &Event| matches!(event, Event::Data(_, data) if data.is_empty());
        assert!(!child.record.has(empty));
        let drained = child.record.count(|event| *event == Event::Drained(0));
        assert!(drained <= 1, "only the one real write drains:\n{:?}", child.record);
    });
}

/// Case IO-09.
#[test]
fn data_is_delivered_when_it_arrives_and_not_at_the_end() {
    behaviour("data_is_delivered_when_it_arrives_and_not_at_the_end", |driver| {
        let record = driver.run(sh("printf a; sleep 1; printf b"));
        let when = |letter: &'static str| {
            record.after_made(|event| *event == Event::Data(1, letter.into())).unwrap()
        };
        assert!(when("a") < bound(PROMPTLY), "{record:?}");
        assert!((ms(900)..ms(1500)).contains(&when("b")), "{record:?}");
        assert_eq!(record.code(), 0);
    });
}

/// Case IO-10.
#[test]
fn large_input_and_both_outputs_do_not_lock_each_other() {
    behaviour("large_input_and_both_outputs_do_not_lock_each_other", |driver| {
        let input: Vec<u8> = (0..=255_u8).cycle().take(1_000_000).collect();
        let child = driver.spawn(sh("cat; printf '%1000000s' '' >&2"));
        child.process.write(input.clone());
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert!(child.record.data(1) == input, "{} bytes", child.record.data(1).len());
        assert!(child.record.data(2) == vec![b' '; 1_000_000], "stderr");
        assert_eq!(child.record.code(), 0);
    });
}

/// Case IO-11.
#[test]
fn a_closed_standard_output_ends_its_writer() {
    behaviour("a_closed_standard_output_ends_its_writer", |driver| {
        let record = driver.run_with(sh("sleep 0.2; exec cat /dev/zero"), |process, event| {
            if *event == Event::Made {
                process.close_stdout();
            }
        });
        assert_eq!(record.signal(), libc::SIGPIPE);
        assert!(record.after_made(|event| *event == Event::Lost(1)).unwrap() < ms(150));
        assert_eq!(record.data(1), b"");
    });
}

/// Case IO-12.
#[test]
fn a_closed_standard_error_ends_its_writer() {
    behaviour("a_closed_standard_error_ends_its_writer", |driver| {
        let record = driver.run_with(sh("sleep 0.2; exec cat /dev/zero >&2"), |process, event| {
            if *event == Event::Made {
                process.close_stderr();
            }
        });
        assert_eq!(record.signal(), libc::SIGPIPE);
        assert!(record.after_made(|event| *event == Event::Lost(2)).unwrap() < ms(150));
        assert_eq!(record.data(2), b"");
    });
}

/// Case IO-14.
#[test]
fn input_that_nobody_reads_is_no_failure() {
    behaviour("input_that_nobody_reads_is_no_failure", |driver| {
        let child = driver.spawn(command("/bin/true"));
        child.process.write(vec![0; 1 << 20]);
        driver.drive_to_end(&child.record);
        assert_eq!((child.record.code(), child.record.lost()), (0, vec![0, 1, 2]));
    });
}

/// Case IO-15.
#[test]
fn a_write_that_comes_too_late_is_an_error() {
    behaviour("a_write_that_comes_too_late_is_an_error", |driver| {
        let late = |process: &Process| {
            process.write("late");
            process.write_to_child(0, "late").unwrap_err()
        };
        // One turn after `close_stdin`.
        let child = driver.spawn(command("/bin/cat"));
        child.process.close_stdin();
        driver.turn();
        assert_eq!(late(&child.process), WriteError::Closed, "after close_stdin");
        driver.drive_to_end(&child.record);
        assert_outputs(&child.record, "", "");
        assert_eq!(late(&child.process), WriteError::Closed, "after the end");

        // After the child has closed its input.
        let child = driver.spawn(sh("exec <&-; sleep 0.2"));
        let record = child.record.clone();
        driver.until("lost(0)", WATCHDOG, || record.is_lost(0));
        assert!(record.exited().is_none(), "the child lives:\n{record:?}");
        assert_eq!(late(&child.process), WriteError::Closed, "after the loss");
        driver.drive_to_end(&record);
        assert_eq!(record.code(), 0);

        // A map without an input.
        let child = driver.spawn(command("/bin/true").child_fds([(1, Fd::from_child())]));
        assert_eq!(late(&child.process), WriteError::UnknownFd);
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 0);
    });
}

/// Case IO-16.
#[test]
fn ten_thousand_writes_arrive_in_order() {
    behaviour("ten_thousand_writes_arrive_in_order", |driver| {
        let child = driver.spawn(command("/bin/cat"));
        let mut all = String::new();
        for number in 0..10_000 {
            let line = format!("{number}\n");
            all += &line;
            child.process.write(line);
        }
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert!(child.record.text(1) == all, "{} bytes", child.record.data(1).len());
        assert_eq!(child.record.code(), 0);
    });
}

/// Case IO-17.
#[test]
fn every_protocol_receives_its_own_child_alone() {
    behaviour("every_protocol_receives_its_own_child_alone", |driver| {
        let children: Vec<_> = (0..20)
            .map(|index| {
                let script =
                    format!("i=0; while [ $i -lt 2000 ]; do echo {index}; i=$((i+1)); done");
                (index, driver.spawn(sh(&script)).record)
            })
            .collect();
        driver.drive_all_to_end(WATCHDOG);
        for (index, record) in children {
            assert!(record.text(1) == format!("{index}\n").repeat(2000), "child {index}");
            assert_eq!((record.text(2).as_str(), record.code()), ("", 0));
        }
    });
}

/// Case IO-18.
#[test]
fn a_very_long_line_arrives_whole() {
    behaviour("a_very_long_line_arrives_whole", |driver| {
        let record = driver.run(sh("printf '%100000s' x"));
        let line = format!("{}x", " ".repeat(99_999));
        assert!(record.text(1) == line, "{} bytes", record.data(1).len());
        assert_eq!(record.code(), 0);
    });
}

/// Case IO-19.
#[test]
fn standard_input_can_be_a_file() {
    behaviour("standard_input_can_be_a_file", |driver| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content of the file").unwrap();
        file.rewind().unwrap();
        let fds = [(0, Fd::inherit(file)), (1, Fd::from_child())];
        let record = driver.run(command("/bin/cat").child_fds(fds));
        assert_eq!((record.text(1).as_str(), record.code()), ("content of the file", 0));
        assert_eq!(record.lost(), [1]);
    });
}

/// Case IO-20.
#[test]
fn the_ends_of_streams_are_delivered_one_by_one_while_the_child_lives() {
    behaviour("the_ends_of_streams_are_delivered_one_by_one_while_the_child_lives", |driver| {
        let child = driver.spawn_with(probe(["stages"]), |process, event| match event {
            Event::Made => process.write("abcd"),
            Event::Lost(1) => process.write("1234"),
            Event::Lost(2) => process.write("abcd"),
            _ => {}
        });
        let record = &child.record;
        driver.drive_to_end(record);
        let causal = |event: &Event| matches!(event, Event::Data(..) | Event::Lost(_));
        let sequence: Vec<Event> = record.events().into_iter().filter(causal).collect();
        assert_eq!(
            sequence,
            [
                Event::Data(1, "abcd".into()),
                Event::Lost(1),
                Event::Data(2, "1234".into()),
                Event::Lost(2),
                Event::Lost(0),
            ]
        );
        assert_eq!(record.code(), 23);
        let after = child.process.signal(procession_core::Signal::TERM);
        assert!(matches!(after, Err(SignalError::ProcessExitedAlready)), "{after:?}");
    });
}

//! The callbacks that a protocol gets from a fake child, and the data that the child gets.

mod util;

use std::time::Duration;

use procession_core::{Failed, Signal, WriteError};
use procession_protocol::{
    ChildFd, FakeFd, FakeProcess, ProcessDone, ProcessTerminated, SignalError, Termios,
};
use util::{acting, heard, recorder};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn made_is_first_ended_is_last_and_each_pipe_is_lost_once() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    assert_eq!(heard(&log), ["made"]);
    fake.child_writes(1, "out");
    fake.child_writes(2, "err");
    fake.child_closes(2);
    fake.child_closes(2);
    fake.child_writes(2, "late");
    assert_eq!(heard(&log), ["data 1 out", "data 2 err", "lost 2"]);
    fake.exit(3);
    let mut last = heard(&log);
    assert_eq!(last.pop().unwrap(), "ended exited with status 3");
    last.sort_unstable();
    assert_eq!(last, ["exited exited with status 3", "lost 0", "lost 1"]);
    fake.exit(0);
    fake.child_writes(1, "late");
    assert_eq!(heard(&log), [""; 0]);
}

#[test]
fn a_descendant_that_holds_a_pipe_holds_the_end_back() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.reap(Ok(ProcessDone::default()));
    assert_eq!(heard(&log), ["made", "exited exited with status 0"]);
    assert_eq!(fake.process().pid(), None);
    fake.child_writes(1, "still here");
    for fd in 0..3 {
        fake.child_closes(fd);
    }
    let expected =
        ["data 1 still here", "lost 0", "lost 1", "lost 2", "ended exited with status 0"];
    assert_eq!(heard(&log), expected);
}

#[test]
fn a_pipe_still_held_after_the_grace_is_cut_off_and_named() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.set_drain_after_exit(Some(SECOND));
    fake.child_closes(0);
    fake.process().pause(2);
    fake.child_writes(2, "kept for later");
    fake.reap(Ok(ProcessDone::default()));
    heard(&log);
    fake.clock().advance(SECOND - Duration::from_nanos(1));
    assert_eq!(heard(&log), [""; 0]);
    fake.clock().advance(Duration::from_nanos(1));
    assert_eq!(heard(&log), ["lost 1"]);
    fake.process().resume(2);
    fake.turn();
    let expected =
        ["data 2 kept for later", "lost 2", "ended exited with status 0, held 1, held 2"];
    assert_eq!(heard(&log), expected);
}

#[test]
fn an_end_of_file_that_waited_for_the_resume_was_not_held() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.set_drain_after_exit(Some(SECOND));
    fake.process().pause(1);
    fake.exit(0);
    fake.clock().advance(SECOND);
    assert!(!fake.is_ended());
    fake.process().resume_all();
    fake.turn();
    assert_eq!(heard(&log).pop().unwrap(), "ended exited with status 0");
}

#[test]
fn a_paused_descriptor_keeps_data_and_end_back_but_not_the_exit() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.process().pause_all();
    fake.child_writes(1, "one");
    fake.child_writes(1, "two");
    fake.exit(0);
    let mut first = heard(&log);
    first.sort_unstable();
    assert_eq!(first, ["exited exited with status 0", "lost 0", "made"]);
    fake.process().resume(1);
    fake.turn();
    assert_eq!(heard(&log), ["data 1 one", "data 1 two", "lost 1"]);
    fake.process().resume(2);
    fake.turn();
    assert_eq!(heard(&log), ["lost 2", "ended exited with status 0"]);
}

#[test]
fn a_pause_inside_a_callback_holds_unread_data_back() {
    let (protocol, log) = acting(|name, process| {
        if name == "data" {
            process.pause(1);
        }
    });
    let mut fake = FakeProcess::new(protocol);
    fake.child_writes(1, "one");
    fake.child_writes(1, "two");
    assert_eq!(heard(&log), ["made", "data 1 one"]);
    fake.process().resume(1);
    fake.turn();
    assert_eq!(heard(&log), ["data 1 two"]);
}

#[test]
fn writes_after_close_stdin_in_the_same_callback_are_sent() {
    let (protocol, log) = acting(|name, process| {
        if name == "made" {
            for word in ["a", "b", "c"] {
                process.write(word);
                process.close_stdin();
            }
        } else {
            assert_eq!(process.write_to_child(0, "late"), Err(WriteError::Closed));
        }
    });
    let mut fake = FakeProcess::new(protocol);
    assert_eq!(fake.written(0), "abc");
    assert!(fake.is_closed(0));
    assert_eq!(heard(&log), ["made", "drained 0", "lost 0"]);
    fake.exit(0);
    assert_eq!(fake.written(0), "abc");
}

#[test]
fn a_full_pipe_raises_the_marks_once_each() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    heard(&log);
    fake.hold_writes(0);
    let process = fake.process().clone();
    process.set_write_limits(0, 10, 4).unwrap();
    process.write("0123456789");
    fake.turn();
    assert_eq!(heard(&log), [""; 0]);
    process.write("a");
    process.write("b");
    fake.turn();
    assert_eq!(heard(&log), ["full 0"]);
    fake.child_reads(0, 7);
    assert_eq!((heard(&log), process.write_buffered(0)), (vec![], 5));
    assert_eq!(fake.written(0), "0123456");
    fake.child_reads(0, 1);
    assert_eq!(heard(&log), ["drained 0"]);
    process.write("0123456789");
    fake.turn();
    assert_eq!(heard(&log), ["full 0"]);
    fake.release_writes(0);
    assert_eq!(heard(&log), ["drained 0"]);
    assert_eq!(fake.written(0), "0123456789ab0123456789");
}

#[test]
fn a_queue_returns_its_limits_until_it_is_gone() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let process = fake.process().clone();
    assert_eq!(process.write_limits(0), Some((64 << 10, 0)));
    process.set_write_limits(0, 10, 40).unwrap();
    assert_eq!(process.write_limits(0), Some((10, 10)), "a low one above the high one is equal");
    assert_eq!(process.write_limits(1), None, "it is read");
    fake.child_closes(0);
    assert_eq!(process.write_limits(0), None);
}

#[test]
fn a_hard_limit_refuses_the_whole_write() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.hold_writes(0);
    let process = fake.process().clone();
    process.set_write_hard_limit(0, Some(5)).unwrap();
    assert_eq!(process.write_to_child(0, "1234"), Ok(()));
    assert_eq!(process.write_to_child(0, "56"), Err(WriteError::BufferFull));
    assert_eq!(process.write_to_child(0, "5"), Ok(()));
    process.set_write_hard_limit(0, None).unwrap();
    process.write("6");
    fake.release_writes(0);
    assert_eq!(fake.written(0), "123456");
}

#[test]
fn a_close_waits_for_the_queue_and_an_abort_does_not() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::with_fds(protocol, [(0, FakeFd::ToChild), (3, FakeFd::ToChild)]);
    fake.hold_writes(0);
    fake.hold_writes(3);
    let process = fake.process().clone();
    process.write("slow");
    process.write_to_child(3, "gone").unwrap();
    process.close_child_fd(0);
    process.abort_connection(3);
    assert!(fake.is_closed(3) && !fake.is_closed(0));
    fake.release_writes(0);
    fake.release_writes(3);
    assert!(fake.is_closed(0));
    assert_eq!((fake.written(0), fake.written(3)), ("slow".into(), "".into()));
    assert_eq!(heard(&log), ["made", "lost 3", "drained 0", "lost 0"]);
}

#[test]
fn with_nothing_queued_a_close_does_not_wait_for_a_full_pipe() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.hold_writes(0);
    fake.process().close_stdin();
    assert!(fake.is_closed(0));
    assert_eq!(heard(&log), ["made", "lost 0"]);
}

#[test]
fn writes_are_refused_with_the_reason() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let process = fake.process().clone();
    assert_eq!(process.write_to_child(1, "x"), Err(WriteError::NotWritable));
    assert_eq!(process.write_to_child(9, "x"), Err(WriteError::UnknownFd));
    assert_eq!(process.set_write_limits(9, 1, 0), Err(WriteError::UnknownFd));
    fake.child_closes(0);
    assert_eq!(process.write_to_child(0, "x"), Err(WriteError::Closed));
    assert_eq!(process.set_write_hard_limit(0, None), Err(WriteError::Closed));
    assert_eq!(process.write_buffered(0), 0);
}

#[test]
fn readers_close_at_the_next_turn_and_lose_unread_data() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.process().pause(1);
    fake.child_writes(1, "never seen");
    fake.process().lose_connection();
    assert_eq!(heard(&log), ["made"]);
    fake.turn();
    assert_eq!(heard(&log), ["lost 0", "lost 1", "lost 2"]);
    assert!(fake.process().pid().is_some());
}

#[test]
fn lose_connection_leaves_other_descriptors_and_close_all_does_not() {
    let (protocol, _log) = recorder();
    let fds = [(0, FakeFd::ToChild), (4, FakeFd::FromChild), (5, FakeFd::Socketpair)];
    let fake = FakeProcess::with_fds(protocol, fds);
    fake.process().lose_connection();
    assert!(fake.is_closed(0) && !fake.is_closed(4) && !fake.is_closed(5));
    fake.process().close_all();
    assert!(fake.is_closed(4) && fake.is_closed(5));
}

#[test]
fn each_direction_of_a_socketpair_ends_by_itself() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::with_fds(protocol, [(5, FakeFd::Socketpair)]);
    fake.child_writes(5, "question");
    fake.child_shuts_down(5);
    fake.child_writes(5, "late");
    assert_eq!(heard(&log), ["made", "data 5 question", "read_closed 5"]);
    fake.process().write_to_child(5, "answer").unwrap();
    fake.process().shutdown_write(5);
    assert_eq!(fake.written(5), "answer");
    assert_eq!(heard(&log), ["drained 5", "lost 5"]);
}

#[test]
fn a_socketpair_shut_down_by_the_parent_is_still_read() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::with_fds(protocol, [(5, FakeFd::Socketpair)]);
    fake.process().shutdown_write(5);
    fake.child_writes(5, "answer");
    assert_eq!(heard(&log), ["made", "data 5 answer"]);
    assert_eq!(fake.process().write_to_child(5, "x"), Err(WriteError::Closed));
    fake.child_closes(5);
    assert_eq!(heard(&log), ["lost 5"]);
}

#[test]
fn signals_are_recorded_until_the_reap() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let process = fake.process().clone();
    process.signal(Signal::HUP).unwrap();
    process.signal_group(Signal::INT).unwrap();
    assert_eq!((fake.signals(), fake.group_signals()), (vec![Signal::HUP], vec![Signal::INT]));
    fake.exit(0);
    assert!(matches!(process.signal(Signal::HUP), Err(SignalError::ProcessExitedAlready)));
    assert!(matches!(process.signal_group(Signal::HUP), Err(SignalError::ProcessExitedAlready)));
    let late = process.terminate(Signal::TERM, SECOND).try_take().unwrap();
    assert!(matches!(late.unwrap_err().error(), Some(SignalError::ProcessExitedAlready)));
}

#[test]
fn terminate_reports_that_the_signal_ended_the_child() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let stopped = fake.process().terminate(Signal::TERM, SECOND * 10);
    fake.clock().advance(Duration::from_millis(1_200));
    fake.exit_by_signal(Signal::TERM);
    fake.clock().advance(SECOND * 20);
    assert_eq!(fake.signals(), [Signal::TERM, Signal::CONT]);
    let stopped = stopped.try_take().unwrap().unwrap();
    assert_eq!(stopped.to_string(), "ended by signal 15 (SIGTERM) after 1.2 s");
    assert!(!stopped.escalated());
}

#[test]
fn terminate_kills_after_the_grace_and_at_once_when_called_again() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let stopped = fake.process().terminate(Signal::TERM, SECOND);
    fake.clock().advance(SECOND);
    assert_eq!(fake.signals(), [Signal::TERM, Signal::CONT, Signal::KILL]);
    fake.exit_by_signal(Signal::KILL);
    assert!(stopped.try_take().unwrap().unwrap().escalated());

    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let first = fake.process().terminate(Signal::TERM, SECOND);
    let second = fake.process().terminate(Signal::INT, SECOND);
    let third = fake.process().terminate(Signal::HUP, SECOND);
    assert_eq!(fake.signals(), [Signal::TERM, Signal::CONT, Signal::KILL]);
    fake.clock().advance(SECOND / 2);
    assert_eq!(fake.signals().len(), 3, "one KILL is enough");
    fake.exit_by_signal(Signal::KILL);
    assert!(first.try_take().unwrap().unwrap().escalated());
    for result in [second, third] {
        let ended = result.try_take().unwrap().unwrap();
        assert!(ended.escalated());
        assert_eq!(ended.after(), SECOND / 2, "since the first call");
    }
}

#[test]
fn a_grace_of_zero_kills_at_once() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let stopped = fake.process().terminate(Signal::TERM, Duration::ZERO);
    assert_eq!(fake.signals(), [Signal::TERM, Signal::CONT, Signal::KILL]);
    fake.exit_by_signal(Signal::KILL);
    assert!(stopped.try_take().unwrap().unwrap().escalated());
}

/// Case TM-08, which `termination_group` of the process transport checks with a real child.
#[test]
fn a_termination_of_a_group_ends_when_it_is_empty() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.set_group_members(1);
    let stopped = fake.process().terminate(Signal::TERM, SECOND);
    assert_eq!(fake.group_signals(), [Signal::TERM, Signal::CONT]);
    drop(heard(&log));
    fake.reap(Ok(ProcessDone::default()));
    assert_eq!(heard(&log), ["made"; 0], "the leader is kept");
    fake.exit(9);
    fake.clock().advance(SECOND - Duration::from_millis(1));
    assert!(stopped.try_take().is_none() && fake.process().pid().is_some());
    fake.clock().advance(Duration::from_millis(1));
    assert_eq!(fake.group_signals(), [Signal::TERM, Signal::CONT, Signal::KILL]);
    assert_eq!(fake.signals(), [Signal::KILL]);
    assert!(stopped.try_take().is_none(), "it is looked at first");
    fake.set_group_members(0);
    fake.clock().advance(Duration::from_millis(1));
    let ended = stopped.try_take().unwrap().unwrap();
    assert!(ended.escalated() && ended.is_gone() && ended.reason().is_ok());
    assert!(fake.is_ended());
    let late = fake.process().terminate(Signal::TERM, SECOND).try_take().unwrap();
    assert!(matches!(late.unwrap_err().error(), Some(SignalError::ProcessExitedAlready)));
}

/// Case TM-09.
#[test]
fn a_group_or_leader_that_outlives_its_kill_is_reported_as_left() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.set_group_members(1);
    let stopped = fake.process().terminate(Signal::TERM, Duration::ZERO);
    fake.child_writes(1, "last words");
    fake.reap(Ok(ProcessDone::default()));
    fake.clock().advance(SECOND);
    let ended = stopped.try_take().unwrap().unwrap();
    assert!(ended.escalated() && !ended.is_gone() && ended.reason().is_ok());
    assert!(fake.is_ended(), "an output that is held is not waited for");
    assert!(heard(&log).iter().any(|line| line.contains("last words")));
    // The same for the leader itself.
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.set_group_members(0);
    let stopped = fake.process().terminate(Signal::TERM, Duration::ZERO);
    fake.clock().advance(SECOND);
    let ended = stopped.try_take().unwrap().unwrap();
    assert!(!ended.is_gone() && ended.reason().as_ref().unwrap_err().is_lost());
    assert!(!fake.is_ended());
    fake.exit_by_signal(Signal::KILL);
    assert!(fake.is_ended());
}

#[test]
fn a_group_is_terminated_after_the_reap_of_its_leader() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.exit(0);
    fake.set_group_members(1);
    assert!(fake.process().signal_group(Signal::HUP).is_ok());
    let stopped = fake.process().terminate(Signal::TERM, SECOND);
    assert!(stopped.try_take().is_none());
    fake.set_group_members(0);
    fake.clock().advance(Duration::from_millis(50));
    assert!(!stopped.try_take().unwrap().unwrap().escalated());
    assert_eq!(fake.group_signals(), [Signal::HUP, Signal::TERM, Signal::CONT]);
}

#[test]
fn a_termination_that_outlives_the_fake_is_abandoned() {
    let (protocol, _log) = recorder();
    let fake = FakeProcess::new(protocol);
    let process = fake.process().clone();
    let stopped = process.terminate(Signal::TERM, SECOND);
    drop(fake);
    assert!(matches!(stopped.try_take(), Some(Err(Failed::Abandoned))));
}

#[test]
fn a_status_that_was_lost_still_ends_the_process() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::with_fds(protocol, [(0, FakeFd::ToChild); 0]);
    fake.reap(Err(ProcessTerminated::lost()));
    let lost = "ended with an unknown status: somebody else waited for it";
    assert_eq!(heard(&log), ["made".to_owned(), format!("exited {lost}"), format!("ended {lost}")]);
}

#[test]
fn a_fake_has_no_terminal_no_pidfd_and_no_descriptors() {
    let (protocol, _log) = recorder();
    let fake = FakeProcess::new(protocol);
    let process = fake.process();
    let pid = process.pid().unwrap();
    let verbs = [
        ("set the window size", process.resize(24, 80)),
        ("read the window size", process.window_size().map(drop)),
        ("read the terminal settings", process.termios().map(drop)),
        ("change the terminal settings", process.set_termios(&Termios::default())),
        ("type the end-of-file character", process.send_eof()),
    ];
    for (what, result) in verbs {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
        let text = format!("cannot {what} of process {pid}: it has no terminal");
        assert_eq!(error.to_string(), text);
    }
    assert_eq!(process.pidfd().unwrap_err().kind(), std::io::ErrorKind::Unsupported);
    assert_eq!(process.with_fd(ChildFd::STDIN, |_| ()), None);
    assert_eq!(process.spawned_by(), None);
}

//! Children without a loop: the blocking verbs, with and without the feature `reactor`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Pty, Spawned, TakeError};
use procession_protocol::{ChildFd, SignalError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::process::{Pid, kill_process_group, test_kill_process};

const LONG: Duration = Duration::from_secs(30);

fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

/// Takes descriptor 1 and returns the first line that the child writes to it.
fn first_line(child: &mut Spawned) -> (String, BufReader<File>) {
    let mut output = BufReader::new(File::from(child.take(1).expect("1 is a pipe")));
    let mut line = String::new();
    output.read_line(&mut line).expect("it writes");
    (line, output)
}

/// Waits until the child has ended, without reaping it.
fn until_ended(pidfd: &OwnedFd) {
    poll(&mut [PollFd::new(pidfd, PollFlags::IN)], None).expect("it is open");
}

fn is_there(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn a_command_is_shared_between_threads_and_its_child_is_sent() {
    fn shared<T: Send + Sync + Clone>(value: T) -> T {
        value
    }
    fn sent<T: Send>(value: T) -> T {
        value
    }
    let log = File::open("/dev/null").unwrap();
    let command = shared(sh("echo $0").arg("hello").child_fd(5, log));
    let spawn = || {
        thread::spawn({
            let command = command.clone();
            move || command.spawn().unwrap()
        })
    };
    let children = [spawn(), spawn()].map(|spawning| sent(spawning.join().unwrap()));
    for child in children {
        let output = thread::spawn(move || child.output().unwrap()).join().unwrap();
        assert_eq!((output.stdout(), output.is_success()), (&b"hello\n"[..], true));
    }
}

#[test]
fn sort_reads_its_input_and_writes_its_output() {
    let mut child = Command::new("sort").spawn().unwrap();
    File::from(child.take(0).unwrap()).write_all(b"b\na\n").unwrap();
    assert_eq!(child.output().unwrap().stdout_utf8().unwrap(), "a\nb\n");
}

#[test]
fn full_pipes_on_three_outputs_hold_nobody_up() {
    let script = "for fd in 2 1 7 2 1; do head -c 300000 /dev/zero >&$fd; done; exit 3";
    let output = sh(script).child_fd(7, Fd::from_child()).spawn().unwrap().output().unwrap();
    let lengths = [output.stdout(), output.stderr(), output.bytes(7)].map(<[u8]>::len);
    assert_eq!(lengths, [600_000, 600_000, 300_000]);
    assert_eq!(output.reason.unwrap_err().exit_code(), Some(3));
    let mut child = sh(script).child_fd(7, Fd::from_child()).spawn().unwrap();
    assert_eq!(child.wait().unwrap().unwrap_err().exit_code(), Some(3));
}

#[test]
fn a_wait_closes_the_inputs_and_may_be_repeated() {
    let mut cat = Command::new("cat").spawn().unwrap();
    for _ in 0..2 {
        assert!(cat.wait().unwrap().is_ok());
    }
    assert!(matches!(cat.signal(Signal::TERM), Err(SignalError::ProcessExitedAlready)));
    assert_eq!(cat.try_wait().unwrap(), Some(cat.wait().unwrap()));
    assert!(matches!(cat.take(0), Err(TakeError::Taken(ChildFd::STDIN))));
    let both = Command::new("sh").args(["-c", "cat <&3 >&3"]).child_fd(3, Fd::socketpair());
    assert!(both.spawn().unwrap().wait().unwrap().is_ok());
}

#[test]
fn a_wait_with_a_timeout_gives_up_and_can_go_on() {
    let mut child = Command::new("sleep").arg("600").spawn().unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    assert_eq!(child.wait_timeout(Duration::ZERO).unwrap(), None);
    assert_eq!(child.wait_timeout(Duration::from_millis(20)).unwrap(), None);
    child.signal(Signal::KILL).unwrap();
    let reason = child.wait_timeout(LONG).unwrap().expect("it was killed");
    assert_eq!(reason.unwrap_err().signal(), Some(Signal::KILL));
}

/// The child fills its pipe again and again. It goes on because each look reads the pipe.
#[test]
fn looks_without_a_wait_read_the_available_output() {
    let mut child = sh("head -c 1000000 /dev/zero").spawn().unwrap();
    let pidfd = child.pidfd().unwrap();
    for _ in 0..100_000 {
        if let Some(reason) = child.wait_timeout(Duration::ZERO).unwrap() {
            assert!(reason.is_ok());
            return;
        }
        // Waits for the end, or for a moment in which more output may come.
        let pause = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&pause)).unwrap();
    }
    panic!("it does not end");
}

#[test]
fn an_end_is_handed_out_once_and_blocks() {
    let mut child = Command::new("cat").child_fd(2, Fd::null()).spawn().unwrap();
    let mut input = File::from(child.take(ChildFd::STDIN).unwrap());
    let mut output = File::from(child.take(1).unwrap());
    assert!(!fcntl_getfl(&input).unwrap().contains(OFlags::NONBLOCK));
    assert!(matches!(child.take(0), Err(TakeError::Taken(ChildFd::STDIN))));
    assert!(matches!(child.take(2), Err(TakeError::Unknown(ChildFd::STDERR))));
    // More than a pipe holds, so the write waits for the reader.
    let writer = thread::spawn(move || input.write_all(&[b'x'; 300_000]).unwrap());
    let mut text = Vec::new();
    output.read_to_end(&mut text).unwrap();
    writer.join().unwrap();
    assert_eq!(text.len(), 300_000);
    assert!(child.output().unwrap().stdout().is_empty());
}

#[test]
fn a_deaf_child_is_killed_after_the_grace() {
    let mut child = sh("trap '' TERM; echo on; while :; do sleep 0.01; done").spawn().unwrap();
    assert_eq!(first_line(&mut child).0, "on\n");
    let ended = child.terminate(Signal::TERM, Duration::from_millis(50)).unwrap();
    assert_eq!((ended.signal(), ended.escalated()), (Some(Signal::KILL), true));
    assert!(child.terminate(Signal::TERM, LONG).is_err(), "it is reaped");
    let mut sleep = Command::new("sleep").arg("600").spawn().unwrap();
    sleep.signal(Signal::STOP).unwrap();
    let ended = sleep.terminate(Signal::TERM, LONG).unwrap();
    assert_eq!((ended.signal(), ended.escalated()), (Some(Signal::TERM), false));
}

/// The member holds the pipe that the test reads, so the end of file shows the member's end.
#[test]
fn the_group_of_an_owned_child_ends_with_it() {
    let script = "(trap '' TERM; echo on; while :; do sleep 0.01; done) & wait";
    let mut child = sh(script).owned(true).spawn().unwrap();
    let (line, mut output) = first_line(&mut child);
    assert_eq!(line, "on\n");
    let ended = child.terminate(Signal::TERM, Duration::from_millis(50)).unwrap();
    assert_eq!((ended.signal(), ended.escalated()), (Some(Signal::TERM), true));
    assert_eq!(output.read_to_string(&mut String::new()).unwrap(), 0, "the member is gone");
    let not_owned = Command::new("true").spawn().unwrap();
    assert!(matches!(not_owned.signal_group(Signal::TERM), Err(SignalError::NoGroup)));
}

#[test]
fn a_child_with_kill_on_drop_is_killed_when_it_is_dropped() {
    let script = "sleep 600 & echo on; wait";
    let mut child = sh(script).owned(true).kill_on_drop(true).spawn().unwrap();
    let (_, mut output) = first_line(&mut child);
    drop(child);
    assert_eq!(output.read_to_string(&mut String::new()).unwrap(), 0, "the group is gone");
    let mut child = sh("echo on; exec sleep 600").kill_on_drop(true).spawn().unwrap();
    let (_, mut output) = first_line(&mut child);
    drop(child);
    assert_eq!(output.read_to_string(&mut String::new()).unwrap(), 0, "it is gone");
}

/// An owned child ends with its handle, unless `kill_on_drop(false)` is set.
#[test]
fn an_owned_child_that_is_dropped_is_killed_unless_it_is_to_live_on() {
    let mut child = sh("sleep 600 & echo on; wait").owned(true).spawn().unwrap();
    let (_, mut output) = first_line(&mut child);
    drop(child);
    assert_eq!(output.read_to_string(&mut String::new()).unwrap(), 0, "the group is gone");
    // The order of the two options does not matter.
    let on = || sh("read line; echo read");
    for command in [on().kill_on_drop(false).owned(true), on().owned(true).kill_on_drop(false)] {
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.take(0).unwrap(), child.take(1).unwrap());
        drop(child);
        File::from(input).write_all(b"x\n").unwrap();
        let mut said = String::new();
        File::from(output).read_to_string(&mut said).unwrap();
        assert_eq!(said, "read\n", "it lives on");
    }
}

/// Only a wait sees whether it still holds an output.
#[test]
fn what_a_reaped_child_has_left_in_its_group_lives_on_after_the_drop() {
    let command = sh("sleep 600 & exit 3").owned(true).child_fd(3, Fd::from_child());
    let mut child = command.spawn().unwrap();
    let end = child.take(3).unwrap();
    while child.try_wait().unwrap().is_none() {
        thread::yield_now();
    }
    let group = Pid::from_raw(child.pid().cast_signed()).unwrap();
    drop(child);
    let moment = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    assert_eq!(poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&moment)).unwrap(), 0);
    kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    until_ended(&end);
}

#[test]
fn a_child_that_is_dropped_lives_on_and_is_reaped_by_a_later_wait() {
    let mut child = sh("read line; exit 0").spawn().unwrap();
    let (pid, pidfd) = (child.pid(), child.pidfd().unwrap());
    let input = child.take(0).unwrap();
    drop(child);
    let raw = Pid::from_raw(pid.cast_signed()).unwrap();
    assert!(test_kill_process(raw).is_ok(), "it lives");
    drop(input);
    until_ended(&pidfd);
    assert!(Command::new("true").spawn().unwrap().wait().unwrap().is_ok());
    assert!(!is_there(pid), "no zombie");
}

#[test]
fn descendants_that_hold_an_output_are_waited_for_as_long_as_the_command_says() {
    let held = sh("sleep 600 & echo $!").drain_after_exit(Duration::from_millis(50));
    let output = held.spawn().unwrap().output().unwrap();
    assert!(output.is_success());
    let pid = output.stdout_utf8().unwrap().trim().parse().unwrap();
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
    let mut held = sh("sleep 600 & echo $!").spawn().unwrap();
    let (line, _output) = first_line(&mut held);
    assert_eq!(held.wait_timeout(Duration::from_millis(50)).unwrap(), None, "2 is held");
    let pid = line.trim().parse().unwrap();
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
    assert!(held.wait().unwrap().is_ok());
}

/// The bound counts from the reap, not from each look. The output that was cut off is named.
#[test]
fn short_waits_one_after_another_come_to_the_bound_on_held_outputs() {
    let command = sh("sleep 600 & echo $!; exit 3").drain_after_exit(Duration::from_millis(300));
    let mut child = command.spawn().unwrap();
    let (line, _output) = first_line(&mut child);
    let waits = (0..1000).find_map(|_| child.wait_timeout(Duration::from_millis(10)).unwrap());
    let reason = waits.expect("the bound has passed long ago").unwrap_err();
    assert_eq!((reason.exit_code(), reason.held_fds()), (Some(3), &[ChildFd::STDERR][..]));
    let pid = line.trim().parse().unwrap();
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
}

#[test]
fn an_output_that_nobody_held_is_not_reported_as_held() {
    let child = sh("seq 100000; seq 100000 >&2").drain_after_exit(Duration::ZERO).spawn().unwrap();
    let output = child.output().unwrap();
    assert_eq!(output.stdout().len(), 588_895);
    assert!(output.reason.as_ref().unwrap().held_fds().is_empty());
}

#[test]
fn a_terminal_is_an_output_and_has_a_size() {
    let pty = Pty::new().size(24, 80);
    let child = sh("stty size; read line; stty size").pty(pty).spawn().unwrap();
    let mut child = child;
    let master = child.take(1).unwrap();
    assert!(matches!(child.take(0), Err(TakeError::Unknown(ChildFd::STDIN))));
    let mut master = BufReader::new(File::from(master));
    let mut line = String::new();
    master.read_line(&mut line).unwrap();
    assert_eq!(line, "24 80\r\n");
    assert!(child.resize(30, 90).is_err(), "the master is taken");
    master.get_mut().write_all(b"\n").unwrap();
    let output = child.output().unwrap();
    assert!(output.is_success() && output.stdout().is_empty());
    let whole = sh("echo hi").pty(Pty::new()).spawn().unwrap();
    whole.resize(30, 90).unwrap();
    assert_eq!(whole.output().unwrap().stdout_utf8().unwrap(), "hi\r\n");
    assert!(Command::new("true").spawn().unwrap().resize(1, 1).is_err());
}

/// Only the child holds the slave side, as with any terminal.
#[test]
fn a_terminal_that_was_taken_ends_with_the_child_and_without_a_wait() {
    let mut child = sh("echo hi").pty(Pty::new()).spawn().unwrap();
    let mut master = File::from(child.take(1).unwrap());
    let mut text = Vec::new();
    let end = master.read_to_end(&mut text).unwrap_err();
    assert_eq!((end.raw_os_error(), &text[..]), (Some(5), &b"hi\r\n"[..]), "EIO is its end");
    assert!(child.wait().unwrap().is_ok());
}

#[test]
fn without_a_pidfd_the_child_is_waited_for_by_its_number() {
    let blind = |script: &str| sh(script).without_pidfd().spawn().unwrap();
    assert_eq!(blind("echo hi").output().unwrap().stdout(), b"hi\n");
    assert_eq!(blind("exit 4").wait().unwrap().unwrap_err().exit_code(), Some(4));
    let ended = blind("exec sleep 600").terminate(Signal::TERM, LONG).unwrap();
    assert_eq!(ended.signal(), Some(Signal::TERM));
    assert!(blind("true").pidfd().is_err());
}

/// Case OL-07. A child does not depend on the thread that spawned it, and may move to another.
#[test]
fn a_child_lives_on_when_the_thread_that_spawned_it_has_returned() {
    let spawned = thread::spawn(|| sh("read x; exit 3").spawn().unwrap());
    let mut child = spawned.join().unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    File::from(child.take(0).unwrap()).write_all(b"x\n").unwrap();
    assert_eq!(child.wait().unwrap().unwrap_err().exit_code(), Some(3));
}

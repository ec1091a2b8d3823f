//! A program that owns children (see `tests/owner`), and what is left of them once it has ended.
//!
//! Its children hold its standard output, a pipe of the test: an end of file says that none of them
//! lives. That is all that is waited for.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use procession_reactor::Reactor;
use procession_test_support::{bound, process_state, without_leak_check};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

const PROGRAM: &str = env!("CARGO_BIN_EXE_procession-owner");

/// Whatever is waited for comes earlier, or not at all.
const SOON: Duration = Duration::from_secs(10);

/// The program, in a group of its own; killed when this is dropped, with what it has said it owns.
pub(crate) struct Owner {
    process: Child,
    output: ChildStdout,
    clock: Reactor,
    /// What it and its children have said.
    said: String,
    /// The numbers in it are of this namespace.
    is_here: bool,
}

impl Owner {
    /// Starts it, and waits until it and its deaf child say that they are there.
    pub(crate) fn start(words: &str) -> Self {
        Self::start_by("", words)
    }

    /// The same, with children that are started in that way: see the program.
    pub(crate) fn start_by(how: &str, words: &str) -> Self {
        let mut owner = Self::start_with(by(how), words);
        owner.is_here = true;
        owner.until_said("ready");
        owner.until_said("leader=");
        owner.until_said("member=");
        owner
    }

    /// Starts it by a command to which the words are added.
    pub(crate) fn start_with(mut command: Command, words: &str) -> Self {
        command.args(words.split_whitespace()).process_group(0);
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let output = process.stdout.take().expect("a pipe");
        let clock = Reactor::new().expect("a reactor, for its clock");
        Self { process, output, clock, said: String::new(), is_here: false }
    }

    /// Starts one that starts and reaps children all the time, in that way.
    pub(crate) fn storm_by(how: &str) -> Self {
        Self::start_with(by(how), "storm")
    }

    /// Starts one that does so until it is told to exit.
    pub(crate) fn storm_that_exits() -> Self {
        Self::start_with(by(""), "exit_in_storm")
    }

    pub(crate) fn program() -> &'static str {
        PROGRAM
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it is our child");
    }

    /// The number in what was said.
    pub(crate) fn number(&mut self, word: &str) -> u32 {
        self.until_said(word);
        let all = self.said.lines().find_map(|line| line.strip_prefix(word));
        all.and_then(|rest| rest.parse().ok()).expect("a number")
    }

    /// Waits for a whole line that begins so.
    pub(crate) fn until_said(&mut self, word: &str) {
        let is_there = |said: &str| {
            said.split_inclusive('\n').any(|line| line.starts_with(word) && line.ends_with('\n'))
        };
        while !is_there(&self.said) {
            assert!(self.read_more(), "it has ended without {word}:\n{}", self.said);
        }
    }

    /// Waits until that many more dots were said.
    pub(crate) fn until_dots(&mut self, count: usize) {
        let dots = |said: &str| said.matches('.').count();
        let before = dots(&self.said);
        while dots(&self.said) < before + count {
            assert!(self.read_more(), "it has ended:\n{}", self.said);
        }
    }

    /// Lets time pass: what is tested is what comes so late.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.clock.now() + time;
        while self.clock.now() < end {
            let left = end.saturating_sub(self.clock.now());
            self.clock.turn(Some(left)).expect("a turn");
        }
    }

    /// Waits until it has ended and none of its children lives; how it has ended, what was said, and
    /// how long that took.
    pub(crate) fn end(mut self) -> (ExitStatus, String, Duration) {
        let since = self.clock.now();
        while self.read_more() {}
        let took = self.clock.now() - since;
        let status = self.process.wait().expect("our child");
        (status, std::mem::take(&mut self.said), took)
    }

    /// Waits until it has ended, whoever lives on.
    pub(crate) fn end_alone(&mut self) -> ExitStatus {
        self.process.wait().expect("our child")
    }

    /// Waits until it has ended by `signal` with all of its children; how long that took.
    pub(crate) fn dies_by(self, signal: Signal) -> Duration {
        let (status, said, took) = self.end();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}\n{said}");
        took
    }

    /// Reads what there is, waiting for it; false at the end of file.
    fn read_more(&mut self) -> bool {
        let limit = bound(SOON);
        let time = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: 0 };
        let mut fds = [PollFd::new(&self.output, PollFlags::IN)];
        let ready = poll(&mut fds, Some(&time)).expect("poll");
        assert_ne!(ready, 0, "nothing comes, and somebody lives:\n{}", self.said);
        let mut buffer = [0; 4096];
        let count = self.output.read(&mut buffer).expect("a pipe");
        self.said.push_str(&String::from_utf8_lossy(&buffer[..count]));
        count > 0
    }
}

/// Whether a process lives; one that nobody has reaped is dead.
pub(crate) fn lives(pid: u32) -> bool {
    !['Z', 'X'].contains(&process_state(pid))
}

/// The ways of starting children, each with and without what tells of a child by a descriptor.
pub(crate) const WAYS: [&str; 6] = [
    "shared-files",
    "shared-memory",
    "fork",
    "shared-files,without_pidfd",
    "shared-memory,without_pidfd",
    "fork,without_pidfd",
];

/// The program, whose children are started in that way.
fn by(how: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    without_leak_check(&mut command); // it exits with all that it has
    command.env("PROCESSION_TEST_OWNER", how);
    command
}

impl Drop for Owner {
    fn drop(&mut self) {
        // All of this fails where the test went well.
        let lines = self.said.lines().filter(|_| self.is_here);
        let numbers = lines.filter_map(|line| line.strip_prefix("leader="));
        for leader in numbers.filter_map(|number| Pid::from_raw(number.parse().ok()?)) {
            kill_process_group(leader, Signal::KILL).ok();
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

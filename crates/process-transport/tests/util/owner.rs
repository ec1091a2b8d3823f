//! Starts a program that owns children (see `tests/owner`), and checks which of them are left after
//! it has ended.
//!
//! Its children inherit its standard output, which is a pipe to the test. The end of file means
//! that the program and its children have all ended; the test waits for nothing else.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use procession_reactor::Reactor;
use procession_test_support::{bound, process_state, without_leak_check};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

const PROGRAM: &str = env!("CARGO_BIN_EXE_procession-owner");

/// Everything that a test waits for happens earlier, or never.
const SOON: Duration = Duration::from_secs(10);

/// The program, in a process group of its own. The drop kills it and the children that it reported.
pub(crate) struct Owner {
    process: Child,
    output: ChildStdout,
    clock: Reactor,
    /// The output of the program and its children so far.
    said: String,
    /// The pids in `said` belong to this PID namespace.
    is_here: bool,
}

impl Owner {
    /// Starts the program, and waits until it, the leader and the member of its child group have
    /// reported.
    pub(crate) fn start(words: &str) -> Self {
        Self::start_by("", words)
    }

    /// Does the same; the program starts its children in the way `how`.
    pub(crate) fn start_by(how: &str, words: &str) -> Self {
        let mut owner = Self::start_with(by(how), words);
        owner.is_here = true;
        owner.until_said("ready");
        owner.until_said("leader=");
        owner.until_said("member=");
        owner
    }

    /// Starts the program with a command, to which `words` are added.
    pub(crate) fn start_with(mut command: Command, words: &str) -> Self {
        command.args(words.split_whitespace()).process_group(0);
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let output = process.stdout.take().expect("a pipe");
        let clock = Reactor::new().expect("a reactor, for its clock");
        Self { process, output, clock, said: String::new(), is_here: false }
    }

    /// Starts a program that continuously starts and reaps children, in the way `how`.
    pub(crate) fn storm_by(how: &str) -> Self {
        Self::start_with(by(how), "storm")
    }

    /// Starts a program that does the same until SIGUSR1 makes it exit.
    pub(crate) fn storm_that_exits() -> Self {
        Self::start_with(by(""), "exit_in_storm")
    }

    /// Starts a program that continuously launches children off the loop, in the way `how`.
    pub(crate) fn storm_off_the_loop(how: &str) -> Self {
        Self::start_with(by(how), "storm_soon")
    }

    /// Starts a program that does the same until SIGUSR1 makes it exit.
    pub(crate) fn storm_off_the_loop_that_exits() -> Self {
        Self::start_with(by(""), "exit_in_storm_soon")
    }

    pub(crate) fn program() -> &'static str {
        PROGRAM
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Sends the program a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it is our child");
    }

    /// Waits for a line that begins with `word`, and returns the number after it.
    pub(crate) fn number(&mut self, word: &str) -> u32 {
        self.until_said(word);
        let all = self.said.lines().find_map(|line| line.strip_prefix(word));
        all.and_then(|rest| rest.parse().ok()).expect("a number")
    }

    /// Waits for a whole line that begins with `word`.
    pub(crate) fn until_said(&mut self, word: &str) {
        let is_there = |said: &str| {
            said.split_inclusive('\n').any(|line| line.starts_with(word) && line.ends_with('\n'))
        };
        while !is_there(&self.said) {
            assert!(self.read_more(), "it has ended without {word}:\n{}", self.said);
        }
    }

    /// Waits until the output has `count` more dots.
    pub(crate) fn until_dots(&mut self, count: usize) {
        let dots = |said: &str| said.matches('.').count();
        let before = dots(&self.said);
        while dots(&self.said) < before + count {
            assert!(self.read_more(), "it has ended:\n{}", self.said);
        }
    }

    /// Lets time pass, for a test of late events.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.clock.now() + time;
        while self.clock.now() < end {
            let left = end.saturating_sub(self.clock.now());
            self.clock.turn(Some(left)).expect("a turn");
        }
    }

    /// Waits until the program and all of its children have ended. Returns its status, its output,
    /// and how long the wait took.
    pub(crate) fn end(mut self) -> (ExitStatus, String, Duration) {
        let since = self.clock.now();
        while self.read_more() {}
        let took = self.clock.now() - since;
        let status = self.process.wait().expect("our child");
        (status, std::mem::take(&mut self.said), took)
    }

    /// Waits until the program has ended, whether or not its children live on.
    pub(crate) fn end_alone(&mut self) -> ExitStatus {
        self.process.wait().expect("our child")
    }

    /// Waits until `signal` has ended the program and all of its children have ended. Returns how
    /// long that took.
    pub(crate) fn dies_by(self, signal: Signal) -> Duration {
        let (status, said, took) = self.end();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}\n{said}");
        took
    }

    /// Waits for output and reads it. Returns false at the end of file.
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

/// Returns whether a process lives. A zombie does not.
pub(crate) fn lives(pid: u32) -> bool {
    !['Z', 'X'].contains(&process_state(pid))
}

/// The ways of starting children, each with and without pidfds.
pub(crate) const WAYS: [&str; 6] = [
    "shared-files",
    "shared-memory",
    "fork",
    "shared-files,without_pidfd",
    "shared-memory,without_pidfd",
    "fork,without_pidfd",
];

/// Returns a command for the program, which starts its children in the way `how`.
fn by(how: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    without_leak_check(&mut command); // it exits without freeing its memory
    command.env("PROCESSION_TEST_OWNER", how);
    command
}

impl Drop for Owner {
    fn drop(&mut self) {
        // If the test has passed, these calls fail, because the processes are gone.
        let lines = self.said.lines().filter(|_| self.is_here);
        let numbers = lines.filter_map(|line| line.strip_prefix("leader="));
        for leader in numbers.filter_map(|number| Pid::from_raw(number.parse().ok()?)) {
            kill_process_group(leader, Signal::KILL).ok();
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

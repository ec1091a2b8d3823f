//! Programs that run on a real terminal, and what tests do at the other side of it: type, read what
//! is shown, and close the terminal.
//!
//! The program (see `program`) and its children report on descriptor 3, a pipe that all of them
//! hold. Its end of file shows that none of them is alive. The test sends words to them on
//! descriptor 4. Orphans become children of the test.
#![allow(dead_code, reason = "every test file uses its own part of this")]

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use procession_process_transport::{Command, Fd, Pty, Resource, Rlimit, Spawned};
use procession_reactor::Reactor;
pub(crate) use procession_test_support::{bound, process_state, skip_here};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, set_child_subreaper, waitid,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_procession-on-terminal");

/// The variable that holds the script of the program's child.
const CHILD: &str = "PROCESSION_TEST_CHILD";

/// The variable that holds the milliseconds between TERM and KILL for the child's group. The
/// default is 2,000.
pub(crate) const GRACE: &str = "PROCESSION_TEST_GRACE";

/// A deadline: every event that a test waits for comes earlier, or never.
const SOON: Duration = Duration::from_secs(10);

/// The keys that a user types.
pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const CTRL_BACKSLASH: &str = "\x1c";
pub(crate) const CTRL_Z: &str = "\x1a";

/// Returns a number of milliseconds.
pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A program on a terminal, which leads the terminal's session.
pub(crate) struct OnTerminal {
    leader: Spawned,
    /// The test's side of the terminal. `None` after a hang-up.
    terminal: Option<File>,
    lines: File,
    words: Option<File>,
    said: String,
    shown: String,
    clock: Reactor,
}

impl OnTerminal {
    /// Starts the named program with `script` as its child.
    pub(crate) fn start(name: &str, script: &str) -> Self {
        Self::start_by(&[], name, script)
    }

    /// Starts `command`, which finds the program's path in `$PROGRAM`. If `command` is empty,
    /// starts the program itself.
    pub(crate) fn start_by(command: &[&str], name: &str, script: &str) -> Self {
        Self::start_with(command, name, script, |command| command)
    }

    /// Does the same, with changes to the command.
    pub(crate) fn start_with(
        command: &[&str],
        name: &str,
        script: &str,
        change: impl FnOnce(Command) -> Command,
    ) -> Self {
        procession_test_support::announce();
        set_child_subreaper(Some(getpid())).expect("no privilege is needed");
        let command = match command.split_first() {
            Some((command, arguments)) => Command::new(command).args(arguments),
            None => Command::new(PROGRAM),
        };
        // A program that Ctrl-\ ends leaves no core file.
        let no_core = Rlimit { soft: Some(0), hard: Some(0) };
        let command = command
            .pty(Pty::new().size(24, 80))
            .child_fd(3, Fd::from_child())
            .child_fd(4, Fd::to_child())
            .rlimit(Resource::Core, no_core)
            .env("PROGRAM", PROGRAM)
            .env("PROCESSION_TEST_ON_TERMINAL", name)
            .env(CHILD, script)
            .env("TERM", "dumb")
            .env("PS1", "$ ");
        let mut leader = change(command).spawn().expect("it starts");
        let mut take = |fd: i32| Some(File::from(leader.take(fd).expect("it is there")));
        let [terminal, lines, words] = [1, 3, 4].map(&mut take);
        let lines = lines.expect("it was taken");
        let clock = Reactor::new().expect("a reactor, for its clock");
        Self { leader, terminal, lines, words, said: String::new(), shown: String::new(), clock }
    }

    pub(crate) fn types(&mut self, text: &str) {
        let terminal = self.terminal.as_mut().expect("there is a terminal");
        terminal.write_all(text.as_bytes()).expect("a terminal takes a line");
    }

    /// Sends a line to the programs on their descriptor 4.
    pub(crate) fn tell(&mut self, word: &str) {
        let words = self.words.as_mut().expect("it is open");
        words.write_all(format!("{word}\n").as_bytes()).expect("somebody reads");
    }

    /// Closes the terminal, as closing its window does.
    pub(crate) fn hang_up(&mut self) {
        self.terminal.take().expect("there is a terminal");
    }

    /// Sends a signal to the leader of the session.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it is our child");
    }

    pub(crate) fn pid(&self) -> Pid {
        pid(self.leader.pid())
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Waits for a line with this beginning. Returns the rest of the line.
    pub(crate) fn until_said(&mut self, word: &str) -> String {
        loop {
            let mut lines = self.said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            if let Some(rest) = lines.find_map(|line| line.strip_prefix(word)) {
                return rest.trim_end().to_owned();
            }
            assert!(self.read_more(), "nobody is left to say {word}:\n{self}");
        }
    }

    /// Waits for a line `word=NUMBER`. Returns the number.
    pub(crate) fn number(&mut self, word: &str) -> Pid {
        let number = self.until_said(&format!("{word}="));
        pid(number.parse().expect("a number"))
    }

    /// Waits until the program and its child report that they run. Returns the program's pid.
    pub(crate) fn until_ready(&mut self) -> Pid {
        self.until_said("leader=");
        self.until_said("member=");
        self.number("program")
    }

    /// Waits until the terminal shows this text.
    pub(crate) fn until_shown(&mut self, text: &str) {
        while !self.shown.contains(text) {
            assert!(self.read_more(), "nobody is left to show {text}:\n{self}");
        }
        self.shown.clear();
    }

    /// Waits until a process is stopped.
    pub(crate) fn until_stopped(&mut self, pid: Pid) {
        let end = self.now() + bound(SOON);
        let number = pid.as_raw_nonzero().get().cast_unsigned();
        while process_state(number) != 'T' {
            assert!(self.now() < end, "it is not stopped:\n{self}");
            self.wait(ms(2));
        }
    }

    /// Lets time pass, because the tested event comes this late.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.now() < end {
            let left = end.saturating_sub(self.now());
            self.clock.turn(Some(left)).expect("a turn");
        }
    }

    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    /// Waits for the end of a process that loses its parent. Returns the signal that ended it.
    pub(crate) fn orphan_died_by(&mut self, pid: Pid) -> Option<i32> {
        let end = self.now() + bound(SOON);
        loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
                Ok(Some(end)) => return end.terminating_signal(),
                // It still has a parent.
                Ok(None) | Err(Errno::CHILD) => {}
                Err(error) => panic!("it can be waited for: {error}"),
            }
            assert!(self.now() < end, "it lives, or its parent:\n{self}");
            self.wait(ms(2));
        }
    }

    /// Waits until no process holds descriptor 3.
    pub(crate) fn until_nobody_lives(&mut self) {
        while self.read_more() {}
    }

    /// Waits for the leader of the session only. Returns the signal that ended it.
    pub(crate) fn leader_died_by(&mut self) -> Option<i32> {
        let end = self.leader.wait_timeout(bound(SOON)).expect("it can be waited for");
        let end = end.unwrap_or_else(|| panic!("the leader lives:\n{self}"));
        end.err().and_then(|terminated| terminated.signal()).map(|signal| signal.as_raw())
    }

    /// Waits until no process is alive and the leader of the session has exited with `status`.
    /// Returns the time since `since`.
    #[track_caller]
    pub(crate) fn exits_with(mut self, status: i32, since: Duration) -> Duration {
        self.until_nobody_lives();
        let took = self.now() - since;
        let end = self.leader.wait_timeout(bound(SOON)).expect("it can be waited for");
        let end = end.unwrap_or_else(|| panic!("the leader lives:\n{self}"));
        assert_eq!(end.err().and_then(|terminated| terminated.exit_code()), Some(status), "{self}");
        took
    }

    /// Waits until no process is alive. Returns the signal that ended the session's leader, and the
    /// time since `since`.
    pub(crate) fn end(mut self, since: Duration) -> (Option<i32>, Duration) {
        self.until_nobody_lives();
        let took = self.now() - since;
        (self.leader_died_by(), took)
    }

    /// Waits until no process is alive, and the leader was ended by `signal`. Returns the time
    /// since `since`.
    #[track_caller]
    pub(crate) fn dies_by(mut self, signal: Signal, since: Duration) -> Duration {
        self.until_nobody_lives();
        let shown = format!("{self}");
        let (died_by, took) = self.end(since);
        assert_eq!(died_by, Some(signal.as_raw()), "{shown}");
        took
    }

    /// Waits for a report or for text on the terminal, and reads it. Returns false at the end of
    /// the reports.
    fn read_more(&mut self) -> bool {
        let limit = bound(SOON);
        let time = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: 0 };
        let mut fds = vec![PollFd::new(&self.lines, PollFlags::IN)];
        fds.extend(self.terminal.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        let ready = poll(&mut fds, Some(&time)).expect("poll");
        let is_ready = |index: usize| fds.get(index).is_some_and(|fd| !fd.revents().is_empty());
        let (says, shows) = (is_ready(0), is_ready(1));
        assert_ne!(ready, 0, "nothing comes, and somebody lives:\n{self}");
        let mut buffer = [0; 4096];
        if shows {
            // An error here means that no process has the terminal open.
            let count = self.terminal.as_mut().and_then(|fd| fd.read(&mut buffer).ok());
            self.shown.push_str(&String::from_utf8_lossy(&buffer[..count.unwrap_or(0)]));
            if count.is_none() && !says {
                // No more text comes from the terminal, and a poll of it would return at once.
                return self.read_lines(&mut buffer);
            }
        }
        !says || self.read_lines(&mut buffer)
    }

    fn read_lines(&mut self, buffer: &mut [u8]) -> bool {
        let count = self.lines.read(buffer).expect("a pipe");
        self.said.push_str(&String::from_utf8_lossy(&buffer[..count]));
        count > 0
    }
}

impl std::fmt::Display for OnTerminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "--- said\n{}--- shown\n{}", self.said, self.shown)
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // All of this fails if the test went well.
        let numbers = self.said.lines().filter_map(|line| line.split_once('='));
        let ours = ["program", "leader", "member", "daemon"];
        for (_, number) in numbers.filter(|(word, _)| ours.contains(word)) {
            let Some(pid) = number.parse().ok().and_then(Pid::from_raw) else { continue };
            if is_child_or_below(pid) {
                kill_process(pid, Signal::KILL).ok();
            }
        }
        self.leader.signal(procession_core::Signal::KILL).ok();
        self.leader.wait_timeout(SOON).ok();
    }
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed()).expect("a pid is not 0")
}

/// Returns whether a reported pid is still a descendant of this process. Orphans become its
/// children.
fn is_child_or_below(pid: Pid) -> bool {
    let mut current = pid.as_raw_nonzero().get();
    let own = getpid().as_raw_nonzero().get();
    while current > 1 && current != own {
        let stat = std::fs::read_to_string(format!("/proc/{current}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' '));
        let parent = fields.and_then(|mut fields| fields.nth(1)?.parse().ok());
        current = parent.unwrap_or(0);
    }
    current == own
}

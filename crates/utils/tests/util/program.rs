//! Starts a test program (see `tests/stopper`), sends it signals, and checks its state and output.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use procession_core::Signal;
use procession_process_transport::{Command, Pty, SpawnProcess};
use procession_protocol::{ExitReason, Process, ProcessProtocol};
use procession_reactor::Reactor;
use procession_test_support::{WATCHDOG, bound, process_state};
use rustix::process::{Pid, kill_process_group};

const PROGRAM: &str = env!("CARGO_BIN_EXE_procession-stopper");

/// Returns the arguments of the program.
fn words(mode: &str, limit: Duration) -> [String; 2] {
    [mode.to_owned(), limit.as_millis().to_string()]
}

/// Makes a command for a shell, in which the program is `$0` and its arguments are `$@`.
fn shell(script: &str, mode: &str, limit: Duration) -> Command {
    Command::new("/bin/sh").args(["-c", script, PROGRAM]).args(words(mode, limit))
}

/// The program, or the shell that started it. The drop kills it and the groups that it reported.
pub(crate) struct Program {
    reactor: Reactor,
    pub(crate) process: Process,
    record: Rc<ProgramRecord>,
}

#[derive(Default)]
struct ProgramRecord {
    output: RefCell<BytesMut>,
    end: Cell<Option<ExitReason>>,
}

struct ProgramRecorder(Rc<ProgramRecord>);

impl ProcessProtocol for ProgramRecorder {
    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.0.output.borrow_mut().extend_from_slice(&data);
    }

    fn err_received(&mut self, process: &Process, data: Bytes) {
        self.out_received(process, data);
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        self.0.end.set(Some(reason));
    }
}

impl Program {
    /// Starts the program in a group of its own. A process of its session can continue it.
    pub(crate) fn in_group(mode: &str, limit: Duration) -> Self {
        Self::start(Command::new(PROGRAM).args(words(mode, limit)).process_group(0))
    }

    /// Starts the program as a session leader. Its parent is in another session.
    pub(crate) fn in_session(mode: &str, limit: Duration) -> Self {
        Self::start(Command::new(PROGRAM).args(words(mode, limit)).new_session())
    }

    /// Starts the program from a shell, in a group of its own.
    pub(crate) fn by_shell(script: &str, mode: &str, limit: Duration) -> Self {
        Self::start(shell(script, mode, limit).process_group(0))
    }

    /// Starts the program from a shell that leads a session on a terminal.
    pub(crate) fn on_terminal(script: &str, mode: &str, limit: Duration) -> Self {
        Self::start(shell(script, mode, limit).pty(Pty::new()))
    }

    fn start(command: Command) -> Self {
        procession_test_support::announce();
        let reactor = Reactor::new().expect("a reactor");
        let record = Rc::<ProgramRecord>::default();
        let process = reactor.spawn_process(ProgramRecorder(record.clone()), command);
        Self { reactor, process: process.expect("the program is built"), record }
    }

    pub(crate) fn now(&self) -> Duration {
        self.reactor.now()
    }

    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&self.record.output.borrow()).into_owned()
    }

    /// Waits until the program prints `word`, and returns the number after it.
    pub(crate) fn number(&mut self, word: &str) -> u32 {
        let find = |said: &str| {
            let (_, rest) = said.split_once(word)?;
            let (number, _) = rest.split_once(|c: char| !c.is_ascii_digit())?;
            number.parse().ok()
        };
        self.until(word, |program| find(&program.said()).is_some());
        find(&self.said()).expect("it was waited for")
    }

    pub(crate) fn until_said(&mut self, text: &str) {
        self.until(text, |program| program.said().contains(text));
    }

    pub(crate) fn until_stopped(&mut self, pid: u32) {
        self.until("it is stopped", |_| process_state(pid) == 'T');
    }

    pub(crate) fn until_running(&mut self, pid: u32) {
        self.until("it runs", |_| is_running(pid));
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal).expect("it is our child");
    }

    /// Lets time pass, for a test that something does not happen.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now() + time;
        self.until("time passes", |program| program.now() >= end);
    }

    pub(crate) fn end(&mut self) -> ExitReason {
        let mut end = None;
        self.until("it ends", |program| {
            end = program.record.end.take();
            end.is_some()
        });
        end.expect("it was waited for")
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let deadline = self.now() + bound(WATCHDOG);
        while !done(self) {
            let left = deadline.saturating_sub(self.now());
            assert!(!left.is_zero(), "not done: {what}\n{}", self.said());
            // The state of a process in /proc is checked every 10 ms.
            let pause = left.min(Duration::from_millis(10));
            self.reactor.turn(Some(pause)).expect("a turn");
        }
    }
}

pub(crate) fn is_running(pid: u32) -> bool {
    matches!(process_state(pid), 'R' | 'S')
}

impl Drop for Program {
    fn drop(&mut self) {
        // If the test has passed, these calls fail, because the processes are gone.
        self.process.signal(Signal::KILL).ok();
        let said = self.said();
        let leaders = said.lines().filter_map(|line| line.trim_end().strip_prefix("leader="));
        for group in leaders.filter_map(|group| Pid::from_raw(group.parse().ok()?)) {
            kill_process_group(group, rustix::process::Signal::KILL).ok();
        }
    }
}

//! What fake children do, and which of them does what.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use procession_core::Signal;
use procession_protocol::ChildFd;

use crate::command::Command;

/// One step of a fake child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FakeStep {
    Write(ChildFd, Bytes),
    Pause(Duration),
    /// Waits for the end of the standard input.
    AwaitInputEnd,
    Exit(i32),
    ExitBySignal(Signal),
}

/// What a fake child does from its start on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    pub(crate) steps: VecDeque<FakeStep>,
    pub(crate) ignored: Vec<Signal>,
    /// It does not start.
    pub(crate) refusal: Option<io::ErrorKind>,
}

/// A script, and the commands that it is for.
#[derive(Debug, Default)]
pub(crate) struct Rule {
    /// The program and its first arguments.
    words: Vec<OsString>,
    /// The command has no further arguments.
    pub(crate) is_exact: bool,
    /// How many children it is still for; `None` for any number.
    pub(crate) left: Option<u32>,
    pub(crate) script: Script,
}

impl Rule {
    pub(crate) fn new(words: Vec<OsString>) -> Self {
        Self { words, ..Self::default() }
    }

    /// Returns whether it is for this command.
    pub(crate) fn matches(&self, command: &Command) -> bool {
        let Some((program, arguments)) = self.words.split_first() else { return false };
        let mut given = command.get_args();
        self.left != Some(0)
            && is_program(program, command.get_program())
            && arguments.iter().all(|word| given.next() == Some(word))
            && !(self.is_exact && given.next().is_some())
    }

    /// Returns the script for one more child.
    pub(crate) fn take(&mut self) -> Script {
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.script.clone()
    }
}

/// Returns whether a name without a slash names this program, wherever it is, or a path is the same.
fn is_program(name: &OsStr, program: &OsStr) -> bool {
    let path = Path::new(name);
    name == program
        || path.file_name() == Some(name) && Path::new(program).file_name() == Some(name)
}

/// Returns whether a signal ends a process that does nothing about it (`signal(7)`).
pub(crate) fn ends_by_default(signal: Signal) -> bool {
    let harmless = [
        Signal::CHLD,
        Signal::CONT,
        Signal::URG,
        Signal::WINCH,
        Signal::STOP,
        Signal::TSTP,
        Signal::TTIN,
        Signal::TTOU,
    ];
    !harmless.contains(&signal)
}

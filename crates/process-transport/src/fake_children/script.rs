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
    pub(crate) refusal: Option<Refusal>,
}

/// Why a fake child does not start.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    Kind(io::ErrorKind),
    /// An error number.
    Os(i32),
}

impl Refusal {
    /// Returns the error that the system would give, as far as the kind tells.
    pub(crate) fn into_error(self) -> io::Error {
        let errno = match self {
            Self::Os(errno) => errno,
            Self::Kind(io::ErrorKind::NotFound) => libc::ENOENT,
            Self::Kind(io::ErrorKind::PermissionDenied) => libc::EACCES,
            Self::Kind(io::ErrorKind::NotADirectory) => libc::ENOTDIR,
            Self::Kind(io::ErrorKind::ArgumentListTooLong) => libc::E2BIG,
            Self::Kind(io::ErrorKind::ExecutableFileBusy) => libc::ETXTBSY,
            Self::Kind(io::ErrorKind::OutOfMemory) => libc::ENOMEM,
            Self::Kind(kind) => return kind.into(),
        };
        io::Error::from_raw_os_error(errno)
    }
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

    /// Returns whether it answers this command.
    pub(crate) fn matches(&self, command: &Command) -> bool {
        self.left != Some(0) && self.is_for(command)
    }

    /// Returns whether its words are those of this command, also if it is used up.
    pub(crate) fn is_for(&self, command: &Command) -> bool {
        let Some((program, arguments)) = self.words.split_first() else { return false };
        let mut given = command.get_args();
        is_program(program, command.get_program())
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
        // No signal: it asks whether the process is there.
        Signal::from_raw(0),
    ];
    !harmless.contains(&signal)
}

//! The output of a child, and its exit reason.

use std::collections::BTreeMap;
use std::str::{self, Utf8Error};

use procession_protocol::{ChildFd, ExitReason, ProcessTerminated, UnknownEnd};

use super::sink::Sink;

/// What a child wrote to the outputs that were not taken, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// How the child ended.
    pub reason: ExitReason,
    outputs: BTreeMap<ChildFd, Vec<u8>>,
}

impl Default for Output {
    /// Creates an empty output, with an unknown end.
    fn default() -> Self {
        Self {
            reason: Err(ProcessTerminated::unknown(UnknownEnd::NotReaped)),
            outputs: BTreeMap::new(),
        }
    }
}

/// Keeps everything.
impl Sink for Output {
    fn on_data(&mut self, fd: ChildFd, data: &mut Vec<u8>) {
        self.outputs.entry(fd).or_default().extend_from_slice(data);
    }

    fn needs_all(&self) -> bool {
        true
    }
}

impl Output {
    /// Returns what the child wrote to `fd`; empty if `fd` was taken, or is no output.
    pub fn bytes(&self, fd: impl Into<ChildFd>) -> &[u8] {
        self.outputs.get(&fd.into()).map_or(&[], Vec::as_slice)
    }

    /// Returns what the child wrote to its standard output.
    pub fn stdout(&self) -> &[u8] {
        self.bytes(ChildFd::STDOUT)
    }

    /// Returns what the child wrote to its standard error.
    pub fn stderr(&self) -> &[u8] {
        self.bytes(ChildFd::STDERR)
    }

    /// Returns the standard output as text.
    ///
    /// # Errors
    ///
    /// It is not UTF-8.
    pub fn stdout_utf8(&self) -> Result<&str, Utf8Error> {
        str::from_utf8(self.stdout())
    }

    /// Returns the standard error as text.
    ///
    /// # Errors
    ///
    /// It is not UTF-8.
    pub fn stderr_utf8(&self) -> Result<&str, Utf8Error> {
        str::from_utf8(self.stderr())
    }

    /// Returns whether the child exited with status 0.
    pub fn is_success(&self) -> bool {
        self.reason.is_ok()
    }
}

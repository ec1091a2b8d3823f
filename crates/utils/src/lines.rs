//! Lines of both outputs while the program runs.

use std::fmt;
use std::ops::{ControlFlow, Deref};

use bytes::Bytes;
use procession_protocol::{ChildFd, Line, LineReceiver};

/// One of a program's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output, and standard error where the two are merged.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Returns the stream that a child has on this number.
    pub(crate) fn of(fd: ChildFd) -> Option<Self> {
        match fd {
            ChildFd::STDOUT => Some(Self::Stdout),
            ChildFd::STDERR => Some(Self::Stderr),
            _ => None,
        }
    }
}

/// Writes "standard output" or "standard error".
impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "standard output",
            Self::Stderr => "standard error",
        })
    }
}

/// A line that a program wrote, and the stream it wrote it to. It derefs to the [`Line`], and that to
/// its bytes, which need not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputLine {
    /// The stream that the line was written to.
    pub stream: Stream,
    /// The bytes of the line, which need not be UTF-8, without the line feed and without a carriage
    /// return before that: `str::from_utf8(&line)` or `line.to_string()` make text. It is
    /// [cut](Line::is_cut) if it was longer than [`max_line_bytes`](crate::Run::max_line_bytes).
    pub text: Line,
}

impl Deref for OutputLine {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.text
    }
}

/// Prints the text; what is not UTF-8 is replaced.
impl fmt::Display for OutputLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.text, f)
    }
}

/// The callback for each line, in a form that all callbacks have in common.
#[cfg(feature = "reactor")]
pub(crate) type OnLine = Box<dyn FnMut(OutputLine)>;

/// Both streams, cut into lines.
#[derive(Debug)]
pub(crate) struct Lines {
    stdout: LineReceiver,
    stderr: LineReceiver,
}

impl Lines {
    pub(crate) fn new(max_line_bytes: usize) -> Self {
        let lines = || LineReceiver::new().max_length(max_line_bytes);
        Self { stdout: lines(), stderr: lines() }
    }

    pub(crate) fn on_data(&mut self, stream: Stream, data: Bytes) {
        self.of(stream).on_data(data);
    }

    pub(crate) fn on_end(&mut self, stream: Stream) {
        self.of(stream).on_end();
    }

    /// Calls `call` with each line that is complete, as long as `goes_on`. It is asked before each
    /// line, so it should cost little; the other lines wait.
    pub(crate) fn deliver(
        &mut self,
        stream: Stream,
        call: &mut dyn FnMut(OutputLine),
        goes_on: impl Fn() -> bool,
    ) {
        if !goes_on() {
            return;
        }
        self.of(stream).for_each_line(|text| {
            call(OutputLine { stream, text });
            if goes_on() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    }

    fn of(&mut self, stream: Stream) -> &mut LineReceiver {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

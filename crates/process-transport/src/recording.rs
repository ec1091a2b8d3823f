//! Records real children, one line for each fact. `fake_children` makes scripts of the records.
//!
//! ```text
//! run "git" "rev-parse"
//! 3 write 1 "abc123\n"
//! 4 exit 0
//! run "docker"
//! 0 fails 2
//! ```
//!
//! The first number of a line is the time since the line before, in milliseconds. Bytes are in quotes, with
//! the escapes of `u8::escape_ascii`.

pub(crate) mod file;

use std::fmt::{Display, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::time::Duration;

use procession_protocol::{Event, ExitReason, ExitReasonExt, Process, ProcessProtocol};
use procession_reactor::Handle;

use self::file::RecordFile;
use crate::command::Command;
use crate::error::{SpawnError, Step};
use crate::fake_children::installed;

/// Returns the protocol of a real child, with a recorder around it if there is a recording.
#[inline]
pub(crate) fn recorded(
    reactor: &Handle,
    command: &Command,
    protocol: Box<dyn ProcessProtocol>,
) -> Box<dyn ProcessProtocol> {
    match installed::record() {
        Some(file) => recorder(file, reactor, command, protocol),
        None => protocol,
    }
}

/// Records a program that could not be executed.
pub(crate) fn not_started(command: &Command, error: &SpawnError) {
    let errno = error.raw_os_error().filter(|_| error.step() == Step::Exec);
    if let Some((file, errno)) = installed::record().zip(errno) {
        let number = file.begin();
        file.give(number, format!("{}0 fails {errno}\n", run_line(command)));
    }
}

fn run_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| quoted(word.as_bytes()));
    format!("run {}\n", words.collect::<Vec<_>>().join(" "))
}

fn recorder(
    file: Rc<RecordFile>,
    reactor: &Handle,
    command: &Command,
    inner: Box<dyn ProcessProtocol>,
) -> Box<dyn ProcessProtocol> {
    let (text, last, number) = (Some(run_line(command)), reactor.now(), file.begin());
    Box::new(Recorder { file, number, reactor: reactor.clone(), inner, text, last })
}

struct Recorder {
    file: Rc<RecordFile>,
    reactor: Handle,
    inner: Box<dyn ProcessProtocol>,
    number: usize,
    /// `None` once the child has ended.
    text: Option<String>,
    /// The time of the last line.
    last: Duration,
}

impl Recorder {
    fn line(&mut self, what: impl Display) {
        let now = self.reactor.now();
        let since = now.saturating_sub(self.last).as_millis();
        self.last = now;
        if let Some(text) = &mut self.text {
            writeln!(text, "{since} {what}").ok(); // a String takes everything
        }
    }

    fn end(&mut self, reason: &ExitReason) {
        match (reason.exit_code(), reason.signal()) {
            (Some(code), _) => self.line(format_args!("exit {code}")),
            (None, Some(signal)) => self.line(format_args!("signal {}", signal.as_raw())),
            // There is no way to play it.
            (None, None) => return,
        }
        self.file.give(self.number, self.text.take().unwrap_or_default());
    }
}

/// A child without an end holds up nothing.
impl Drop for Recorder {
    fn drop(&mut self) {
        if self.text.take().is_some() {
            self.file.give(self.number, String::new());
        }
    }
}

impl ProcessProtocol for Recorder {
    fn on_event(&mut self, process: &Process, event: Event) {
        match &event {
            Event::Data(fd, data) => self.line(format_args!("write {fd} {}", quoted(data))),
            Event::Ended(reason) => {
                let reason = reason.clone();
                self.end(&reason);
            }
            _ => {}
        }
        self.inner.on_event(process, event);
    }
}

/// Returns the bytes in quotes, with the escapes of `u8::escape_ascii`.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

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

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use procession_protocol::{Event, ExitReason, ExitReasonExt, Process, ProcessProtocol};
use procession_reactor::Handle;
use procession_reactor::driver::{EndWatch, OnEnd, Outlasting};

use crate::command::Command;
use crate::error::{SpawnError, Step};

thread_local! {
    /// The file of this thread's reactor.
    static RECORDING: RefCell<Option<Rc<Recording>>> = const { RefCell::new(None) };
}

/// Some thread records.
static ANYWHERE: AtomicBool = AtomicBool::new(false);

/// A file of records.
struct Recording {
    records: RefCell<Records>,
    _end: EndWatch,
}

/// The records that are not written yet, in the order of the starts.
struct Records {
    file: File,
    /// How many were written.
    written: usize,
    /// `None` for a child that runs.
    waiting: VecDeque<Option<String>>,
}

impl Recording {
    /// Makes room for the record of a child that starts, and returns its number.
    fn begin(&self) -> usize {
        let mut records = self.records.borrow_mut();
        records.waiting.push_back(None);
        records.written + records.waiting.len() - 1
    }

    /// Takes a record, and writes those that nothing before them holds up.
    fn give(&self, number: usize, text: String) {
        let mut records = self.records.borrow_mut();
        let place = number - records.written;
        records.waiting[place] = Some(text);
        while let Some(Some(text)) = records.waiting.front_mut().map(Option::take) {
            records.write(&text);
            records.waiting.pop_front();
            records.written += 1;
        }
    }
}

impl Records {
    fn write(&mut self, text: &str) {
        // The run of the program does not depend on its record.
        self.file.write_all(text.as_bytes()).ok();
    }
}

/// Writes what has ended after something that runs on.
impl Drop for Records {
    fn drop(&mut self) {
        for text in std::mem::take(&mut self.waiting).into_iter().flatten() {
            self.write(&text);
        }
    }
}

/// Records the children that this reactor starts from now on.
pub(crate) fn record(reactor: &Handle, path: &Path) -> io::Result<()> {
    let file = File::create(path).map_err(|error| about(path, &error))?;
    let records = Records { file, written: 0, waiting: VecDeque::new() };
    let recording = Rc::new_cyclic(|me: &Weak<Recording>| Recording {
        records: RefCell::new(records),
        _end: reactor.io().watch_end(me.clone()),
    });
    ANYWHERE.store(true, Ordering::Relaxed);
    let old = RECORDING.replace(Some(recording));
    drop(old);
    Ok(())
}

/// Returns the protocol of a real child, with a recorder around it if there is a recording.
#[inline]
pub(crate) fn recorded(
    reactor: &Handle,
    command: &Command,
    protocol: Box<dyn ProcessProtocol>,
) -> Box<dyn ProcessProtocol> {
    // Nearly every program has none.
    if !ANYWHERE.load(Ordering::Relaxed) {
        return protocol;
    }
    match RECORDING.with_borrow(Clone::clone) {
        Some(recording) => recorder(recording, reactor, command, protocol),
        None => protocol,
    }
}

/// Records a program that could not be executed.
pub(crate) fn not_started(command: &Command, error: &SpawnError) {
    if !ANYWHERE.load(Ordering::Relaxed) || error.step() != Step::Exec {
        return;
    }
    if let Some((recording, errno)) = RECORDING.with_borrow(Clone::clone).zip(error.raw_os_error())
    {
        let number = recording.begin();
        recording.give(number, format!("{}0 fails {errno}\n", run_line(command)));
    }
}

/// Adds the name of a file to an error, and keeps its kind.
pub(crate) fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn run_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| quoted(word.as_bytes()));
    format!("run {}\n", words.collect::<Vec<_>>().join(" "))
}

fn recorder(
    recording: Rc<Recording>,
    reactor: &Handle,
    command: &Command,
    inner: Box<dyn ProcessProtocol>,
) -> Box<dyn ProcessProtocol> {
    let (text, last, number) = (Some(run_line(command)), reactor.now(), recording.begin());
    Box::new(Recorder { recording, number, reactor: reactor.clone(), inner, text, last })
}

impl OnEnd for Recording {
    fn stopped(self: Rc<Self>) {}

    fn dropped(self: Rc<Self>, _: &mut Vec<Box<dyn Outlasting>>) {
        let recording = RECORDING.take();
        drop(recording);
    }
}

struct Recorder {
    recording: Rc<Recording>,
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
        self.recording.give(self.number, self.text.take().unwrap_or_default());
    }
}

/// A child without an end holds up nothing.
impl Drop for Recorder {
    fn drop(&mut self) {
        if self.text.take().is_some() {
            self.recording.give(self.number, String::new());
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

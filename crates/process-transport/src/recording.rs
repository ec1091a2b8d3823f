//! Records real children, one line for each fact. `fake_children` makes scripts of the records.
//!
//! ```text
//! run "git" "rev-parse"
//! 3 write 1 "abc123\n"
//! 4 exit 0
//! ```
//!
//! The first number of a line is the time since the line before, in milliseconds. Bytes are in quotes, with
//! the escapes of `u8::escape_ascii`.

use std::cell::RefCell;
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

thread_local! {
    /// The file of this thread's reactor.
    static RECORDING: RefCell<Option<Rc<Recording>>> = const { RefCell::new(None) };
}

/// Some thread records.
static ANYWHERE: AtomicBool = AtomicBool::new(false);

/// A file of records.
struct Recording {
    file: RefCell<File>,
    _end: EndWatch,
}

/// Records the children that this reactor starts from now on.
pub(crate) fn record(reactor: &Handle, path: &Path) -> io::Result<()> {
    let file = RefCell::new(File::create(path)?);
    let recording = Rc::new_cyclic(|me: &Weak<Recording>| Recording {
        file,
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

fn recorder(
    recording: Rc<Recording>,
    reactor: &Handle,
    command: &Command,
    inner: Box<dyn ProcessProtocol>,
) -> Box<dyn ProcessProtocol> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| quoted(word.as_bytes()));
    let text = format!("run {}\n", words.collect::<Vec<_>>().join(" "));
    let last = reactor.now();
    Box::new(Recorder { recording, reactor: reactor.clone(), inner, text, last })
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
    text: String,
    /// The time of the last line.
    last: Duration,
}

impl Recorder {
    fn line(&mut self, what: impl Display) {
        let now = self.reactor.now();
        let since = now.saturating_sub(self.last).as_millis();
        self.last = now;
        writeln!(self.text, "{since} {what}").ok(); // a String takes everything
    }

    fn end(&mut self, reason: &ExitReason) {
        match (reason.exit_code(), reason.signal()) {
            (Some(code), _) => self.line(format_args!("exit {code}")),
            (None, Some(signal)) => self.line(format_args!("signal {}", signal.as_raw())),
            // There is no way to play it.
            (None, None) => return,
        }
        // The run of the program does not depend on its record.
        self.recording.file.borrow_mut().write_all(self.text.as_bytes()).ok();
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

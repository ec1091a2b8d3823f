//! A protocol that records its callbacks and calls a closure of the test.

mod log;

use std::rc::Rc;

use bytes::Bytes;
use procession_protocol::{ChildFd, ExitReason, Process, ProcessProtocol};

pub(crate) use self::log::{Log, heard};

/// A closure that every callback calls with the callback's name.
pub(crate) type Act = Box<dyn FnMut(&str, &Process)>;

pub(crate) struct Recorder {
    log: Log,
    act: Act,
}

/// Creates a protocol that only records.
pub(crate) fn recorder() -> (Recorder, Log) {
    acting(|_, _| {})
}

/// Creates a protocol that records each callback, then calls `act`.
pub(crate) fn acting(act: impl FnMut(&str, &Process) + 'static) -> (Recorder, Log) {
    let log = Log::default();
    (Recorder { log: Rc::clone(&log), act: Box::new(act) }, log)
}

impl Recorder {
    fn note(&mut self, name: &str, detail: &str, process: &Process) {
        let note = if detail.is_empty() { name.to_owned() } else { format!("{name} {detail}") };
        self.log.borrow_mut().push(note);
        (self.act)(name, process);
    }
}

fn describe(reason: ExitReason) -> String {
    let held = match &reason {
        Ok(done) => done.held_fds().to_vec(),
        Err(terminated) => terminated.held_fds().to_vec(),
    };
    let text = match reason {
        Ok(done) => done.to_string(),
        Err(terminated) => terminated.to_string(),
    };
    held.iter().fold(text, |text, fd| format!("{text}, held {fd}"))
}

impl ProcessProtocol for Recorder {
    fn connection_made(&mut self, process: &Process) {
        self.note("made", "", process);
    }

    fn child_data_received(&mut self, process: &Process, fd: ChildFd, data: Bytes) {
        self.note("data", &format!("{fd} {}", data.escape_ascii()), process);
    }

    fn child_connection_lost(&mut self, process: &Process, fd: ChildFd) {
        self.note("lost", &fd.to_string(), process);
    }

    fn child_read_closed(&mut self, process: &Process, fd: ChildFd) {
        self.note("read_closed", &fd.to_string(), process);
    }

    fn child_write_buffer_full(&mut self, process: &Process, fd: ChildFd) {
        self.note("full", &fd.to_string(), process);
    }

    fn child_write_buffer_drained(&mut self, process: &Process, fd: ChildFd) {
        self.note("drained", &fd.to_string(), process);
    }

    fn process_exited(&mut self, process: &Process, reason: ExitReason) {
        self.note("exited", &describe(reason), process);
    }

    fn process_ended(&mut self, process: &Process, reason: ExitReason) {
        self.note("ended", &describe(reason), process);
    }
}

//! A protocol of a connection that records its callbacks, and does what a test requests.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use procession_protocol::{Protocol, Transport};

/// The recorded callbacks, shared with the test.
pub(crate) type Log = Rc<RefCell<Vec<String>>>;

/// A closure that every callback calls with the callback's name.
pub(crate) type Act = Box<dyn FnMut(&str, &Transport)>;

pub(crate) struct Recorder {
    log: Log,
    act: Act,
}

/// Creates a protocol that records each callback, then calls `act`. It leaves the connection half open
/// unless `act` closes it.
pub(crate) fn acting(act: impl FnMut(&str, &Transport) + 'static) -> (Recorder, Log) {
    let log = Log::default();
    (Recorder { log: Rc::clone(&log), act: Box::new(act) }, log)
}

impl Recorder {
    fn note(&mut self, name: &str, detail: &str, transport: &Transport) {
        let note = if detail.is_empty() { name.to_owned() } else { format!("{name} {detail}") };
        self.log.borrow_mut().push(note);
        (self.act)(name, transport);
    }
}

impl Protocol for Recorder {
    fn connection_made(&mut self, transport: &Transport) {
        self.note("made", "", transport);
    }

    fn data_received(&mut self, transport: &Transport, data: Bytes) {
        self.note("data", &data.escape_ascii().to_string(), transport);
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.note("read_closed", "", transport);
    }

    fn write_buffer_full(&mut self, transport: &Transport) {
        self.note("full", "", transport);
    }

    fn write_buffer_drained(&mut self, transport: &Transport) {
        self.note("drained", "", transport);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: io::Result<()>) {
        let reason = reason.map_or_else(|error| format!("{:?}", error.kind()), |()| "ok".into());
        self.note("lost", &reason, transport);
    }
}

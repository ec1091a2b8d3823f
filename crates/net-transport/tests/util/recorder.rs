//! A protocol that records its callbacks, checks their order, and calls a closure of the test.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use bytes::Bytes;
use procession_protocol::{Protocol, Transport};

/// A callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Made,
    Data(Bytes),
    ReadClosed,
    Full,
    Drained,
    Lost(Result<(), ErrorKind>),
}

#[derive(Debug, Default)]
struct RecordState {
    events: Vec<Event>,
    /// Set from `connection_made` on.
    transport: Option<Transport>,
    inside: bool,
}

/// The recorded callbacks of a [`Recorder`]. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record(Rc<RefCell<RecordState>>);

impl Record {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.borrow().events.clone()
    }

    pub(crate) fn transport(&self) -> Option<Transport> {
        self.0.borrow().transport.clone()
    }

    pub(crate) fn has(&self, event: &Event) -> bool {
        self.0.borrow().events.contains(event)
    }

    pub(crate) fn data(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for event in &self.0.borrow().events {
            if let Event::Data(data) = event {
                all.extend_from_slice(data);
            }
        }
        all
    }

    /// Returns the reason of the loss, if the connection was lost.
    pub(crate) fn lost(&self) -> Option<Result<(), ErrorKind>> {
        match self.0.borrow().events.last() {
            Some(Event::Lost(reason)) => Some(*reason),
            _ => None,
        }
    }

    fn enter(&self, transport: &Transport, event: &Event) {
        let mut log = self.0.borrow_mut();
        let first = log.events.is_empty();
        let lost = matches!(log.events.last(), Some(Event::Lost(_)));
        let read_closed = log.events.contains(&Event::ReadClosed);
        let legal = match event {
            Event::Data(data) => !data.is_empty() && !read_closed,
            Event::ReadClosed => !read_closed,
            _ => true,
        };
        let legal = legal && !log.inside && !lost && first == (*event == Event::Made);
        log.events.push(event.clone());
        log.inside = true;
        log.transport = Some(transport.clone());
        assert!(legal, "an illegal event: {:?}", log.events);
    }

    fn leave(&self) {
        self.0.borrow_mut().inside = false;
    }
}

type React = dyn FnMut(&Transport, &Event);

/// A protocol that records each callback, then calls the closure `react`.
pub(crate) struct Recorder {
    pub(crate) record: Record,
    react: Box<React>,
    keeps_half_open: bool,
}

impl Recorder {
    pub(crate) fn new(react: impl FnMut(&Transport, &Event) + 'static) -> Self {
        let record = Record::default();
        Self { record, react: Box::new(react), keeps_half_open: false }
    }

    /// Makes a protocol that only records.
    pub(crate) fn quiet() -> Self {
        Self::new(|_, _| ())
    }

    /// Makes a protocol that sends all data back.
    pub(crate) fn echo() -> Self {
        Self::new(|transport, event| {
            if let Event::Data(data) = event {
                transport.write(data.clone());
            }
        })
    }

    /// Records into `record`.
    pub(crate) fn into_record(self, record: &Record) -> Self {
        Self { record: record.clone(), ..self }
    }

    /// Keeps the connection open after the peer has ended its output.
    pub(crate) fn keep_half_open(self) -> Self {
        Self { keeps_half_open: true, ..self }
    }

    fn on(&mut self, transport: &Transport, event: &Event) {
        self.record.enter(transport, event);
        (self.react)(transport, event);
        self.record.leave();
    }
}

impl Protocol for Recorder {
    fn connection_made(&mut self, transport: &Transport) {
        self.on(transport, &Event::Made);
    }

    fn data_received(&mut self, transport: &Transport, data: Bytes) {
        self.on(transport, &Event::Data(data));
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.on(transport, &Event::ReadClosed);
        if !self.keeps_half_open {
            transport.lose_connection();
        }
    }

    fn write_buffer_full(&mut self, transport: &Transport) {
        self.on(transport, &Event::Full);
    }

    fn write_buffer_drained(&mut self, transport: &Transport) {
        self.on(transport, &Event::Drained);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: io::Result<()>) {
        self.on(transport, &Event::Lost(reason.map_err(|error| error.kind())));
    }
}

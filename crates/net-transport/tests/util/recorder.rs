//! A protocol that records what it hears, checks that it is legal, and reacts as it is told.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use bytes::Bytes;
use procession_protocol::{Protocol, Transport};

/// What was heard.
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
struct Log {
    events: Vec<Event>,
    /// From `connection_made` on.
    transport: Option<Transport>,
    inside: bool,
}

/// What a [`Recorder`] has heard so far; a cheap clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record(Rc<RefCell<Log>>);

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

    /// The reason of the loss, once there was one.
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

/// Records; reacts to each event as it is told.
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

    /// Only records.
    pub(crate) fn quiet() -> Self {
        Self::new(|_, _| ())
    }

    /// Sends everything back.
    pub(crate) fn echo() -> Self {
        Self::new(|transport, event| {
            if let Event::Data(data) = event {
                transport.write(data.clone());
            }
        })
    }

    /// Records there.
    pub(crate) fn into_record(self, record: &Record) -> Self {
        Self { record: record.clone(), ..self }
    }

    /// Does not close when the peer sends no more.
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

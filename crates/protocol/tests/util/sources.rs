//! Producers that record their calls.

use std::cell::Cell;
use std::rc::Rc;

use procession_protocol::{Producer, Transport};

use super::Log;

/// Records its calls, and writes this many chunks of 100 bytes, one each time it is resumed.
pub(crate) struct Source {
    log: Log,
    chunks: usize,
}

impl Source {
    pub(crate) fn new(log: &Log, chunks: usize) -> Self {
        Self { log: Rc::clone(log), chunks }
    }

    fn note(&self, text: &str) {
        self.log.borrow_mut().push(text.to_owned());
    }
}

impl Producer for Source {
    fn resume(&mut self, transport: &Transport) {
        self.note("resume");
        if self.chunks > 0 {
            self.chunks -= 1;
            transport.try_write(vec![b'.'; 100]).expect("the transport is open");
        }
    }

    fn pause(&mut self, _: &Transport) {
        self.note("pause");
    }

    fn stop(&mut self, _: &Transport) {
        self.note("stop");
    }
}

/// Writes until it is paused, or until a write fails because the queue is full.
#[derive(Clone, Default)]
pub(crate) struct Endless {
    paused: Rc<Cell<bool>>,
    pub(crate) log: Log,
}

impl Endless {
    pub(crate) fn run(&self, transport: &Transport) {
        let before = transport.write_buffered();
        while !self.paused.get() {
            if let Err(error) = transport.try_write(vec![b'.'; 1000]) {
                self.log.borrow_mut().push(error.to_string());
                break;
            }
            assert!(transport.write_buffered() < before + 100_000, "it is never paused");
        }
    }
}

impl Producer for Endless {
    fn resume(&mut self, transport: &Transport) {
        self.paused.set(false);
        self.log.borrow_mut().push("resume".to_owned());
        self.run(transport);
    }

    fn pause(&mut self, _: &Transport) {
        self.paused.set(true);
        self.log.borrow_mut().push("pause".to_owned());
    }
}

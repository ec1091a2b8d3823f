//! [`Feed`]: the standard input of a blocking run.

use std::io::{self, ErrorKind, Read};

use bytes::{Buf, Bytes};
use procession_process_transport::driver::Attended;

use crate::stdin::{CHUNK_BYTES, Input};

/// Data that the program has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Unwritten(Bytes);

impl Unwritten {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes as much as the program takes now.
    ///
    /// # Errors
    ///
    /// The program reads its input no more.
    pub(crate) fn write(&mut self, child: &mut Attended) -> io::Result<()> {
        let written = child.write(&self.0)?;
        self.0.advance(written);
        Ok(())
    }
}

/// What is written to a program by the thread that waits for it.
pub(crate) struct Feed {
    unwritten: Unwritten,
    /// Gives more once everything is written.
    reader: Option<Box<dyn Read + Send>>,
}

impl Feed {
    pub(crate) fn new(input: Input) -> Self {
        let (data, reader) = match input {
            Input::Nothing => (Bytes::new(), None),
            Input::Bytes(data) => (data, None),
            Input::Reader(reader) => (Bytes::new(), Some(reader)),
        };
        Self { unwritten: Unwritten(data), reader }
    }

    /// Returns whether there is more to write.
    pub(crate) fn is_pending(&self) -> bool {
        !self.unwritten.is_empty() || self.reader.is_some()
    }

    /// Reads the next chunk if everything is written. A reader that blocks blocks this thread.
    ///
    /// # Errors
    ///
    /// That of the reader, which is not read any more.
    pub(crate) fn read(&mut self) -> io::Result<()> {
        let Some(reader) = self.reader.as_mut().filter(|_| self.unwritten.is_empty()) else {
            return Ok(());
        };
        let read = read_chunk(reader);
        if !matches!(&read, Ok(chunk) if !chunk.is_empty()) {
            self.reader = None;
        }
        self.unwritten = Unwritten(Bytes::from(read?));
        Ok(())
    }

    /// Writes as much as the program takes now.
    pub(crate) fn write(&mut self, child: &mut Attended) {
        if !self.unwritten.is_empty() && self.unwritten.write(child).is_err() {
            // The program may close its input before it has read everything.
            *self = Self::new(Input::Nothing);
        }
    }

    /// Returns what is not written yet, and drops the reader.
    pub(crate) fn take_unwritten(&mut self) -> Unwritten {
        self.reader = None;
        std::mem::take(&mut self.unwritten)
    }
}

/// Returns the next chunk; empty at the end.
pub(crate) fn read_chunk(reader: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match reader.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(bytes) => {
                chunk.truncate(bytes);
                return Ok(chunk);
            }
        }
    }
}

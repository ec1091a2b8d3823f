//! [`RecordFile`]: the records of children, in the order of their starts.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// A file of records.
pub(crate) struct RecordFile(RefCell<Records>);

/// The records that are not written yet, in the order of the starts.
struct Records {
    file: File,
    /// How many were written.
    written: usize,
    /// `None` for a child that runs.
    waiting: VecDeque<Option<String>>,
}

impl RecordFile {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path).map_err(|error| about(path, &error))?;
        Ok(Self(RefCell::new(Records { file, written: 0, waiting: VecDeque::new() })))
    }

    /// Makes room for the record of a child that starts, and returns its number.
    pub(super) fn begin(&self) -> usize {
        let mut records = self.0.borrow_mut();
        records.waiting.push_back(None);
        records.written + records.waiting.len() - 1
    }

    /// Takes a record, and writes those that nothing before them holds up.
    pub(super) fn give(&self, number: usize, text: String) {
        let mut records = self.0.borrow_mut();
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

/// Adds the name of a file to an error, and keeps its kind.
pub(crate) fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

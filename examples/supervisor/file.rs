//! The file of the supervisor: TOML in, a [`Monitor`] or a typed error out.
//!
//! `examples/supervisor.toml` has every key. `directory` is relative to the folder of the file, other paths to `directory`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use procession::{Monitor, MonitorError};
use toml::de::DeTable;

use crate::program::program;
use crate::value::{Source, Value};

/// What is wrong with a file. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}:{line}: {message}", .path.display())]
    Syntax { path: PathBuf, line: usize, message: String },
    #[error("{}: it has no table [program.NAME]", .path.display())]
    NoProgram { path: PathBuf },
    #[error("{}:{line}: {key}: a file has tables [program.NAME] and nothing else", .path.display())]
    NotAProgram { path: PathBuf, line: usize, key: String },
    #[error("{}:{line}: program {program:?}: key {key}: {fault}", .path.display())]
    Program { path: PathBuf, line: usize, program: String, key: String, fault: Box<Fault> },
}

/// What is wrong with a key of a program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("there is no such key, only {}", .known.join(", "))]
    UnknownKey { known: &'static [&'static str] },
    #[error("it is missing")]
    Missing,
    #[error("it should be {expected}, but it is {found}")]
    Expected { expected: &'static str, found: String },
    #[error("{0}")]
    Monitor(MonitorError),
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Monitor, FileError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    let source = Source { path, text: &text };
    let file = DeTable::parse(&text).map_err(|error| {
        let (path, line) = source.place(error.span().map_or(0, |span| span.start));
        FileError::Syntax { path, line, message: error.message().to_owned() }
    })?;
    let not_a_program = |key: String, offset| {
        let (path, line) = source.place(offset);
        FileError::NotAProgram { path, line, key }
    };
    let mut programs = Vec::new();
    for (key, value) in file.get_ref() {
        let table = value.get_ref().as_table().filter(|_| key.get_ref() == "program");
        let table = table.ok_or_else(|| not_a_program(key.get_ref().to_string(), key.span().start));
        for (name, value) in table? {
            let (offset, program, value) = (name.span().start, name.get_ref(), value.get_ref());
            if !value.is_table() {
                return Err(not_a_program(format!("program.{program}"), offset));
            }
            let key = String::new();
            programs.push(Value { source: &source, program, key, offset, value });
        }
    }
    programs.sort_by_key(|table| table.offset);
    monitor(&source, &programs)
}

fn monitor(source: &Source<'_>, tables: &[Value<'_>]) -> Result<Monitor, FileError> {
    let mut monitor = Monitor::new();
    let mut order = BTreeMap::new();
    for table in tables {
        let (command, policy, after) = program(table)?;
        monitor = monitor.add(table.program, command, policy);
        order.insert(table.program, after);
    }
    match monitor.check() {
        Ok(()) if tables.is_empty() => Err(FileError::NoProgram { path: source.path.to_owned() }),
        Ok(()) => Ok(monitor),
        // Each program alone is right by now. So this is about their order, which a key `after` says.
        Err(error) => {
            let after = error.program().and_then(|program| order.get(program)?.as_ref());
            let after = after.expect("an error about the order names a program with `after`");
            Err(after.fault(Fault::Monitor(error)))
        }
    }
}

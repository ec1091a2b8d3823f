//! One value of the file, with its place: the conversions, and the error when one fails.

use std::path::{Path, PathBuf};
use std::time::Duration;

use procession::Signal;
use toml::Spanned;
use toml::de::DeValue;

use crate::file::{Fault, FileError};

type Result<T> = std::result::Result<T, FileError>;

/// The keys and values of a table, in the order of the file.
pub(crate) type Keys<'a> = Vec<(&'a str, Value<'a>)>;

/// The text of a file, and its path for errors.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// Returns the path, and the line of an offset.
    pub(crate) fn place(&self, offset: usize) -> (PathBuf, usize) {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        (self.path.to_owned(), before.split(|byte| *byte == b'\n').count())
    }
}

/// A value of a program's table, or the table itself.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    pub(crate) source: &'a Source<'a>,
    pub(crate) program: &'a str,
    /// With the keys around it, as in `limits.core`. Empty for the program's table.
    pub(crate) key: String,
    pub(crate) offset: usize,
    pub(crate) value: &'a DeValue<'a>,
}

/// Errors.
impl<'a> Value<'a> {
    pub(crate) fn fault(&self, fault: Fault) -> FileError {
        let (path, line) = self.source.place(self.offset);
        let key = if self.key.is_empty() { "program" } else { &self.key };
        FileError::Program {
            path,
            line,
            program: self.program.to_owned(),
            key: key.to_owned(),
            fault: fault.into(),
        }
    }

    pub(crate) fn expected(&self, expected: &'static str) -> FileError {
        let found = match self.value {
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(number) => number.to_string(),
            other => format!("of the type {}", other.type_str()),
        };
        self.fault(Fault::Expected { expected, found })
    }
}

/// Conversions.
impl<'a> Value<'a> {
    /// Returns a text without NUL, which no argument and no path can have.
    pub(crate) fn text(&self) -> Result<&'a str> {
        let text = self.value.as_str().filter(|text| !text.contains('\0'));
        text.ok_or_else(|| self.expected("a text without NUL"))
    }

    pub(crate) fn any_table(&self, expected: &'static str) -> Result<Keys<'a>> {
        let table = self.value.as_table().ok_or_else(|| self.expected(expected))?;
        let keys = table.iter().map(|(key, value)| {
            let inner = Self {
                key: self.key_of(key.get_ref()),
                offset: key.span().start,
                ..self.at(value)
            };
            (&**key.get_ref(), inner)
        });
        let mut keys: Vec<_> = keys.collect();
        keys.sort_by_key(|(_, value)| value.offset);
        Ok(keys)
    }

    /// Returns a table that has only these keys.
    pub(crate) fn table(
        &self,
        expected: &'static str,
        known: &'static [&'static str],
    ) -> Result<Keys<'a>> {
        let keys = self.any_table(expected)?;
        match keys.iter().find(|(key, _)| !known.contains(key)) {
            Some((_, value)) => Err(value.fault(Fault::UnknownKey { known })),
            None => Ok(keys),
        }
    }

    /// Returns the value of a key of this table.
    pub(crate) fn required<'k>(&self, keys: &'k Keys<'a>, key: &str) -> Result<&'k Self> {
        let found = keys.iter().find(|(known, _)| *known == key).map(|(_, value)| value);
        found.ok_or_else(|| Self { key: self.key_of(key), ..self.clone() }.fault(Fault::Missing))
    }

    pub(crate) fn list(&self, expected: &'static str) -> Result<Vec<Self>> {
        let list = self.value.as_array().ok_or_else(|| self.expected(expected))?;
        Ok(list.iter().map(|value| self.at(value)).collect())
    }

    pub(crate) fn pair(&self, expected: &'static str) -> Result<[Self; 2]> {
        self.list(expected)?.try_into().map_err(|_| self.expected(expected))
    }

    /// Returns a number that is not negative.
    pub(crate) fn number(&self) -> Option<u64> {
        let number = self.value.as_integer()?;
        u64::from_str_radix(number.as_str(), number.radix()).ok()
    }

    pub(crate) fn time(&self) -> Result<Duration> {
        let time = self.value.as_str().and_then(time);
        time.ok_or_else(|| {
            self.expected("a time with its unit, such as \"200ms\", \"1.5s\", \"2min\" or \"1h\"")
        })
    }

    pub(crate) fn signal(&self) -> Result<Signal> {
        let signal = self.value.as_str().and_then(|text| text.parse().ok());
        let signal = signal.filter(|signal: &Signal| signal.name().is_some());
        signal.ok_or_else(|| self.expected("the name of a signal, such as \"TERM\""))
    }

    fn at(&self, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { offset: value.span().start, value: value.get_ref(), ..self.clone() }
    }

    fn key_of(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) }
    }
}

fn time(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(char::is_alphabetic)?);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.trim_end().parse::<f64>().ok()? * seconds).ok()
}

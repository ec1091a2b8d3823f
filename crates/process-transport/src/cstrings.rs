//! Argument and environment vectors in the form that `execve(2)` takes, in one allocation each.

use std::ffi::c_char;
use std::ptr;

/// NUL-terminated strings one after another, and where each begins.
#[derive(Debug, Default)]
pub(crate) struct CStrings {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

/// A NUL was found inside of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InteriorNul;

impl CStrings {
    /// Adds one string, given in parts.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) -> Result<(), InteriorNul> {
        let start = self.bytes.len();
        for part in parts {
            if part.contains(&0) {
                self.bytes.truncate(start);
                return Err(InteriorNul);
            }
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(0);
        self.starts.push(start);
        Ok(())
    }

    /// The array of pointers, ended by a null, valid as long as the result lives.
    pub(crate) fn finish(self) -> CStringArray {
        let pointers = self
            .starts
            .iter()
            .map(|&start| self.bytes[start..].as_ptr().cast())
            .chain([ptr::null()])
            .collect();
        CStringArray { pointers, _bytes: self.bytes }
    }
}

/// A null-terminated array of pointers to NUL-terminated strings that it owns.
#[derive(Debug)]
pub(crate) struct CStringArray {
    pointers: Vec<*const c_char>,
    /// Never touched again: the pointers lead into it.
    _bytes: Vec<u8>,
}

impl CStringArray {
    /// Every pointer but the last, null one.
    pub(crate) fn strings(&self) -> &[*const c_char] {
        &self.pointers[..self.pointers.len() - 1]
    }

    /// As `execve` wants it.
    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::{CStrings, InteriorNul};

    #[test]
    fn strings_end_in_nul_and_the_array_in_null() {
        let mut strings = CStrings::default();
        strings.push(&[b"A", b"=", b"1"]).unwrap();
        assert_eq!(strings.push(&[b"x\0y"]), Err(InteriorNul));
        strings.push(&[b""]).unwrap();
        assert_eq!(strings.bytes, b"A=1\0\0");
        let array = strings.finish();
        assert_eq!(array.strings().len(), 2);
        assert!(array.pointers[2].is_null());
    }
}

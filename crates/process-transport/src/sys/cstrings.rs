//! Argument and environment vectors in the form that `execve(2)` takes, with two allocations each.

use std::ffi::c_char;
use std::ptr;

use super::pid_variable::PidVariable;

/// NUL-terminated strings one after another, with the start of each.
#[derive(Debug, Default)]
pub(crate) struct CStrings {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

/// The error for a string with a NUL inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InteriorNul;

impl CStrings {
    /// Creates a vector with room for `strings` strings of `bytes` bytes in total, with their NULs.
    pub(crate) fn with_capacity(strings: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), starts: Vec::with_capacity(strings + 1) }
    }

    /// Adds one string, given in parts.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) -> Result<(), InteriorNul> {
        if parts.iter().any(|part| part.contains(&0)) {
            return Err(InteriorNul);
        }
        self.push_system(parts);
        Ok(())
    }

    /// Adds one string from the system, which cannot contain a NUL.
    pub(crate) fn push_system(&mut self, parts: &[&[u8]]) {
        self.starts.push(self.bytes.len());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(0);
    }

    /// Returns the array of pointers, ended by a null.
    pub(crate) fn finish(self) -> CStringArray {
        let Self { bytes, starts } = self;
        // This collects in place.
        let pointers = starts.into_iter().map(|start| bytes[start..].as_ptr().cast());
        let mut pointers: Vec<*const c_char> = pointers.collect();
        pointers.push(ptr::null());
        CStringArray { pointers, bytes, pid: None }
    }

    /// Does the same for an environment, and adds a variable with the process id of the child.
    pub(crate) fn finish_with_pid(self) -> CStringArray {
        let mut array = self.finish();
        let variable = Box::new(PidVariable::new());
        array.pointers.insert(array.pointers.len() - 1, variable.as_ptr());
        array.pid = Some(variable);
        array
    }
}

/// A null-terminated array of pointers to NUL-terminated strings that it owns.
#[derive(Debug)]
pub(crate) struct CStringArray {
    pointers: Vec<*const c_char>,
    /// Never changed, because the pointers lead into it.
    bytes: Vec<u8>,
    /// The last string, if the child writes it. A pointer leads into it.
    pid: Option<Box<PidVariable>>,
}

/// An empty array.
impl Default for CStringArray {
    fn default() -> Self {
        Self { pointers: vec![ptr::null()], bytes: Vec::new(), pid: None }
    }
}

impl CStringArray {
    /// Returns every pointer but the last, which is null.
    pub(crate) fn strings(&self) -> &[*const c_char] {
        &self.pointers[..self.pointers.len() - 1]
    }

    /// Returns the variable that the child writes.
    pub(super) fn pid(&self) -> Option<&PidVariable> {
        self.pid.as_deref()
    }

    /// Returns the strings, for messages, but for a variable that the child writes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes
            .split(|byte| *byte == 0)
            .take(self.strings().len() - usize::from(self.pid.is_some()))
    }

    /// Returns the array in the form that `execve` takes.
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
        assert_eq!(array.iter().collect::<Vec<_>>(), [&b"A=1"[..], b""]);
    }
}

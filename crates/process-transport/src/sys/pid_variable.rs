//! A variable with the child's process id, which the child writes before its exec.

use std::ffi::c_char;
use std::sync::atomic::{AtomicU8, Ordering};

/// The beginning of the variable.
const NAME: &[u8] = b"LISTEN_PID=";

/// The digits of the greatest number.
const MOST_DIGITS: usize = 10;

/// With the NUL.
const BYTES: usize = NAME.len() + MOST_DIGITS + 1;

/// `LISTEN_PID=` and the number.
///
/// The child may share its parent's memory, and then writes to the parent's copy. Only one child is
/// launched with it at a time.
#[derive(Debug)]
pub(crate) struct PidVariable([AtomicU8; BYTES]);

impl PidVariable {
    /// Creates the variable with an empty value.
    pub(super) fn new() -> Self {
        let variable = Self([const { AtomicU8::new(0) }; BYTES]);
        variable.put(0, NAME);
        variable
    }

    /// Returns where the string is. It stays there as long as the value does.
    pub(super) fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }

    /// Writes the number. Allocates nothing.
    pub(super) fn set(&self, pid: u32) {
        let mut digits = [b'0'; MOST_DIGITS];
        let mut left = pid;
        let mut from = digits.len();
        loop {
            from -= 1;
            digits[from] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.put(NAME.len(), &digits[from..]);
        self.put(NAME.len() + digits.len() - from, &[0]);
    }

    fn put(&self, at: usize, bytes: &[u8]) {
        for (place, byte) in self.0[at..].iter().zip(bytes) {
            place.store(*byte, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn text(variable: &PidVariable) -> String {
        let bytes: Vec<u8> = variable.0.iter().map(|byte| byte.load(Ordering::Relaxed)).collect();
        CStr::from_bytes_until_nul(&bytes).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn it_has_each_number_as_a_string() {
        let variable = PidVariable::new();
        assert_eq!(text(&variable), "LISTEN_PID=");
        for pid in [1, 4_194_304, u32::MAX, 10, 0] {
            variable.set(pid);
            assert_eq!(text(&variable), format!("LISTEN_PID={pid}"));
        }
    }
}

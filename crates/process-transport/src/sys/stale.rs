//! A fault of kernels from 5.9 to the summer of 2024: CVE-2024-45025.
//!
//! A table that `close_range` copies with UNSHARE keeps the marks of words of numbers that were all in
//! use above the cut, although none of them is there, and the program runs out of numbers early. A
//! child of such a kernel looks for such a word before it copies the table, and after it whether the
//! mark is still there.

use super::raw;
use std::ffi::c_int;

/// Numbers in a word of the table's bitmap.
const WORD: c_int = 64;

/// Beyond these numbers the marks of a small table do not reach.
const LAST_WORD: c_int = 64;

/// Whether this kernel is one that never had it, or has it no more. Versions between that were mended
/// later say nothing.
pub(super) fn is_fixed_kernel() -> bool {
    raw::with_kernel_release(is_fixed)
}

fn is_fixed(release: &[u8]) -> bool {
    let mut numbers = release.split(|byte| !byte.is_ascii_digit()).map(|digits| {
        digits.iter().fold(0_u32, |number, digit| {
            number.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
        })
    });
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (6, 11)
}

/// In the child, while its table is its parent's: the first number of a word above `cut` that is all
/// in use.
pub(super) fn full_word_above(cut: c_int) -> Option<c_int> {
    let words = cut / WORD + 1..LAST_WORD;
    let is_full = |word: &c_int| (word * WORD..(word + 1) * WORD).rev().all(raw::is_open);
    words.into_iter().find(is_full).map(|word| word * WORD)
}

/// In the child, whose table is its own by now, without any number above `open`: whether the word that
/// begins with `first` is still taken for full.
pub(super) fn is_stale(open: c_int, first: c_int) -> bool {
    match raw::lowest_from(open, first) {
        Ok(number) => {
            raw::close(number).ok(); // it was opened here
            number != first
        }
        Err(_) => false, // beyond the limit, so that no program can have it
    }
}

#[cfg(test)]
mod tests {
    use super::is_fixed;

    #[test]
    fn a_kernel_since_the_mending_needs_no_look() {
        for release in ["6.11.0", "6.18", "7.0.0-rc1", "10.1", "6.11-rc7+"] {
            assert!(is_fixed(release.as_bytes()), "{release}");
        }
        for release in ["5.15.0-91-generic", "6.8.12", "6.10.7", "4.4.0", "", "x"] {
            assert!(!is_fixed(release.as_bytes()), "{release}");
        }
    }
}

//! A fault of kernels from 5.9 to the summer of 2024: CVE-2024-45025.
//!
//! When `close_range` copies a table with UNSHARE, words of the bitmap above the cut that were
//! completely in use keep their "full" marks, although none of their numbers is open in the copy.
//! The program then runs out of numbers early. On such a kernel a child looks for such a word
//! before it copies the table, and checks afterwards whether the mark is still there.

use std::ffi::c_int;

use super::raw;

/// How many numbers a word of the table's bitmap covers.
const WORD: c_int = 64;

/// The marks of a small table do not reach beyond this word.
const LAST_WORD: c_int = 64;

/// Returns whether this kernel surely has no such fault: since 6.11 none has. Earlier versions may
/// be free of it too; their numbers do not show it.
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

/// Returns the first number of a word above `cut` that is completely in use. The child calls it
/// while it shares its parent's table.
pub(super) fn full_word_above(cut: c_int) -> Option<c_int> {
    let words = cut / WORD + 1..LAST_WORD;
    let is_full = |word: &c_int| (word * WORD..(word + 1) * WORD).rev().all(raw::is_open);
    words.into_iter().find(is_full).map(|word| word * WORD)
}

/// Returns whether the word that begins with `first` is still marked full. The child calls it in
/// its own table, which has no number above `open`.
pub(super) fn is_stale(open: c_int, first: c_int) -> bool {
    match raw::lowest_from(open, first) {
        Ok(number) => {
            raw::close(number).ok(); // opened above
            number != first
        }
        Err(_) => false, // beyond the limit: no program can use it
    }
}

#[cfg(test)]
mod tests {
    use super::is_fixed;

    #[test]
    fn a_fixed_kernel_needs_no_check() {
        for release in ["6.11.0", "6.18", "7.0.0-rc1", "10.1", "6.11-rc7+"] {
            assert!(is_fixed(release.as_bytes()), "{release}");
        }
        for release in ["5.15.0-91-generic", "6.8.12", "6.10.7", "4.4.0", "", "x"] {
            assert!(!is_fixed(release.as_bytes()), "{release}");
        }
    }
}

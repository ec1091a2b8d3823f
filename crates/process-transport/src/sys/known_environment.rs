//! A copy of the environment that a thread keeps for its next child, and whether it still holds.
//!
//! Only `std` can copy the environment of a program with threads, under its own lock, with two
//! allocations for each variable: this takes a launch 50,000 of its 70,000 instructions. Nothing tells
//! when the environment has changed. So the kernel reads it anew, like the memory of another process
//! (`process_vm_readv(2)`): the array of the C library, and every string. If all of it is as it was when
//! the copy was made, the copy holds. Another thread may change what the kernel reads; a read by this
//! thread would then be a data race. If the kernel refuses the call, each child gets a new copy.
#![expect(unsafe_code, reason = "a system call that reads the variables of the C library")]

use std::cell::RefCell;
use std::ffi::c_char;
use std::rc::Rc;

use super::cstrings::CStringArray;
use super::inherited::inherited;

/// The most bytes that a thread keeps of it.
const MOST_BYTES: usize = 1 << 16;

/// How many separate pieces of memory the call reads at most. The variables with which the program
/// started are one piece, and each that was set later is another one. With more, a copy is as cheap.
const MOST_PIECES: usize = 64;

thread_local! {
    static KNOWN: RefCell<Option<KnownEnvironment>> = const { RefCell::new(None) };
}

/// Returns the environment of this process, whose number is `own_pid`.
pub(super) fn current(own_pid: u32) -> Rc<CStringArray> {
    let kept = KNOWN.try_with(|known| {
        let mut known = known.borrow_mut();
        if !known.as_mut().is_some_and(|known| known.still_holds(own_pid)) {
            *known = None;
        }
        Rc::clone(&known.get_or_insert_with(|| KnownEnvironment::copied(own_pid)).copy)
    });
    kept.unwrap_or_else(|_| Rc::new(copied()))
}

fn copied() -> CStringArray {
    inherited(|_| false).finish()
}

struct KnownEnvironment {
    copy: Rc<CStringArray>,
    /// Where the environment was: the library's variable, the array, and the strings.
    pieces: Vec<libc::iovec>,
    /// What was there.
    expected: Vec<u8>,
    /// What is there now.
    found: Vec<u8>,
}

impl KnownEnvironment {
    fn copied(own_pid: u32) -> Self {
        let copy = Rc::new(copied());
        // Without pieces the copy never holds.
        let (pieces, expected) = described(&copy, own_pid).unwrap_or_default();
        Self { copy, pieces, expected, found: Vec::new() }
    }

    fn still_holds(&mut self, own_pid: u32) -> bool {
        self.found.resize(self.expected.len(), 0);
        !self.pieces.is_empty()
            && read_memory(own_pid, &self.pieces, &mut self.found).is_some()
            && self.found == self.expected
    }
}

/// Returns the pieces of memory that have the environment, and what they have if it is that of the copy.
/// Returns `None` if it is another one by now, or if it is not worth a comparison.
fn described(copy: &CStringArray, own_pid: u32) -> Option<(Vec<libc::iovec>, Vec<u8>)> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    let mut array = [0; size_of::<usize>()];
    let variable = piece((&raw const environ).addr(), array.len());
    read_memory(own_pid, &[variable], &mut array)?;
    let mut pointers = vec![0; (copy.strings().len() + 1) * array.len()];
    let mut pieces = vec![variable, piece(usize::from_ne_bytes(array), pointers.len())];
    read_memory(own_pid, &pieces[1..], &mut pointers)?;
    let (addresses, _) = pointers.as_chunks();
    let mut expected = [&array, &*pointers].concat();
    for (address, string) in addresses.iter().zip(copy.iter()) {
        expected.extend_from_slice(string);
        expected.push(0);
        let (address, length) = (usize::from_ne_bytes(*address), string.len() + 1);
        match pieces.last_mut() {
            Some(last) if last.iov_base.addr().wrapping_add(last.iov_len) == address => {
                last.iov_len += length;
            }
            _ => pieces.push(piece(address, length)),
        }
    }
    // The array must end where the copy does.
    let is_whole = addresses.last() == Some(&[0; size_of::<usize>()]);
    let is_small = pieces.len() <= MOST_PIECES && expected.len() <= MOST_BYTES;
    (is_whole && is_small).then_some((pieces, expected))
}

fn piece(address: usize, length: usize) -> libc::iovec {
    libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: length }
}

/// Reads pieces of this process's memory, which fill the buffer; `None` if they cannot be read.
fn read_memory(own_pid: u32, pieces: &[libc::iovec], into: &mut [u8]) -> Option<()> {
    let buffer = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let count = libc::c_ulong::try_from(pieces.len()).ok()?;
    let this = libc::pid_t::try_from(own_pid).ok()?;
    // SAFETY: the kernel writes to the buffer alone, which leads to a slice. It reads the pieces as
    // numbers, and memory that is not there is an error.
    let read =
        unsafe { libc::process_vm_readv(this, &raw const buffer, 1, pieces.as_ptr(), count, 0) };
    (usize::try_from(read) == Ok(into.len())).then_some(())
}

#[cfg(test)]
mod tests {
    use std::process;
    use std::rc::Rc;

    use super::{KnownEnvironment, current, read_memory};

    #[test]
    fn a_copy_is_kept_while_it_holds() {
        let (first, second) = (current(process::id()), current(process::id()));
        assert_eq!(first.iter().collect::<Vec<_>>(), second.iter().collect::<Vec<_>>());
        let mut byte = [0];
        if read_memory(process::id(), &[super::piece(first.as_ptr().addr(), 1)], &mut byte)
            .is_some()
        {
            assert!(Rc::ptr_eq(&first, &second));
        }
    }

    #[test]
    fn other_content_and_memory_that_is_gone_end_a_copy() {
        let mut known = KnownEnvironment::copied(process::id());
        let kept = known.still_holds(process::id());
        assert!(!known.pieces.is_empty() || !kept);
        if let Some(last) = known.expected.last_mut() {
            *last = b'x';
            assert!(!known.still_holds(process::id()));
        }
        known = KnownEnvironment::copied(process::id());
        if let Some(last) = known.pieces.last_mut() {
            last.iov_base = std::ptr::without_provenance_mut(1);
            assert!(!known.still_holds(process::id()));
        }
    }
}

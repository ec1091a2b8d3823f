//! A copy of the environment that a launch thread keeps for as long as it does not change.
//!
//! A copy takes longer than everything else that the thread itself does for a launch, and variables
//! rarely change. But whether they have changed can be seen only in memory that other threads may change
//! or free meanwhile. So the kernel looks there: it copies the memory into a pipe, which fails where
//! nothing is mapped, and what comes out of the pipe is compared with what came out before. If it is the
//! same, these were the variables at that moment.
//!
//! A look has the address of the C library's array, the array, and every string.
#![expect(unsafe_code, reason = "the kernel reads memory of the C library")]

use std::cell::RefCell;
use std::ffi::c_char;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::pipe::{PipeFlags, pipe_with};

use super::cstrings::CStringArray;
use super::inherited::inherited;

/// The largest look, in bytes. It must fit into the pipe.
const MOST_BYTES: usize = 32 << 10;

/// The most ranges of memory that one call reads.
const MOST_RANGES: usize = 1024;

/// The size of an address.
const WORD: usize = size_of::<usize>();

unsafe extern "C" {
    static environ: *const *const c_char;
}

thread_local! {
    static KEPT: RefCell<Option<Box<KeptEnvironment>>> = const { RefCell::new(None) };
}

/// Has this thread keep a copy. It takes two descriptors, so the table must be the thread's own.
pub(super) fn keep() -> io::Result<()> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    KEPT.set(Some(Box::new(KeptEnvironment { read, write, known: None })));
    Ok(())
}

/// The copy of this thread.
#[derive(Debug)]
struct KeptEnvironment {
    read: OwnedFd,
    write: OwnedFd,
    known: Option<Known>,
}

/// A copy of the variables, and how to see whether they have changed since.
#[derive(Debug)]
struct Known {
    /// Empty if that cannot be seen.
    ranges: Vec<Range>,
    /// What a look at the ranges shows while nothing has changed.
    seen: Vec<u8>,
    variables: CStringArray,
}

/// A range of memory; nobody says that it is readable.
#[derive(Debug, Clone, Copy)]
struct Range {
    start: usize,
    length: usize,
}

/// The variables of a launch, borrowed from the copy of this thread.
#[derive(Debug)]
pub(super) struct Borrowed(Option<Box<KeptEnvironment>>);

impl Borrowed {
    /// Returns the current variables; `None` if this thread keeps no copy.
    pub(super) fn current() -> Option<Self> {
        let mut kept = KEPT.with_borrow_mut(Option::take)?;
        if !kept.is_current() {
            kept.renew();
        }
        Some(Self(Some(kept)))
    }

    /// Returns the vector in the form that `execve` takes.
    pub(super) fn as_ptr(&self) -> *const *const c_char {
        let known = self.0.as_ref().and_then(|kept| kept.known.as_ref());
        known.map_or(std::ptr::null(), |known| known.variables.as_ptr())
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        KEPT.set(self.0.take());
    }
}

impl KeptEnvironment {
    fn is_current(&self) -> bool {
        let comparable = self.known.as_ref().filter(|known| !known.ranges.is_empty());
        comparable.is_some_and(|known| self.look(&known.ranges).as_ref() == Some(&known.seen))
    }

    /// Makes a new copy. It serves once if no look shows the same: the variables have just changed, or are
    /// too many, or one of them is malformed, so that the copy leaves it out.
    fn renew(&mut self) {
        let variables = inherited(|_| false).finish();
        let expected = self.expected(&variables);
        let same = expected.filter(|(ranges, seen)| self.look(ranges).as_ref() == Some(seen));
        let (ranges, seen) = same.unwrap_or_default();
        self.known = Some(Known { ranges, seen, variables });
    }

    /// Returns where the variables of a copy lie, and what a look there must show: the address of an array
    /// that has as many pointers as the copy has strings, the array, and the strings.
    fn expected(&self, variables: &CStringArray) -> Option<(Vec<Range>, Vec<u8>)> {
        let count = variables.strings().len();
        let address = Range { start: (&raw const environ).expose_provenance(), length: WORD };
        let mut seen = self.look(&[address])?;
        let array = Range { start: word(&seen)?, length: (count + 1) * WORD };
        let pointers = self.look(&[array])?;
        seen.extend(&pointers);
        seen.extend(variables.bytes());
        let mut pointers = pointers.chunks_exact(WORD);
        let mut ranges = vec![address, array];
        for string in variables.iter() {
            let start = pointers.next().and_then(word)?;
            let length = string.len() + 1;
            match ranges.last_mut() {
                // The strings with which the program started lie one after another.
                Some(last) if last.start.checked_add(last.length) == Some(start) => {
                    last.length += length;
                }
                _ => ranges.push(Range { start, length }),
            }
        }
        let is_ended = pointers.next().and_then(word) == Some(0);
        is_ended.then_some((ranges, seen))
    }

    /// Has the kernel read these ranges; `None` if one is not readable, or if they are too many.
    fn look(&self, ranges: &[Range]) -> Option<Vec<u8>> {
        let all: usize = ranges.iter().map(|range| range.length).sum();
        if all > MOST_BYTES || ranges.len() > MOST_RANGES {
            return None;
        }
        let vector = |range: &Range| libc::iovec {
            iov_base: std::ptr::with_exposed_provenance_mut(range.start),
            iov_len: range.length,
        };
        let vectors: Vec<libc::iovec> = ranges.iter().map(vector).collect();
        let count = libc::c_int::try_from(vectors.len()).ok()?;
        // SAFETY: pointer and count are those of one local. The call only reads from the ranges, and fails
        // where they are not readable.
        let written = unsafe { libc::writev(self.write.as_raw_fd(), vectors.as_ptr(), count) };
        let written = usize::try_from(written).ok()?;
        let mut seen = vec![0; written];
        // All that is there, also of a look that was cut short: the pipe is empty again.
        let read = rustix::io::read(&self.read, &mut seen).ok()?;
        (read == written && written == all).then_some(seen)
    }
}

/// Returns the address in the first bytes.
fn word(bytes: &[u8]) -> Option<usize> {
    Some(usize::from_ne_bytes(*bytes.first_chunk()?))
}

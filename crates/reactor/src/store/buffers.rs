//! The loop's read buffers: large reads are handed over without a copy, and the memory comes back
//! when the user has dropped them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

/// The most that one read asks for, but of a bulk.
pub(crate) const USUAL_BYTES: usize = 64 * 1024;

/// The most that one read asks for while whole buffers of the usual size come one after another.
pub(crate) const BULK_BYTES: usize = 256 * 1024;

/// The most bytes of buffers of one size that are remembered, for a user may give them back.
const REMEMBERED_BYTES: usize = 8 * USUAL_BYTES;
/// Also where pages are larger: see [`Buffer`].
const PAGE_BYTES: usize = 4096;

/// The buffers of both sizes.
pub(crate) struct Buffers {
    usual: BufferPool,
    bulk: BufferPool,
}

/// Some buffers of one size, of which the first that nobody else holds is read into.
struct BufferPool {
    bytes: usize,
    known: Vec<Arc<Buffer>>,
}

/// Memory that begins where a page does.
///
/// Where it does not, it is likely to begin 16 bytes after one, behind the head that an allocator puts
/// before a mapping of its own. That takes a copy out of a pipe, whose memory is whole pages, to half
/// its speed, most likely since each load then has the lowest twelve bits of the store before it, and
/// is taken to wait for it.
struct Buffer {
    memory: Box<[u8]>,
    place: Range<usize>,
}

impl Buffer {
    fn new(bytes: usize) -> Self {
        let memory = vec![0; bytes + PAGE_BYTES].into_boxed_slice();
        let start = memory.as_ptr().align_offset(PAGE_BYTES).min(PAGE_BYTES);
        Self { memory, place: start..start + bytes }
    }

    fn len(&self) -> usize {
        self.place.len()
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.place.clone()]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.place.clone()]
    }
}

/// What a user holds of a buffer.
struct LentBuffer(Arc<Buffer>);

impl AsRef<[u8]> for LentBuffer {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl Buffers {
    pub(crate) const fn new() -> Self {
        Self { usual: BufferPool::new(USUAL_BYTES), bulk: BufferPool::new(BULK_BYTES) }
    }

    /// Reads once; empty at the end. No foreign code runs: `read` is a system call.
    #[inline]
    pub(crate) fn read(
        &mut self,
        bulk: bool,
        read: impl FnOnce(&mut [u8]) -> rustix::io::Result<usize>,
    ) -> rustix::io::Result<Bytes> {
        if bulk { self.bulk.read(read) } else { self.usual.read(read) }
    }
}

impl BufferPool {
    const fn new(bytes: usize) -> Self {
        Self { bytes, known: Vec::new() }
    }

    #[inline]
    fn read(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> rustix::io::Result<usize>,
    ) -> rustix::io::Result<Bytes> {
        // Nearly always nobody holds the one that was read into last.
        if let Some(buffer) = self.known.first_mut()
            && let Some(free) = Arc::get_mut(buffer)
        {
            let n = read(free.bytes_mut())?;
            return Ok(handed_over(buffer, n));
        }
        self.bring_a_free_one_to_the_front();
        let Some(buffer) = self.known.first_mut() else { return Ok(Bytes::new()) };
        let n = Arc::get_mut(buffer).map_or(Ok(0), |free| read(free.bytes_mut()))?;
        Ok(handed_over(buffer, n))
    }

    /// There is a first one then, which nobody else holds.
    #[cold]
    fn bring_a_free_one_to_the_front(&mut self) {
        let free = self.known.iter_mut().position(|buffer| Arc::get_mut(buffer).is_some());
        if let Some(index) = free {
            return self.known.swap(0, index);
        }
        let new = Arc::new(Buffer::new(self.bytes));
        if self.known.len() < REMEMBERED_BYTES / self.bytes {
            self.known.push(new);
            let last = self.known.len() - 1;
            self.known.swap(0, last);
        } else {
            // Users keep them: forget one, whose memory is theirs from now on.
            self.known[0] = new;
        }
    }
}

/// The first `n` bytes of a buffer; copied out exactly if the rest of it would be held in vain.
#[inline]
fn handed_over(buffer: &Arc<Buffer>, n: usize) -> Bytes {
    if n < buffer.len() / 4 {
        return Bytes::from(Box::<[u8]>::from(&buffer.bytes()[..n]));
    }
    let mut data = Bytes::from_owner(LentBuffer(Arc::clone(buffer)));
    data.truncate(n);
    data
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers")
            .field("usual", &self.usual.known.len())
            .field("bulk", &self.bulk.known.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(n: usize) -> impl FnOnce(&mut [u8]) -> rustix::io::Result<usize> {
        move |buffer| {
            buffer[..n].fill(7);
            Ok(n)
        }
    }

    #[test]
    fn a_large_read_is_not_copied_and_its_memory_comes_back() {
        let mut buffers = BufferPool::new(USUAL_BYTES);
        let first = buffers.read(fill(USUAL_BYTES)).unwrap();
        let address = first.as_ptr();
        let second = buffers.read(fill(USUAL_BYTES)).unwrap();
        assert_ne!(second.as_ptr(), address, "the first is held");
        drop(first);
        let third = buffers.read(fill(USUAL_BYTES)).unwrap();
        assert_eq!(third.as_ptr(), address);
    }

    #[test]
    fn what_is_handed_over_begins_where_a_page_does() {
        for bytes in [USUAL_BYTES, BULK_BYTES] {
            let mut buffers = BufferPool::new(bytes);
            let kept: Vec<_> = (0..3).map(|_| buffers.read(fill(bytes)).unwrap()).collect();
            for data in &kept {
                assert_eq!(data.len(), bytes);
                assert_eq!(data.as_ptr().addr() % PAGE_BYTES, 0);
            }
        }
    }

    #[test]
    fn a_small_read_is_copied_out_exactly() {
        let mut buffers = BufferPool::new(USUAL_BYTES);
        let data = buffers.read(fill(5)).unwrap();
        assert_eq!(data, vec![7; 5]);
        assert_eq!(buffers.known.len(), 1);
        assert!(Arc::get_mut(&mut buffers.known[0]).is_some());
    }

    #[test]
    fn users_who_keep_everything_do_not_make_it_grow() {
        for bytes in [USUAL_BYTES, BULK_BYTES] {
            let mut buffers = BufferPool::new(bytes);
            let kept: Vec<_> = (0..50).map(|_| buffers.read(fill(bytes / 3)).unwrap()).collect();
            assert!(buffers.known.len() * bytes <= REMEMBERED_BYTES);
            assert!(kept.iter().all(|data| data.iter().all(|&byte| byte == 7)));
        }
    }

    #[test]
    fn a_small_read_into_the_large_buffer_does_not_hold_it() {
        let mut buffers = Buffers::new();
        let data = buffers.read(true, fill(BULK_BYTES / 4 - 1)).unwrap();
        assert_eq!(data.len(), BULK_BYTES / 4 - 1);
        assert!(Arc::get_mut(&mut buffers.bulk.known[0]).is_some());
        let large = buffers.read(true, fill(BULK_BYTES)).unwrap();
        assert!(Arc::get_mut(&mut buffers.bulk.known[0]).is_none());
        assert_eq!(large.len(), BULK_BYTES);
        assert!(buffers.usual.known.is_empty());
    }
}

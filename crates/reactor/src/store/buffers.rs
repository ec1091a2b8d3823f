//! The loop's read buffers. Large reads are handed over without a copy, and the memory returns when
//! the user has dropped them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

/// The most bytes that one read asks for, except in bulk.
pub(crate) const USUAL_BYTES: usize = 64 * 1024;

/// The most bytes that one read asks for while whole buffers of the usual size arrive one after
/// another.
pub(crate) const BULK_BYTES: usize = 256 * 1024;

/// The most bytes of buffers of one size that the pool remembers, because users may return them.
const REMEMBERED_BYTES: usize = 8 * USUAL_BYTES;
/// The alignment, also on systems with larger pages: see [`Buffer`].
const PAGE_BYTES: usize = 4096;

/// The buffers of both sizes.
pub(crate) struct Buffers {
    usual: BufferPool,
    bulk: BufferPool,
}

/// Buffers of one size.
struct BufferPool {
    bytes: usize,
    /// The buffer of the next read. Not shared, so a small read costs no atomic operation.
    free: Option<Buffer>,
    /// Buffers that users may have given back by now.
    lent: Vec<Arc<Buffer>>,
}

/// Memory that begins at a page boundary.
///
/// Otherwise it is likely to begin 16 bytes after one, behind the header that an allocator puts
/// before a mapping of its own. That halves the speed of a copy out of a pipe, whose memory
/// consists of whole pages. The likely reason is that each load then has the same lowest twelve
/// bits as the store before it, so the processor has it wait for that store.
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

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.memory[self.place.clone()]
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.place.clone()]
    }
}

/// The part of a buffer that a user holds.
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

    /// Reads once. The result is empty at the end. No foreign code runs, because `read` is a system
    /// call.
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
        Self { bytes, free: None, lent: Vec::new() }
    }

    #[inline]
    fn read(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> rustix::io::Result<usize>,
    ) -> rustix::io::Result<Bytes> {
        let Self { bytes, free, lent } = self;
        let memory = free.get_or_insert_with(|| take_back(lent, *bytes)).bytes_mut();
        let n = read(memory)?;
        // Small results are copied out, so they do not hold the rest of the buffer.
        if n < memory.len() / 4 {
            return Ok(Bytes::from(Box::<[u8]>::from(&memory[..n])));
        }
        Ok(self.lend(n))
    }

    /// Returns the first `n` bytes of the buffer that was read into, and does not copy them.
    fn lend(&mut self, n: usize) -> Bytes {
        let Some(buffer) = self.free.take().map(Arc::new) else { return Bytes::new() };
        self.lent.push(Arc::clone(&buffer));
        let mut data = Bytes::from_owner(LentBuffer(buffer));
        data.truncate(n);
        data
    }
}

/// Returns a buffer that its users have given back, or else a new one.
#[cold]
fn take_back(lent: &mut Vec<Arc<Buffer>>, bytes: usize) -> Buffer {
    let index = lent.iter_mut().position(|buffer| Arc::get_mut(buffer).is_some());
    let back = index.map(|index| lent.swap_remove(index)).and_then(Arc::into_inner);
    back.unwrap_or_else(|| {
        if lent.len() == REMEMBERED_BYTES / bytes {
            // Users keep the buffers: forget one, whose memory now belongs to its users.
            lent.swap_remove(0);
        }
        Buffer::new(bytes)
    })
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers")
            .field("usual", &self.usual.lent.len())
            .field("bulk", &self.bulk.lent.len())
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
    fn large_reads_begin_at_a_page_boundary() {
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
        assert!(buffers.free.is_some() && buffers.lent.is_empty());
    }

    #[test]
    fn kept_buffers_do_not_make_the_pool_grow() {
        for bytes in [USUAL_BYTES, BULK_BYTES] {
            let mut buffers = BufferPool::new(bytes);
            let kept: Vec<_> = (0..50).map(|_| buffers.read(fill(bytes / 3)).unwrap()).collect();
            assert!(buffers.lent.len() * bytes <= REMEMBERED_BYTES);
            assert!(kept.iter().all(|data| data.iter().all(|&byte| byte == 7)));
        }
    }

    #[test]
    fn a_small_read_into_the_large_buffer_does_not_hold_it() {
        let mut buffers = Buffers::new();
        let data = buffers.read(true, fill(BULK_BYTES / 4 - 1)).unwrap();
        assert_eq!(data.len(), BULK_BYTES / 4 - 1);
        assert!(buffers.bulk.free.is_some());
        let large = buffers.read(true, fill(BULK_BYTES)).unwrap();
        assert!(buffers.bulk.free.is_none());
        assert_eq!(large.len(), BULK_BYTES);
        assert!(buffers.usual.free.is_none() && buffers.usual.lent.is_empty());
    }
}

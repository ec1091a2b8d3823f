//! A slab of sources whose keys contain a generation. An event for an older generation is dropped.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use crate::readiness::Interest;
use crate::sys::polled::{Owned, Polled};

/// Identifies a source. A key is never reused for another source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    index: usize,
    generation: usize,
}

/// Half of the poller's key is the index, the other half the generation.
const HALF: u32 = usize::BITS / 2;
/// Also the generation that no slot reaches. The poller's own key and the wake-up's key have it.
const MAX: usize = (1 << HALF) - 1;

impl Key {
    /// The poller's key of the wake-up.
    pub(crate) const WAKE: usize = usize::MAX - 1;

    /// Returns the key as the poller knows it.
    #[inline]
    pub(crate) fn pack(self) -> usize {
        self.generation << HALF | self.index
    }

    #[inline]
    pub(crate) fn unpack(packed: usize) -> Self {
        Self { index: packed & MAX, generation: packed >> HALF }
    }
}

/// A source with its registration in the poller.
#[derive(Clone)]
pub(crate) enum Source {
    /// A descriptor of a transport. Using it runs no foreign code.
    Owned(Rc<Polled<Owned>>),
    /// A registered source. Its `as_fd` may be foreign code.
    Foreign(Rc<Polled<dyn AsFd>>),
}

impl Source {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Owned(io) => io.fd(),
            Self::Foreign(io) => io.fd(),
        }
    }

    pub(crate) fn set(&self, key: Key, interest: Interest) -> io::Result<()> {
        match self {
            Self::Owned(io) => io.set(key.pack(), interest),
            Self::Foreign(io) => io.set(key.pack(), interest),
        }
    }

    /// Leaves the poller, even if the source is lent and so not dropped yet. No more events arrive
    /// for its key, and its descriptor may be registered again.
    pub(crate) fn leave(&self) {
        match self {
            Self::Owned(io) => io.leave(),
            Self::Foreign(io) => io.leave(),
        }
    }

    /// Leaves the poller and returns the descriptor. `None` if the source is foreign or lent.
    pub(crate) fn release(&mut self) -> Option<OwnedFd> {
        match self {
            Self::Owned(io) => Rc::get_mut(io)?.release(),
            Self::Foreign(_) => None,
        }
    }
}

/// A source and its handler.
pub(crate) struct SourceEntry<H: ?Sized> {
    pub(crate) io: Source,
    pub(crate) handler: Rc<H>,
    pub(crate) token: u32,
    pub(crate) interest: Interest,
}

struct SourceSlot<H: ?Sized> {
    /// Counts the sources that were in this slot. The slot is retired at `MAX`.
    generation: usize,
    entry: Option<SourceEntry<H>>,
}

/// All sources of a reactor.
pub(crate) struct Sources<H: ?Sized> {
    slots: Vec<SourceSlot<H>>,
    /// Empty slots whose generation is below `MAX`.
    free: Vec<usize>,
}

impl<H: ?Sized> Default for Sources<H> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<H: ?Sized> Sources<H> {
    /// Returns the key that the next [`insert`](Self::insert) will use. Reserves nothing.
    fn next_key(&self) -> io::Result<Key> {
        if let Some(&index) = self.free.last() {
            return Ok(Key { index, generation: self.slots[index].generation });
        }
        if self.slots.len() >= MAX {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "too many sources"));
        }
        Ok(Key { index: self.slots.len(), generation: 0 })
    }

    /// Inserts an entry, and returns its key.
    pub(crate) fn insert(&mut self, entry: SourceEntry<H>) -> io::Result<Key> {
        let key = self.next_key()?;
        match self.free.pop() {
            Some(index) => self.slots[index].entry = Some(entry),
            None => self.slots.push(SourceSlot { generation: 0, entry: Some(entry) }),
        }
        Ok(key)
    }

    #[inline]
    pub(crate) fn get(&mut self, key: Key) -> Option<&mut SourceEntry<H>> {
        let slot = self.slots.get_mut(key.index)?;
        if slot.generation != key.generation {
            return None;
        }
        slot.entry.as_mut()
    }

    /// Removes an entry. The caller drops it where nothing is borrowed.
    #[must_use]
    pub(crate) fn remove(&mut self, key: Key) -> Option<SourceEntry<H>> {
        let slot = self.slots.get_mut(key.index)?;
        if slot.generation != key.generation {
            return None;
        }
        let entry = slot.entry.take()?;
        slot.generation += 1;
        if slot.generation < MAX {
            self.free.push(key.index);
        }
        Some(entry)
    }

    /// Returns the keys and the handlers of all open sources.
    pub(crate) fn all(&self) -> Vec<(Key, Rc<H>)> {
        let open = |(index, slot): (usize, &SourceSlot<H>)| {
            let key = Key { index, generation: slot.generation };
            slot.entry.as_ref().map(|entry| (key, Rc::clone(&entry.handler)))
        };
        self.slots.iter().enumerate().filter_map(open).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.iter().filter(|slot| slot.entry.is_some()).count()
    }
}

impl<H: ?Sized> fmt::Debug for Sources<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("open", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_the_poller() {
        let key = Key { index: 7, generation: MAX - 1 };
        assert_eq!(Key::unpack(key.pack()), key);
    }

    #[test]
    fn no_source_has_the_key_of_the_wake_up() {
        assert_eq!(Key::unpack(Key::WAKE).generation, MAX);
    }
}

//! A slab of sources whose keys contain a generation. An event for an older generation is dropped.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use crate::readiness::Interest;
use crate::sys::polled::{Polled, PolledFd};

/// Identifies a source. A key is never reused for another source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    index: u32,
    generation: u32,
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
        (self.generation as usize) << HALF | self.index as usize
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "half of a usize has at most 32 bits")]
    pub(crate) fn unpack(packed: usize) -> Self {
        Self { index: (packed & MAX) as u32, generation: (packed >> HALF) as u32 }
    }
}

/// A source with its registration in the poller.
pub(crate) enum Source {
    /// A descriptor of a transport. Using it runs no foreign code.
    Owned(PolledFd),
    /// A source that others own too.
    Shared(Box<SharedSource>),
}

/// A source that can be used while the table is not borrowed. Boxed in the table, because few are.
#[derive(Clone)]
pub(crate) enum SharedSource {
    /// A descriptor of a transport that was lent.
    Lent(Rc<PolledFd>),
    /// A registered source. Its `as_fd` may be foreign code.
    Foreign(Rc<Polled<dyn AsFd>>),
}

impl Source {
    pub(crate) fn interest(&self) -> Interest {
        match self {
            Self::Owned(io) => io.interest(),
            Self::Shared(io) => io.interest(),
        }
    }

    /// Returns an owner of the source, for its use while the table is not borrowed.
    pub(crate) fn lend(&mut self) -> SharedSource {
        match self {
            Self::Shared(io) => SharedSource::clone(io),
            Self::Owned(io) => {
                let lent = SharedSource::Lent(Rc::new(io.take()));
                *self = Self::Shared(Box::new(lent.clone()));
                lent
            }
        }
    }

    /// Leaves the poller, even if the source is lent and so not dropped yet. No more events arrive
    /// for its key, and its descriptor may be registered again.
    pub(crate) fn leave(&self) {
        match self {
            Self::Owned(io) => io.leave(),
            Self::Shared(io) => io.leave(),
        }
    }

    /// Leaves the poller and returns the descriptor, or a duplicate if the source is foreign or lent.
    pub(crate) fn release(&mut self) -> Option<OwnedFd> {
        match self {
            Self::Owned(io) => io.release(),
            Self::Shared(io) => io.release(),
        }
    }
}

impl SharedSource {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Lent(io) => io.fd(),
            Self::Foreign(io) => io.fd(),
        }
    }

    fn interest(&self) -> Interest {
        match self {
            Self::Lent(io) => io.interest(),
            Self::Foreign(io) => io.interest(),
        }
    }

    pub(crate) fn set(&self, key: Key, interest: Interest) -> io::Result<()> {
        match self {
            Self::Lent(io) => io.set(key.pack(), interest),
            Self::Foreign(io) => io.set(key.pack(), interest),
        }
    }

    fn leave(&self) {
        match self {
            Self::Lent(io) => io.leave(),
            Self::Foreign(io) => io.leave(),
        }
    }

    fn release(&mut self) -> Option<OwnedFd> {
        if let Self::Lent(io) = self
            && let Some(io) = Rc::get_mut(io)
        {
            return io.release();
        }
        self.leave();
        self.fd().try_clone_to_owned().ok()
    }
}

/// A source and its handler.
pub(crate) struct SourceEntry<H: ?Sized> {
    pub(crate) io: Source,
    pub(crate) handler: Rc<H>,
}

struct SourceSlot<H: ?Sized> {
    /// Counts the sources that were in this slot. The slot is retired at `MAX`.
    generation: u32,
    token: u32,
    entry: Option<SourceEntry<H>>,
}

/// All sources of a reactor.
pub(crate) struct Sources<H: ?Sized> {
    slots: Vec<SourceSlot<H>>,
    /// Empty slots whose generation is below `MAX`.
    free: Vec<u32>,
}

impl<H: ?Sized> Default for Sources<H> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<H: ?Sized> Sources<H> {
    /// Returns the key for the next [`put`](Self::put). Reserves nothing.
    pub(crate) fn next_key(&self) -> io::Result<Key> {
        if let Some(&index) = self.free.last() {
            return Ok(Key { index, generation: self.slots[index as usize].generation });
        }
        match u32::try_from(self.slots.len()) {
            Ok(index) if self.slots.len() < MAX => Ok(Key { index, generation: 0 }),
            _ => Err(io::Error::new(io::ErrorKind::QuotaExceeded, "too many sources")),
        }
    }

    /// Inserts an entry whose events have this token, at the [next key](Self::next_key).
    pub(crate) fn put(&mut self, key: Key, entry: SourceEntry<H>, token: u32) {
        let slot = SourceSlot { generation: key.generation, token, entry: Some(entry) };
        match self.free.pop() {
            Some(index) => self.slots[index as usize] = slot,
            None => self.slots.push(slot),
        }
    }

    #[inline]
    fn slot(&mut self, key: Key) -> Option<&mut SourceSlot<H>> {
        let slot = self.slots.get_mut(key.index as usize)?;
        (slot.generation == key.generation).then_some(slot)
    }

    #[inline]
    pub(crate) fn get(&mut self, key: Key) -> Option<&mut SourceEntry<H>> {
        self.slot(key)?.entry.as_mut()
    }

    /// Returns an entry with the token of its events.
    #[inline]
    pub(crate) fn with_token(&mut self, key: Key) -> Option<(&SourceEntry<H>, u32)> {
        let slot = self.slot(key)?;
        Some((slot.entry.as_ref()?, slot.token))
    }

    /// Removes an entry. The caller drops it where nothing is borrowed.
    #[must_use]
    pub(crate) fn remove(&mut self, key: Key) -> Option<SourceEntry<H>> {
        let slot = self.slot(key)?;
        let entry = slot.entry.take()?;
        slot.generation += 1;
        if (slot.generation as usize) < MAX {
            self.free.push(key.index);
        }
        Some(entry)
    }

    /// Returns the keys and the handlers of all open sources.
    pub(crate) fn all(&self) -> Vec<(Key, Rc<H>)> {
        let open = |(index, slot): (u32, &SourceSlot<H>)| {
            let key = Key { index, generation: slot.generation };
            slot.entry.as_ref().map(|entry| (key, Rc::clone(&entry.handler)))
        };
        (0..).zip(&self.slots).filter_map(open).collect()
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
        let last = u32::try_from(MAX - 1).unwrap();
        let key = Key { index: 7, generation: last };
        assert_eq!(Key::unpack(key.pack()), key);
    }

    // A program has many sources, and each child two of them.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_source_is_small() {
        assert_eq!(size_of::<SourceSlot<dyn Fn()>>(), 40);
    }

    #[test]
    fn no_source_has_the_key_of_the_wake_up() {
        assert_eq!(Key::unpack(Key::WAKE).generation as usize, MAX);
    }
}

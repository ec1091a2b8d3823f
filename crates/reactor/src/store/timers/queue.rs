//! Keys in the order of their deadlines, sorted as late as possible. With millions of timers,
//! memory is accessed in sequence and not at random.
//!
//! Model: the earliest keys are sorted. All later keys are unsorted, in a few parts. Each part is a
//! range of deadlines. When the earliest keys are used up, the next part takes their place. A large
//! part is first divided into up to 64. So a key is moved some log n / log 64 times, and is sorted
//! among about a thousand others. It costs O(log n) whatever the deadlines are, even for a million
//! equal ones, because their numbers differ. A few timers form one small heap. A single timer needs
//! no heap.
//!
//! An entry *counts* as long as its timer waits for it. The caller says whether it does. Entries
//! that do not count are skipped. When more than two thirds of the entries do not count, these are
//! removed at once.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::mem;

/// The index of a timer in the slab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerId(u32);

impl TimerId {
    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("so many timers do not fit into memory"))
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The deadline, in nanoseconds, and the number. Due calls run in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimerKey {
    pub(super) at: u64,
    pub(super) number: u64,
}

impl TimerKey {
    const LEAST: Self = Self { at: 0, number: 0 };

    /// Returns the key as one number. Comparing it needs no branch. Two comparisons would be
    /// mispredicted half of the time.
    fn wide(self) -> u128 {
        u128::from(self.at) << 64 | u128::from(self.number)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct TimerEntry {
    pub(super) key: TimerKey,
    pub(super) timer: TimerId,
}

impl Ord for TimerEntry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.wide().cmp(&other.key.wide())
    }
}

impl PartialOrd for TimerEntry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for TimerEntry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for TimerEntry {}

/// The number of entries that are sorted at once. They fit into the nearest cache.
const SORT_LIMIT: usize = 1024;
/// The most parts that one part is divided into. Their bounds also fit into that cache.
const MAX_PARTS: usize = 64;
/// The number of sampled keys per bound.
const SAMPLES: usize = 8;
/// With no more stale entries than this, a clean-up is not worthwhile.
const STALE_LIMIT: usize = 64;

/// A range of keys, up to the start of the next later part.
#[derive(Debug)]
struct QueuePart {
    from: TimerKey,
    entries: Vec<TimerEntry>,
}

#[derive(Debug)]
pub(super) struct TimerQueue {
    /// Not later than any other entry. It may be missing although there are others.
    head: Option<TimerEntry>,
    /// A former part, now sorted, with the earliest entry last.
    run: Vec<TimerEntry>,
    /// Entries before the first part that were added since. Never more than `SORT_LIMIT`.
    fresh: BinaryHeap<Reverse<TimerEntry>>,
    /// All later entries, with the earliest part last.
    parts: Vec<QueuePart>,
    /// The number of entries that do not count: at most `STALE_LIMIT`, or twice as many as count.
    stale: usize,
    /// The state of the random generator that picks samples. Never 0.
    random: u32,
}

impl Default for TimerQueue {
    fn default() -> Self {
        let (run, parts) = (Vec::new(), Vec::new());
        let fresh = BinaryHeap::new();
        Self { head: None, run, fresh, parts, stale: 0, random: 0x9E37_79B9 }
    }
}

impl TimerQueue {
    #[inline]
    pub(super) fn push(&mut self, entry: TimerEntry) {
        match self.head {
            None if self.is_empty_behind() => self.head = Some(entry),
            Some(head) if entry < head => {
                self.head = Some(entry);
                self.push_behind(head);
            }
            _ => self.push_behind(entry),
        }
    }

    /// Returns the earliest entry that counts. It stays until `pop`.
    #[inline]
    pub(super) fn first(&mut self, counts: impl Fn(&TimerEntry) -> bool) -> Option<TimerEntry> {
        match self.head {
            Some(head) if self.stale == 0 || counts(&head) => Some(head),
            _ => self.next(counts),
        }
    }

    /// Removes the entry that `first` has just returned. `waiting` other entries count.
    #[inline]
    pub(super) fn pop(&mut self, waiting: usize, counts: impl Fn(&TimerEntry) -> bool) {
        self.head = None;
        self.tidy_up(waiting, counts);
    }

    /// Returns whether the number of entries is within its limit, if `waiting` of them count.
    #[cfg(test)]
    pub(super) fn is_tidy(&self, waiting: usize) -> bool {
        let far: usize = self.parts.iter().map(|part| part.entries.len()).sum();
        let len = usize::from(self.head.is_some()) + self.run.len() + self.fresh.len() + far;
        len == waiting + self.stale && self.stale <= STALE_LIMIT.max(waiting * 2 + 1)
    }

    fn is_empty_behind(&self) -> bool {
        self.run.is_empty() && self.fresh.is_empty() && self.parts.is_empty()
    }

    fn push_behind(&mut self, entry: TimerEntry) {
        if self.parts.last().is_some_and(|part| entry.key.wide() >= part.from.wide()) {
            let later = |part: &QueuePart| part.from.wide() > entry.key.wide();
            let index = self.parts.partition_point(later);
            self.parts[index].entries.push(entry);
            return;
        }
        self.fresh.push(Reverse(entry));
        if self.fresh.len() > SORT_LIMIT {
            self.overflow();
        }
    }

    /// Replaces a head that does not count, or is missing, by the first entry that counts.
    #[inline(never)]
    fn next(&mut self, counts: impl Fn(&TimerEntry) -> bool) -> Option<TimerEntry> {
        self.stale -= usize::from(self.head.is_some());
        loop {
            let fresh = self.fresh.peek().map(|Reverse(entry)| entry);
            let next = match (self.run.last(), fresh) {
                (Some(run), Some(fresh)) if fresh < run => self.fresh.pop().map(|next| next.0),
                (Some(_), _) => self.run.pop(),
                (None, Some(_)) => self.fresh.pop().map(|next| next.0),
                (None, None) if self.parts.is_empty() => None,
                (None, None) => {
                    self.refill(&counts);
                    continue;
                }
            };
            self.head = next;
            if self.stale == 0 || next.is_none_or(|next| counts(&next)) {
                return next;
            }
            self.stale -= 1;
        }
    }

    /// Notes that one more entry does not count, and `waiting` do.
    pub(super) fn on_stale(&mut self, waiting: usize, counts: impl Fn(&TimerEntry) -> bool) {
        self.stale += 1;
        self.tidy_up(waiting, counts);
    }

    fn tidy_up(&mut self, waiting: usize, counts: impl Fn(&TimerEntry) -> bool) {
        if self.stale > STALE_LIMIT && self.stale / 2 > waiting {
            self.throw_out_stale(counts);
        }
    }

    #[cold]
    fn throw_out_stale(&mut self, counts: impl Fn(&TimerEntry) -> bool) {
        self.head = self.head.filter(&counts);
        self.run.retain(&counts);
        self.fresh.retain(|Reverse(entry)| counts(entry));
        for QueuePart { entries, .. } in &mut self.parts {
            entries.retain(&counts);
            entries.shrink_to(entries.len() * 2);
        }
        self.parts.retain(|part| !part.entries.is_empty());
        self.stale = 0;
    }

    /// The heap is full. Makes all entries before the first part a part of their own.
    #[cold]
    fn overflow(&mut self) {
        let mut entries = mem::take(&mut self.run);
        entries.extend(mem::take(&mut self.fresh).into_iter().map(|Reverse(entry)| entry));
        self.parts.push(QueuePart { from: TimerKey::LEAST, entries });
    }

    /// Replaces the used-up entries by the earliest part.
    #[cold]
    fn refill(&mut self, counts: impl Fn(&TimerEntry) -> bool) {
        let Some(mut part) = self.parts.pop() else { return };
        if part.entries.len() > SORT_LIMIT {
            let mut pieces = self.divide(part);
            let Some(earliest) = pieces.pop() else { return };
            if !pieces.is_empty() {
                self.parts.append(&mut pieces);
                self.parts.push(earliest);
                return;
            }
            // The samples were unrepresentative, which practically never happens. Sort the part
            // although it is too large.
            part = earliest;
        }
        // Reads the timers without a branch between them, so many reads overlap. Afterwards the
        // timers are in the cache for their calls.
        let counting = part.entries.iter().filter(|entry| counts(entry)).count();
        self.stale -= part.entries.len() - counting;
        part.entries.retain(&counts);
        part.entries.sort_unstable_by_key(|entry| Reverse(entry.key.wide()));
        self.run = part.entries;
    }

    /// Divides a part. Returns the resulting parts, none empty, the earliest last.
    fn divide(&mut self, part: QueuePart) -> Vec<QueuePart> {
        let QueuePart { from, entries } = part;
        let ways = (entries.len() / (SORT_LIMIT / 2)).min(MAX_PARTS);
        let mut sample: Vec<_> = (0..ways * SAMPLES).map(|_| self.any_of(&entries).key).collect();
        sample.sort_unstable_by_key(|key| key.wide());
        let room = entries.len() / ways + SORT_LIMIT / 2;
        let mut parts = Vec::with_capacity(ways);
        let mut bounds = [u128::MAX; MAX_PARTS];
        let froms = sample.into_iter().step_by(SAMPLES).skip(1);
        for (index, from) in [from].into_iter().chain(froms).enumerate() {
            parts.push(QueuePart { from, entries: Vec::with_capacity(room) });
            if index > 0 {
                bounds[index - 1] = from.wide();
            }
        }
        for entry in entries {
            parts[part_of(&bounds, entry.key.wide())].entries.push(entry);
        }
        parts.retain(|part| !part.entries.is_empty());
        parts.reverse();
        parts
    }

    /// Returns a random entry (xorshift), so no pattern of deadlines can defeat the samples.
    fn any_of(&mut self, entries: &[TimerEntry]) -> TimerEntry {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        entries[self.random as usize % entries.len()]
    }
}

/// Returns how many of the bounds are not above the key, by a binary search without branches.
fn part_of(bounds: &[u128; MAX_PARTS], key: u128) -> usize {
    let mut index = 0;
    let mut step = MAX_PARTS / 2;
    while step > 0 {
        let bound = bounds[(index + step - 1) % MAX_PARTS]; // at most the last but one
        index += step * usize::from(bound <= key);
        step /= 2;
    }
    index
}

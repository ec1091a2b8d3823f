//! Keys in the order of their deadlines, sorted as late as can be: where millions wait, memory is
//! walked through in a line and not at random.
//!
//! Model: what is soonest is sorted; all that is later lies unsorted in a few parts, each a range of
//! deadlines. When the soonest are used up the next part takes their place; one that is large is
//! first divided into up to 64. So a key is moved some log n / log 64 times, is sorted among about a
//! thousand others, and costs O(log n) whatever the deadlines are, a million equal ones included:
//! their numbers differ. A few timers are one small heap, and a single one not even that.
//!
//! An entry *counts* as long as its timer waits for it; whether it does the caller says. One that
//! does not is passed over, and when more than two thirds do not, those are thrown out at once.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::mem;

/// The place of a timer.
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

/// Deadline, in nanoseconds, and number: what is due runs in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimerKey {
    pub(super) at: u64,
    pub(super) number: u64,
}

impl TimerKey {
    const LEAST: Self = Self { at: 0, number: 0 };

    /// One comparison without a branch, where two would be guessed wrong half of the time.
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

/// So many are sorted at once: they fit into the nearest cache.
const MANY: usize = 1024;
/// Parts that one is divided into at most: the bounds of so many fit there as well.
const MOST_PARTS: usize = 64;
/// Keys looked at for each bound.
const SAMPLES: usize = 8;
/// Fewer entries than this that do not count are not worth a clean-up.
const FEW: usize = 64;

/// A range of keys, up to where the part before it begins.
#[derive(Debug)]
struct QueuePart {
    from: TimerKey,
    entries: Vec<TimerEntry>,
}

#[derive(Debug)]
pub(super) struct TimerQueue {
    /// Not after any other. It may be missing although there are others.
    head: Option<TimerEntry>,
    /// What was a part until it was its turn: sorted, the earliest last.
    run: Vec<TimerEntry>,
    /// What was added before the first part since, never more than `MANY`.
    fresh: BinaryHeap<Reverse<TimerEntry>>,
    /// What is later than all of these; the earliest part last.
    parts: Vec<QueuePart>,
    /// The entries that do not count: no more than `FEW`, or twice as many as do.
    stale: usize,
    /// Where the next sample is taken; never 0.
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

    /// The earliest that counts; it stays until `pop`.
    #[inline]
    pub(super) fn first(&mut self, counts: impl Fn(&TimerEntry) -> bool) -> Option<TimerEntry> {
        match self.head {
            Some(head) if self.stale == 0 || counts(&head) => Some(head),
            _ => self.next(counts),
        }
    }

    /// Removes what `first` has returned just now; `waiting` others count.
    #[inline]
    pub(super) fn pop(&mut self, waiting: usize, counts: impl Fn(&TimerEntry) -> bool) {
        self.head = None;
        self.tidy_up(waiting, counts);
    }

    /// Tells whether no more entries are there than may be, where so many count.
    #[cfg(test)]
    pub(super) fn is_tidy(&self, waiting: usize) -> bool {
        let far: usize = self.parts.iter().map(|part| part.entries.len()).sum();
        let len = usize::from(self.head.is_some()) + self.run.len() + self.fresh.len() + far;
        len == waiting + self.stale && self.stale <= FEW.max(waiting * 2 + 1)
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
        if self.fresh.len() > MANY {
            self.overflow();
        }
    }

    /// Has the first that counts take the place of one that does not, or has gone.
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

    /// One more entry does not count, and `waiting` do.
    pub(super) fn on_stale(&mut self, waiting: usize, counts: impl Fn(&TimerEntry) -> bool) {
        self.stale += 1;
        self.tidy_up(waiting, counts);
    }

    fn tidy_up(&mut self, waiting: usize, counts: impl Fn(&TimerEntry) -> bool) {
        if self.stale > FEW && self.stale / 2 > waiting {
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

    /// Too many for a heap: all that is before the first bound becomes a part itself.
    #[cold]
    fn overflow(&mut self) {
        let mut entries = mem::take(&mut self.run);
        entries.extend(mem::take(&mut self.fresh).into_iter().map(|Reverse(entry)| entry));
        self.parts.push(QueuePart { from: TimerKey::LEAST, entries });
    }

    /// Has the earliest part take the place of what was used up.
    #[cold]
    fn refill(&mut self, counts: impl Fn(&TimerEntry) -> bool) {
        let Some(mut part) = self.parts.pop() else { return };
        if part.entries.len() > MANY {
            let mut pieces = self.divide(part);
            let Some(earliest) = pieces.pop() else { return };
            if !pieces.is_empty() {
                self.parts.append(&mut pieces);
                self.parts.push(earliest);
                return;
            }
            // The samples were no good, as good as never: what is too large is sorted all the same.
            part = earliest;
        }
        // Reads the timers without a guess between them, so that many reads are under way at once;
        // they are in cache then, also when they are due.
        let living = part.entries.iter().filter(|entry| counts(entry)).count();
        self.stale -= part.entries.len() - living;
        part.entries.retain(&counts);
        part.entries.sort_unstable_by_key(|entry| Reverse(entry.key.wide()));
        self.run = part.entries;
    }

    /// Returns the parts of one, none empty, the earliest last.
    fn divide(&mut self, part: QueuePart) -> Vec<QueuePart> {
        let QueuePart { from, entries } = part;
        let ways = (entries.len() / (MANY / 2)).min(MOST_PARTS);
        let mut sample: Vec<_> = (0..ways * SAMPLES).map(|_| self.any_of(&entries).key).collect();
        sample.sort_unstable_by_key(|key| key.wide());
        let room = entries.len() / ways + MANY / 2;
        let mut parts = Vec::with_capacity(ways);
        let mut bounds = [u128::MAX; MOST_PARTS];
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

    /// By chance (xorshift): no pattern of deadlines meets it.
    fn any_of(&mut self, entries: &[TimerEntry]) -> TimerEntry {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        entries[self.random as usize % entries.len()]
    }
}

/// How many of the bounds are not above the key: a binary search without branches.
fn part_of(bounds: &[u128; MOST_PARTS], key: u128) -> usize {
    let mut index = 0;
    let mut step = MOST_PARTS / 2;
    while step > 0 {
        let bound = bounds[(index + step - 1) % MOST_PARTS]; // no more than the last but one
        index += step * usize::from(bound <= key);
        step /= 2;
    }
    index
}

//! Random numbers for pauses and for names that nobody should meet by accident.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// A sequence of random numbers (splitmix64), seeded by the system. Not for secrets.
#[derive(Debug)]
pub(crate) struct Random(Cell<u64>);

impl Random {
    pub(crate) fn new() -> Self {
        Self(Cell::new(RandomState::new().hash_one(0)))
    }

    pub(crate) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn next_u32(&self) -> u32 {
        u32::try_from(self.next() >> 32).unwrap_or(u32::MAX)
    }
}

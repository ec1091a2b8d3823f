//! Random numbers for pauses and for names that nobody should meet by accident.

use std::hash::{BuildHasher, RandomState};

/// Returns a random number, by the keys of a hash table: the system seeds those of the first table of a
/// thread, and each further table has others. Not for secrets.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::random;

    #[test]
    fn no_number_comes_twice() {
        let numbers: BTreeSet<u64> = (0..1000).map(|_| random()).collect();
        assert_eq!(numbers.len(), 1000);
    }
}

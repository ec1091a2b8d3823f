//! [`NumberMap`]: values by descriptor number. A child has few numbers, so a sorted vector takes less
//! time and memory than a tree.

use procession_protocol::ChildFd;

/// A map from descriptor numbers, in ascending order.
#[derive(Debug, Clone)]
pub(crate) struct NumberMap<V>(Vec<(ChildFd, V)>);

impl<V> Default for NumberMap<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> NumberMap<V> {
    /// Creates an empty map with room for so many numbers.
    pub(crate) fn with_capacity(numbers: usize) -> Self {
        Self(Vec::with_capacity(numbers))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the index of a number, or else the index at which it would be.
    fn find(&self, number: ChildFd) -> Result<usize, usize> {
        match self.0.last() {
            Some((last, _)) if *last >= number => self.0.binary_search_by_key(&number, |one| one.0),
            _ => Err(self.0.len()),
        }
    }

    pub(crate) fn get(&self, number: &ChildFd) -> Option<&V> {
        self.find(*number).ok().map(|at| &self.0[at].1)
    }

    pub(crate) fn contains_key(&self, number: &ChildFd) -> bool {
        self.find(*number).is_ok()
    }

    /// Sets the value of a number.
    pub(crate) fn insert(&mut self, number: ChildFd, value: V) {
        match self.find(number) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (number, value)),
        }
    }

    pub(crate) fn remove(&mut self, number: &ChildFd) {
        if let Ok(at) = self.find(*number) {
            self.0.remove(at);
        }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&ChildFd, &V)> {
        self.0.iter().map(|(number, value)| (number, value))
    }

    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = &ChildFd> {
        self.0.iter().map(|(number, _)| number)
    }
}

/// Of several values for a number the last counts.
impl<V> FromIterator<(ChildFd, V)> for NumberMap<V> {
    fn from_iter<I: IntoIterator<Item = (ChildFd, V)>>(values: I) -> Self {
        let mut map = Self::default();
        values.into_iter().for_each(|(number, value)| map.insert(number, value));
        map
    }
}

#[cfg(test)]
mod tests {
    use procession_protocol::ChildFd;

    use super::NumberMap;

    #[test]
    fn numbers_are_in_order_and_the_last_value_counts() {
        let values = [(3, 'a'), (1, 'b'), (3, 'c'), (2, 'd'), (-1, 'e')];
        let of = |(number, value): (i32, char)| (ChildFd::from(number), value);
        let mut map: NumberMap<char> = values.map(of).into_iter().collect();
        map.remove(&ChildFd::from(2));
        map.remove(&ChildFd::from(7));
        let all: Vec<_> = map.iter().map(|(number, value)| (number.as_raw(), *value)).collect();
        assert_eq!((all, map.len()), (vec![(-1, 'e'), (1, 'b'), (3, 'c')], 3));
        assert_eq!(map.get(&ChildFd::from(3)), Some(&'c'));
        assert!(!map.contains_key(&ChildFd::from(2)));
    }
}

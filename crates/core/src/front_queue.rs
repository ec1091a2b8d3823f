//! A queue that nearly always holds one value at most.

use std::collections::{VecDeque, vec_deque};
use std::{iter, option};

/// A queue whose first value costs no allocation, and lies in the queue itself.
#[derive(Debug)]
pub(crate) struct FrontQueue<T> {
    /// `None` if the queue is empty.
    front: Option<T>,
    rest: VecDeque<T>,
}

impl<T> FrontQueue<T> {
    /// Creates an empty queue.
    pub(crate) const fn new() -> Self {
        Self { front: None, rest: VecDeque::new() }
    }

    /// Adds a value after the others.
    #[inline]
    pub(crate) fn push_back(&mut self, value: T) {
        match self.front {
            None => self.front = Some(value),
            Some(_) => self.rest.push_back(value),
        }
    }

    /// Takes the first value.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let front = self.front.take();
        if !self.rest.is_empty() {
            self.front = self.rest.pop_front();
        }
        front
    }

    /// Returns the first value.
    #[inline]
    pub(crate) fn front(&self) -> Option<&T> {
        self.front.as_ref()
    }

    /// Returns the first value, to change it.
    #[inline]
    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.front.as_mut()
    }

    /// Returns the values in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.front.iter().chain(&self.rest)
    }
}

impl<T> Default for FrontQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> IntoIterator for FrontQueue<T> {
    type Item = T;
    type IntoIter = iter::Chain<option::IntoIter<T>, vec_deque::IntoIter<T>>;

    /// Returns the values in their order.
    fn into_iter(self) -> Self::IntoIter {
        self.front.into_iter().chain(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_in_their_order_however_pushes_and_pops_are_mixed() {
        let (mut queue, mut model) = (FrontQueue::new(), VecDeque::new());
        for step in 0..180_u32 {
            // Some rises, some falls, and pops of the empty queue.
            if step % 7 < 4 && step % 50 < 35 {
                queue.push_back(step);
                model.push_back(step);
            } else {
                assert_eq!(queue.pop_front(), model.pop_front());
            }
            assert_eq!(queue.front(), model.front());
            assert!(queue.iter().eq(&model));
        }
        assert!(!model.is_empty() && queue.into_iter().eq(model));
    }

    #[test]
    fn the_first_value_needs_no_allocation() {
        let mut queue = FrontQueue::new();
        for value in 0..10 {
            queue.push_back(value);
            assert_eq!(queue.pop_front(), Some(value));
        }
        assert_eq!(queue.rest.capacity(), 0);
    }
}

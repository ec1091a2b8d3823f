//! Decides which producer gets which call; a pure core: the bookkeeping of
//! [`Producers`](crate::transport_control::Producers), generic over the type of a producer. Children
//! and connections both use it.
//!
//! A producer is [lent](Registry::lend) during a call and given back after it. During the call it may
//! be unregistered, and another one registered in its place.

use std::collections::BTreeMap;

use crate::ChildFd;

/// Which side sets the pace of a [`Producer`](crate::Producer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pace {
    /// The producer sets the pace: it writes when it likes, until it is paused.
    Push,
    /// The queue sets the pace: the producer writes when it is asked, which is each time the queue is
    /// empty.
    Pull,
}

/// An output that a producer writes to: a descriptor of a child, or `None` for that of a connection.
pub(crate) type Output = Option<ChildFd>;

/// The producers of one child, or of one connection, each a `P`.
pub(crate) struct Registry<P> {
    entries: BTreeMap<Output, Entry<P>>,
    /// The outputs whose queue is full.
    full: Vec<Output>,
    /// Counts registrations, to distinguish a producer from one that replaced it while it ran.
    next: u64,
    /// The child is being terminated.
    cut_off: bool,
}

/// One producer. Drop it while nothing is borrowed.
pub(crate) struct Entry<P> {
    id: u64,
    pace: Pace,
    paused: bool,
    /// `None` while it runs.
    producer: Option<P>,
}

/// A call that a producer gets.
#[derive(Clone, Copy)]
pub(crate) enum Call {
    /// For push producers: the queue was drained.
    Resume,
    /// For pull producers: it is registered.
    Ask,
    /// For pull producers: the queue may have become empty.
    Refill,
    Pause,
    Stop,
}

impl<P> Registry<P> {
    pub(crate) fn new() -> Self {
        Self { entries: BTreeMap::new(), full: Vec::new(), next: 0, cut_off: false }
    }

    /// Registers a producer and returns the call that is due at once, if any; or gives the producer back,
    /// because the output has one.
    pub(crate) fn register(
        &mut self,
        output: Output,
        pace: Pace,
        producer: P,
    ) -> Result<Option<Call>, P> {
        if self.entries.contains_key(&output) {
            return Err(producer);
        }
        self.next += 1;
        let entry = Entry { id: self.next, pace, paused: false, producer: Some(producer) };
        self.entries.insert(output, entry);
        Ok(match (pace, self.full.contains(&output)) {
            (Pace::Push, true) => Some(Call::Pause),
            (Pace::Pull, false) => Some(Call::Ask),
            (Pace::Push, false) | (Pace::Pull, true) => None,
        })
    }

    pub(crate) fn unregister(&mut self, output: Output) -> Option<Entry<P>> {
        self.entries.remove(&output)
    }

    pub(crate) fn has(&self, output: Output) -> bool {
        self.entries.contains_key(&output)
    }

    /// Returns whether a producer keeps its output open.
    pub(crate) fn holds_open(&self) -> bool {
        !self.cut_off
    }

    /// Notes that from now on no producer keeps its output open, and returns those that did.
    pub(crate) fn cut_off(&mut self) -> Vec<Output> {
        self.cut_off = true;
        self.outputs()
    }

    /// Returns the outputs whose producer is running.
    pub(crate) fn running(&self) -> Vec<Output> {
        let running = self.entries.iter().filter(|(_, entry)| entry.producer.is_none());
        running.map(|(output, _)| *output).collect()
    }

    /// Returns whether `output` has a push producer that is running.
    pub(crate) fn is_pushing(&self, output: Output) -> bool {
        self.push(output).is_some_and(|entry| entry.producer.is_none())
    }

    /// Returns whether `output` has a push producer that is neither running nor paused.
    pub(crate) fn can_pause(&self, output: Output) -> bool {
        self.push(output).is_some_and(|entry| entry.producer.is_some() && !entry.paused)
    }

    fn push(&self, output: Output) -> Option<&Entry<P>> {
        self.entries.get(&output).filter(|entry| entry.pace == Pace::Push)
    }

    pub(crate) fn on_full(&mut self, output: Output) {
        self.full.push(output);
    }

    pub(crate) fn on_drained(&mut self, output: Output) {
        self.full.retain(|full| *full != output);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.entries.is_empty() && self.full.is_empty()
    }

    /// Moves the producer out for this call, if the call is due.
    pub(crate) fn lend(&mut self, output: Output, call: Call) -> Option<(u64, P)> {
        let entry = self.entries.get_mut(&output)?;
        let is_due = match (call, entry.pace) {
            (Call::Ask | Call::Refill, Pace::Pull) | (Call::Stop, _) => true,
            (Call::Resume, Pace::Push) => entry.paused,
            (Call::Pause, Pace::Push) => !entry.paused,
            (Call::Resume | Call::Pause, Pace::Pull) | (Call::Ask | Call::Refill, Pace::Push) => {
                false
            }
        };
        if !is_due {
            return None;
        }
        entry.paused = matches!(call, Call::Pause);
        let lent = entry.producer.take().map(|producer| (entry.id, producer));
        if matches!(call, Call::Stop) {
            self.entries.remove(&output);
        }
        lent
    }

    /// Takes a lent producer back, or returns it if it was unregistered in the meantime.
    pub(crate) fn give_back(&mut self, output: Output, id: u64, producer: P) -> Option<P> {
        match self.entries.get_mut(&output) {
            Some(entry) if entry.id == id => {
                entry.producer = Some(producer);
                None
            }
            _ => Some(producer),
        }
    }

    /// Removes a lent producer that does not come back, and returns whether it was still registered.
    pub(crate) fn forget(&mut self, output: Output, id: u64) -> bool {
        let is_here = self.entries.get(&output).is_some_and(|entry| entry.id == id);
        if is_here {
            self.entries.remove(&output);
        }
        is_here
    }

    /// Removes and returns every producer.
    pub(crate) fn retire(&mut self) -> BTreeMap<Output, Entry<P>> {
        std::mem::take(&mut self.entries)
    }

    pub(crate) fn outputs(&self) -> Vec<Output> {
        self.entries.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FD: Output = Some(ChildFd::STDIN);

    fn call(registered: Result<Option<Call>, &str>) -> Option<Call> {
        registered.ok().flatten()
    }

    #[test]
    fn a_registration_asks_a_pull_producer_and_pauses_a_push_producer_of_a_full_queue() {
        let mut registry = Registry::<&str>::new();
        assert!(matches!(call(registry.register(FD, Pace::Pull, "a")), Some(Call::Ask)));
        assert!(matches!(registry.register(FD, Pace::Push, "b"), Err("b")));
        assert!(registry.unregister(FD).is_some());
        registry.on_full(FD);
        assert!(call(registry.register(FD, Pace::Pull, "c")).is_none());
        assert!(registry.unregister(FD).is_some());
        assert!(matches!(call(registry.register(FD, Pace::Push, "d")), Some(Call::Pause)));
        assert_eq!(registry.retire().len(), 1);
    }

    #[test]
    fn a_producer_that_was_replaced_while_it_ran_comes_back_to_the_caller() {
        let mut registry = Registry::<&str>::new();
        registry.register(FD, Pace::Pull, "old").ok().unwrap();
        let (id, old) = registry.lend(FD, Call::Ask).unwrap();
        assert!(registry.lend(FD, Call::Ask).is_none(), "it runs");
        assert!(registry.unregister(FD).is_some());
        registry.register(FD, Pace::Pull, "new").ok().unwrap();
        registry.forget(FD, id);
        assert_eq!(registry.give_back(FD, id, old), Some("old"));
        let (id, new) = registry.lend(FD, Call::Ask).unwrap();
        assert_eq!(new, "new");
        assert!(registry.give_back(FD, id, new).is_none());
        registry.lend(FD, Call::Stop).unwrap();
        assert!(registry.outputs().is_empty() && registry.is_idle());
    }
}

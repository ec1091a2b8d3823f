//! The actions that a connection's lifecycle demands of its driver.

/// An action on the descriptors of a connection that its driver must do, in the order of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Demand {
    /// Stop watching the input: nothing is read before the close.
    StopReading,
    /// The input has ended. Stop reading a socket; close an input that is a descriptor of its own.
    EndReading,
    /// Nothing can be written any more: drop the write queue.
    EndWriting,
    /// Everything is written, and nothing more will be: shut the socket down for writing, drop the
    /// write queue, and close an output that is a descriptor of its own.
    ShutDown,
    /// Both directions of the connection have gone: ask the kernel for the reason, and pass it to
    /// [`on_gone`](crate::connection::ConnectionLifecycle::on_gone).
    AskReason,
    /// Read the data that have arrived, and drop them. The kernel resets a connection that is closed
    /// with unread data, and then the peer loses the data that were just written to it.
    Discard,
    /// Make the close reset the connection.
    Reset,
    /// Close every descriptor.
    Close,
}

const IN_ORDER: [Demand; 8] = [
    Demand::StopReading,
    Demand::EndReading,
    Demand::EndWriting,
    Demand::ShutDown,
    Demand::AskReason,
    Demand::Discard,
    Demand::Reset,
    Demand::Close,
];

/// The demands that are due, each at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Demands(u8);

impl Demands {
    pub(super) const fn of(demands: &[Demand]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < demands.len() {
            bits |= 1 << demands[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    pub(super) fn add(&mut self, demand: Demand) {
        self.0 |= Self::of(&[demand]).0;
    }

    /// Forgets the demands that are not in `kept`.
    pub(super) fn keep(&mut self, kept: Self) {
        self.0 &= kept.0;
    }

    /// Takes the first demand.
    #[inline]
    pub(super) fn poll(&mut self) -> Option<Demand> {
        if self.0 == 0 {
            return None; // the usual case
        }
        let first = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        IN_ORDER.get(usize::try_from(first).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demands_come_out_once_in_the_order_of_the_variants() {
        let mut demands = Demands::default();
        for demand in IN_ORDER.into_iter().rev().chain(IN_ORDER) {
            demands.add(demand);
        }
        assert!(std::iter::from_fn(|| demands.poll()).eq(IN_ORDER));
        demands.add(Demand::Reset);
        demands.add(Demand::Discard);
        demands.keep(Demands::of(&[Demand::Reset, Demand::Close]));
        assert_eq!((demands.poll(), demands.poll()), (Some(Demand::Reset), None));
    }
}

//! Growing pauses, for polling what no descriptor reports.

use std::time::Duration;

/// The interval at which children are polled if only a signal would report their exits.
pub(crate) const ASK_ANYWAY: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST: Duration = Duration::from_millis(250);

/// Returns pauses of 1, 2, 4, … ms, up to a quarter of a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pauses {
    given: u8,
}

impl Pauses {
    pub(crate) fn next(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.given.into()).unwrap_or(u32::MAX);
        self.given = self.given.saturating_add(1);
        Duration::from_millis(1).saturating_mul(factor).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Pauses};

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let mut pauses = Pauses::default();
        let first: Vec<u128> = (0..10).map(|_| pauses.next().as_millis()).collect();
        assert_eq!(first, [1, 2, 4, 8, 16, 32, 64, 128, 250, 250]);
        for _ in 0..100 {
            assert_eq!(pauses.next(), LONGEST);
        }
    }
}

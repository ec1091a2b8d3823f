//! Medians, spread and ratios.

/// The figures of a contender's rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    pub(crate) median: f64,
    pub(crate) p10: f64,
    pub(crate) p90: f64,
}

impl Figures {
    /// Returns the figures of some rounds, or `None` if there are no rounds.
    pub(crate) fn of(rounds: &[f64]) -> Option<Self> {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |percent: usize| sorted.get((sorted.len().checked_sub(1)? * percent + 50) / 100);
        let median = match sorted.len() {
            0 => return None,
            even if even % 2 == 0 => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
            odd => sorted[odd / 2],
        };
        Some(Self { median, p10: *at(10)?, p90: *at(90)? })
    }
}

/// Which direction is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Less,
    More,
}

impl Better {
    /// Returns how many times better `ours` is than `other`, or `None` if one of them is 0.
    pub(crate) fn times(self, ours: f64, other: f64) -> Option<f64> {
        let ratio = match self {
            Self::Less => other / ours,
            Self::More => ours / other,
        };
        (ours > 0.0 && other > 0.0).then_some(ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        let figures = Figures::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(figures, Figures { median: 2.5, p10: 1.0, p90: 4.0 });
        assert_eq!(Figures::of(&[]), None);
    }

    #[test]
    fn more_than_one_is_better_in_both_directions() {
        assert_eq!(Better::Less.times(1.0, 2.0), Some(2.0));
        assert_eq!(Better::More.times(1.0, 2.0), Some(0.5));
        assert_eq!(Better::Less.times(0.0, 2.0), None);
    }
}

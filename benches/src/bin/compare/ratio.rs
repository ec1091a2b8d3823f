//! The paired ratio of two contenders, and the 95 % interval of its median.
//!
//! The rounds of a row are interleaved. Each round of procession is paired with the same round of the
//! other contender, so that work that slows the machine for a while slows both sides of a pair. The
//! interval is exact for every distribution of the ratios, if the rounds are independent: each ratio
//! is below the true median with a probability of one half, so the number of those below is binomial.

use std::fmt;

use crate::figures::{Better, Figures};

/// How many times better procession is: the median of the ratios of all rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    /// The 95 % interval of the median, or `None` if there are fewer than six rounds.
    pub(crate) interval: Option<(f64, f64)>,
}

impl Ratio {
    /// Returns the ratio of two contenders' rounds, or `None` if there are no rounds or one is 0.
    pub(crate) fn of(better: Better, ours: &[f64], other: &[f64]) -> Option<Self> {
        let pairs = ours.iter().zip(other);
        let ratios: Option<Vec<f64>> =
            pairs.map(|(ours, other)| better.times(*ours, *other)).collect();
        let mut ratios = ratios?;
        ratios.sort_by(f64::total_cmp);
        let median = Figures::of(&ratios)?.median;
        let interval = outside(ratios.len())
            .and_then(|count| Some((*ratios.get(count)?, *ratios.iter().rev().nth(count)?)));
        Some(Self { median, interval })
    }

    /// Returns whether the interval's upper end is at least `bar`, or `None` without an interval.
    pub(crate) fn reaches(&self, bar: f64) -> Option<bool> {
        self.interval.map(|(_, high)| high >= bar)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(2);
        write!(f, "{:.decimals$}", self.median)?;
        match self.interval {
            Some((low, high)) => write!(f, " ({low:.decimals$} to {high:.decimals$})"),
            None => Ok(()),
        }
    }
}

/// Returns how many of `rounds` sorted values lie below the 95 % interval of their median, and as many
/// above it: the most for which each side has a probability of at most 2.5 %.
fn outside(rounds: usize) -> Option<usize> {
    let rounds = u32::try_from(rounds).ok()?;
    // The probability that exactly `below` of the values are below the true median, as a logarithm: no
    // number is as small as that of none of a thousand values.
    let mut exactly = -f64::from(rounds);
    let mut at_most = exactly.exp2();
    let mut below = 0;
    while at_most <= 0.025 && below < rounds {
        below += 1;
        exactly += (f64::from(rounds - below + 1) / f64::from(below)).log2();
        at_most += exactly.exp2();
    }
    usize::try_from(below.checked_sub(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_tables_of_the_sign_test() {
        // The usual tables give these ranks, counted from 1: 1 of 6, 2 of 9, 6 of 20, 40 of 100.
        let table = [(5, None), (6, Some(0)), (9, Some(1)), (20, Some(5)), (100, Some(39))];
        for (rounds, below) in table {
            assert_eq!(outside(rounds), below, "{rounds} rounds");
        }
        // Five runs of 151 rounds are pooled.
        assert_eq!(outside(755), Some(350));
        assert_eq!(outside(5000), Some(2430));
    }

    #[test]
    fn a_ratio_is_that_of_pairs_and_not_of_medians() {
        // The machine gets slower all the time, for both alike.
        let ours = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
        let other = ours.map(|value| value * 1.5);
        let ratio = Ratio::of(Better::Less, &ours, &other).unwrap();
        assert_eq!(ratio, Ratio { median: 1.5, interval: Some((1.5, 1.5)) });
        assert_eq!(ratio.to_string(), "1.50 (1.50 to 1.50)");
        assert_eq!(Ratio::of(Better::More, &ours[..2], &other).unwrap().to_string(), "0.67");
        assert_eq!(Ratio::of(Better::Less, &[], &[]), None);
        assert_eq!(Ratio::of(Better::Less, &[0.0], &[1.0]), None);
    }

    #[test]
    fn an_interval_reaches_a_bar_by_its_upper_end() {
        let ratio = Ratio { median: 0.97, interval: Some((0.94, 1.0)) };
        assert_eq!([1.0, 1.01].map(|bar| ratio.reaches(bar)), [Some(true), Some(false)]);
        assert_eq!(Ratio { interval: None, ..ratio }.reaches(0.5), None);
    }
}

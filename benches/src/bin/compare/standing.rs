//! The goal of every row: the 95 % interval of the paired ratio to the best peer reaches 1.0, and that
//! of the ratio to the limit 0.95.

use crate::measure::{LIMIT, OURS, Outcome};
use crate::ratio::Ratio;
use crate::rows::Row;

/// What the interval reaches against the best peer.
const OF_BEST_PEER: f64 = 1.0;
/// What it reaches of the limit.
const OF_LIMIT: f64 = 0.95;

/// How a row stands against its best peer, or against the limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Standing {
    pub(crate) against: &'static str,
    pub(crate) ratio: Ratio,
    bar: f64,
}

impl Standing {
    /// Returns how a row stands against the best peer: the one with the lowest ratio. Another way of
    /// procession is no peer.
    pub(crate) fn of_best_peer(row: &Row, outcome: &Outcome) -> Option<Self> {
        let peers = row.peers.iter().filter(|name| !name.starts_with(OURS));
        let ratios = peers.filter_map(|name| Some((*name, outcome.ratio(row.better, name)?)));
        let (against, ratio) = ratios.min_by(|a, b| a.1.median.total_cmp(&b.1.median))?;
        Some(Self { against, ratio, bar: OF_BEST_PEER })
    }

    /// Returns how a row stands against the limit.
    pub(crate) fn of_limit(row: &Row, outcome: &Outcome) -> Option<Self> {
        let ratio = outcome.ratio(row.better, LIMIT)?;
        Some(Self { against: LIMIT, ratio, bar: OF_LIMIT })
    }

    /// Returns whether the interval reaches its bar, in a word.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.ratio.reaches(self.bar) {
            Some(true) => "reached",
            Some(false) => "short",
            None => "too few rounds",
        }
    }
}

/// Prints how each row stands.
pub(crate) fn print(outcomes: &[(&Row, Outcome)]) {
    println!("\nintervals of the ratios to the best peer and to the limit");
    for (row, outcome) in outcomes {
        let both = [Standing::of_best_peer(row, outcome), Standing::of_limit(row, outcome)];
        for standing in both.into_iter().flatten() {
            let Standing { against, ratio, bar } = standing;
            let (id, ratio, verdict) = (row.id, ratio.to_string(), standing.verdict());
            println!("  {id:<23} {against:<20} {ratio:<26} of {bar:<4}  {verdict}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::with_id;

    #[test]
    fn the_best_peer_is_the_one_against_which_we_look_worst() {
        let row = with_id("spawn-18k").unwrap();
        let rounds = |value| Ok(vec![value; 6]);
        let outcome = Outcome(vec![
            (OURS, rounds(100.0)),
            (LIMIT, rounds(94.0)),
            ("procession (late mailbox)", rounds(10.0)),
            ("tokio", rounds(110.0)),
            ("std", rounds(99.0)),
            ("duct", Err("not installed".to_owned())),
        ]);
        let best = Standing::of_best_peer(row, &outcome).unwrap();
        assert_eq!((best.against, best.verdict()), ("std", "short"));
        let limit = Standing::of_limit(row, &outcome).unwrap();
        assert_eq!((limit.against, limit.verdict()), (LIMIT, "short"));
        let few = Outcome(vec![(OURS, Ok(vec![1.0; 5])), (LIMIT, Ok(vec![2.0; 5]))]);
        assert_eq!(Standing::of_best_peer(row, &few), None);
        assert_eq!(Standing::of_limit(row, &few).unwrap().verdict(), "too few rounds");
    }
}

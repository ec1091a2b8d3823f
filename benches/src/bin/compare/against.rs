//! `--against`: the same rows with another build of this program, to prove what a change does.
//!
//! Only procession takes part, once in each build. The rounds of the two are interleaved, and each
//! build begins every second round. Every run starts new processes, because the places of code and
//! memory differ between the starts of a program.

use std::path::Path;

use anyhow::Result;

use crate::external::External;
use crate::measure::{self, OURS};
use crate::ratio::Ratio;
use crate::rows::Row;
use crate::table::short;

/// The name of the other build.
const OTHER: &str = "other build";
/// How often the processes are started, if the command line does not say it.
const RUNS: usize = 5;

/// Measures rows with this build and with the one at `other`, and prints how many times better this
/// one is.
pub(crate) fn run<'a>(
    other: &Path,
    rows: impl Iterator<Item = &'a Row>,
    quick: bool,
    runs: Option<usize>,
    programs: &Path,
) -> Result<()> {
    let external = External::build(OTHER, other);
    println!("times better than {}", other.display());
    for row in rows {
        let size = row.size(quick);
        let row = Row { limit: None, peers: &[OTHER], ..*row };
        let measured = || measure::rounds(&row, size, programs, &external).of(&row);
        let mut pooled = measured();
        let ratio = |outcome: &measure::Outcome| outcome.ratio(row.better, OTHER);
        let mut medians: Vec<f64> = ratio(&pooled).iter().map(|ratio| ratio.median).collect();
        for _ in 1..runs.unwrap_or(RUNS) {
            let outcome = measured();
            medians.extend(ratio(&outcome).map(|ratio| ratio.median));
            pooled.add(outcome);
        }
        let median = |name: &str| pooled.figures(name).map(|figures| short(figures.median));
        let (ours, others, ratio) = (median(OURS), median(OTHER), ratio(&pooled));
        if let (Some(ours), Some(others), Some(ratio)) = (ours, others, ratio) {
            let (id, unit, verdict) = (row.id, row.unit, verdict(&ratio));
            let runs: Vec<String> = medians.iter().map(|median| format!("{median:.3}")).collect();
            println!("{id}: {ratio:.3}  {verdict}; {ours} {unit}, other build {others}");
            println!("  median of each run: {}", runs.join(" "));
        } else {
            println!("{}: no ratio", row.id);
            pooled.absent().for_each(|(name, why)| println!("  {name} is absent: {why}"));
        }
    }
    Ok(())
}

fn verdict(ratio: &Ratio) -> &'static str {
    match ratio.interval {
        Some((low, _)) if low > 1.0 => "better",
        Some((_, high)) if high < 1.0 => "worse",
        Some(_) => "no difference seen",
        None => "too few rounds",
    }
}

//! `table.md`: the figures as a Markdown table, with a line for each row.

use crate::measure::{LIMIT, OURS, Outcome};
use crate::rows::Row;
use crate::table::short;

/// The contenders that are not Rust libraries.
const NO_RUST_PEER: [&str; 6] =
    ["procession (late mailbox)", "procession (async)", "xargs -P2", "Twisted", "asyncio", "Node"];

/// The head of the table.
pub(crate) const HEAD: &str = "\
| row | unit | procession (10 to 90 %) | limit | of the limit | best Rust peer | times better | the others, times better |
|---|---|---|---|---|---|---|---|
";

/// Returns the line of a row, or `None` if procession has no figure.
pub(crate) fn line(row: &Row, outcome: &Outcome) -> Option<String> {
    let ours = outcome.figures(OURS)?;
    let times = |name: &str| row.better.times(ours.median, outcome.figures(name)?.median);
    let ratio =
        |name: &str| times(name).map_or_else(|| "-".to_owned(), |times| format!("{times:.2}"));
    let measured = || row.peers.iter().copied().filter(|name| outcome.figures(name).is_some());
    let rust = measured().filter(|name| !NO_RUST_PEER.contains(name));
    // The peer against which procession looks worst.
    let best = rust.min_by(|a, b| times(a).unwrap_or(1.0).total_cmp(&times(b).unwrap_or(1.0)));
    let others: Vec<_> = measured()
        .filter(|name| Some(*name) != best)
        .map(|name| format!("{name} {}", ratio(name)))
        .collect();
    let best_figure = best.and_then(|name| Some((name, outcome.figures(name)?.median)));
    Some(format!(
        "| `{}` | {} | {} ({} to {}) | {} | {} | {} | {} | {} |\n",
        row.id,
        row.unit,
        short(ours.median),
        short(ours.p10),
        short(ours.p90),
        outcome.figures(LIMIT).map_or_else(|| "-".to_owned(), |limit| short(limit.median)),
        ratio(LIMIT),
        best_figure
            .map_or_else(|| "-".to_owned(), |(name, median)| format!("{name} {}", short(median))),
        best.map_or_else(|| "-".to_owned(), ratio),
        others.join(", "),
    ))
}

#[cfg(test)]
mod tests {
    use super::line;
    use crate::figures::Figures;
    use crate::measure::{LIMIT, OURS, Outcome};
    use crate::rows::ROWS;

    fn figures(median: f64) -> Result<Figures, String> {
        Ok(Figures { median, p10: median / 2.0, p90: median * 2.0 })
    }

    #[test]
    fn the_best_peer_is_the_one_against_which_we_look_worst() {
        let spawn = ROWS.iter().find(|row| row.id == "spawn").unwrap();
        let outcome = Outcome(vec![
            (OURS, figures(100.0)),
            (LIMIT, figures(90.0)),
            ("tokio", figures(110.0)),
            ("std", figures(95.0)),
            ("Node", figures(10.0)),
            ("duct", Err("not installed".to_owned())),
        ]);
        let expected = "| `spawn` | µs | 100.0 (50.00 to 200.0) | 90.00 | 0.90 | std 95.00 | 0.95 | \
                        tokio 1.10, Node 0.10 |\n";
        assert_eq!(line(spawn, &outcome).as_deref(), Some(expected));
        assert_eq!(line(spawn, &Outcome(Vec::new())), None);
    }
}

//! `table.md`: the figures as a Markdown table, with a line for each row.

use crate::measure::{LIMIT, OURS, Outcome};
use crate::rows::Row;
use crate::standing::Standing;
use crate::table::short;

/// The head of the table.
pub(crate) const HEAD: &str = "\
| row | unit | procession (10 to 90 %) | limit | of the limit | | best peer | times better | | the others, times better |
|---|---|---|---|---|---|---|---|---|---|
";

/// Returns the line of a row, or `None` if procession has no figure.
pub(crate) fn line(row: &Row, outcome: &Outcome) -> Option<String> {
    let ours = outcome.figures(OURS)?;
    let best = Standing::of_best_peer(row, outcome);
    let others = row.peers.iter().filter(|name| best.is_none_or(|best| best.against != **name));
    let others = others.filter_map(|name| {
        let ratio = outcome.ratio(row.better, name);
        let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| ratio.to_string());
        outcome.figures(name).map(|_| format!("{name} {ratio}"))
    });
    Some(format!(
        "| `{}` | {} | {} ({} to {}) | {} | {} | {} |\n",
        row.id,
        row.unit,
        short(ours.median),
        short(ours.p10),
        short(ours.p90),
        cells(Standing::of_limit(row, outcome), outcome),
        cells(best, outcome),
        others.collect::<Vec<_>>().join(", "),
    ))
}

/// Returns the cells of the limit or of the best peer: its figure, the ratio, and the verdict.
fn cells(standing: Option<Standing>, outcome: &Outcome) -> String {
    let Some(standing) = standing else { return "- | - | ".to_owned() };
    let Standing { against, ratio, .. } = standing;
    let name = if against == LIMIT { String::new() } else { format!("{against} ") };
    let figure = outcome.figures(against).map_or_else(String::new, |all| short(all.median));
    format!("{name}{figure} | {ratio} | {}", standing.verdict())
}

#[cfg(test)]
mod tests {
    use super::line;
    use crate::measure::{LIMIT, OURS, Outcome};
    use crate::rows::with_id;

    fn rounds(value: f64) -> Result<Vec<f64>, String> {
        Ok(vec![value; 6])
    }

    #[test]
    fn a_line_has_the_interval_of_each_ratio_and_a_verdict() {
        let spawn = with_id("spawn").unwrap();
        let outcome = Outcome(vec![
            (OURS, rounds(100.0)),
            (LIMIT, rounds(96.0)),
            ("tokio", rounds(110.0)),
            ("std", rounds(95.0)),
            ("Node", rounds(300.0)),
            ("duct", Err("not installed".to_owned())),
        ]);
        let expected = "| `spawn` | µs | 100.0 (100.0 to 100.0) | 96.00 | 0.96 (0.96 to 0.96) | reached \
                        | std 95.00 | 0.95 (0.95 to 0.95) | short | tokio 1.10 (1.10 to 1.10), \
                        Node 3.00 (3.00 to 3.00) |\n";
        assert_eq!(line(spawn, &outcome).as_deref(), Some(expected));
        assert_eq!(line(spawn, &Outcome(Vec::new())), None);
    }
}

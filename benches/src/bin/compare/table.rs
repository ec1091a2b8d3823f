//! The figures for people.

use crate::figures::Better;
use crate::measure::{LIMIT, OURS, Outcome};
use crate::report::Report;
use crate::rows::Row;

/// A bar of exactly 1.0 is met by this, because medians of the same thing differ.
const EVEN: f64 = 0.95;

/// Prints a row: a line for each contender.
pub(crate) fn print(row: &Row, outcome: &Outcome) {
    let better = match row.better {
        Better::Less => "less is better",
        Better::More => "more is better",
    };
    println!("\n{}: {} ({}, {better})", row.id, row.what, row.unit);
    let ours = outcome.figures(OURS);
    for (name, figures) in &outcome.0 {
        let name = if *name == LIMIT { row.limit.unwrap_or(LIMIT) } else { name };
        let figures = match figures {
            Ok(figures) => figures,
            Err(reason) => {
                println!("  {name:<42} absent: {reason}");
                continue;
            }
        };
        let times = ours.and_then(|ours| row.better.times(ours.median, figures.median));
        let times = times.map_or_else(String::new, |times| format!("{times:>9.2} times better"));
        let times = if name == OURS { "" } else { &times };
        let [median, p10, p90] = [figures.median, figures.p10, figures.p90].map(short);
        println!("  {name:<42} {median:>10}  ({p10} to {p90}) {times}");
    }
}

/// Prints which goals are met.
pub(crate) fn print_summary(report: &Report) {
    println!("\ngoals");
    for goal in &report.goals {
        let wanted = if goal.wanted > 0.999 && goal.wanted < 1.001 { EVEN } else { goal.wanted };
        let verdict = match goal.reached {
            None => "absent",
            Some(reached) if reached >= wanted => "met",
            Some(_) => "SHORT",
        };
        let reached = goal.reached.map_or_else(|| "-".to_owned(), |times| format!("{times:.2}"));
        let (row, against) = (goal.row, goal.against);
        println!("  {row:<18} {against:<14} {:>6} wanted {reached:>8}  {verdict}", goal.wanted);
    }
}

/// Four digits or so.
pub(crate) fn short(value: f64) -> String {
    let decimals = match value {
        value if value >= 1000.0 => 0,
        value if value >= 100.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

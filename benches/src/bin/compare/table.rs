//! The figures for people.

use std::collections::BTreeSet;

use crate::figures::{Better, Figures};
use crate::measure::{LIMIT, OURS, Outcome};
use crate::report::{Goal, GoalLimit};
use crate::rows::{Row, grouped};

/// Prints a row: a line for each contender.
pub(crate) fn print(row: &Row, what: &str, outcome: &Outcome) {
    let better = match row.better {
        Better::Less => "less is better",
        Better::More => "more is better",
    };
    println!("\n{}: {what} ({}, {better})", row.id, row.unit);
    for (name, rounds) in &outcome.0 {
        let shown = if *name == LIMIT { row.limit.unwrap_or(LIMIT) } else { name };
        let Some(Figures { median, p10, p90 }) = outcome.figures(name) else {
            println!("  {shown:<42} absent: {}", rounds.as_ref().err().map_or("", String::as_str));
            continue;
        };
        let ratio = outcome.ratio(row.better, name).filter(|_| *name != OURS);
        let times = ratio.map_or_else(String::new, |ratio| format!("{ratio} times better"));
        let [median, p10, p90] = [median, p10, p90].map(short);
        println!("  {shown:<42} {median:>10}  {:<22} {times}", format!("({p10} to {p90})"));
    }
}

/// Prints a line for each goal. If there were several runs, it has the median, the least and the
/// greatest of its figures.
pub(crate) fn print_goals(goals: &[Goal]) {
    println!("\ngoals");
    medians(goals).iter().for_each(|line| println!("{line}"));
}

fn medians(goals: &[Goal]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let firsts = goals.iter().filter(|goal| seen.insert((goal.row, goal.against)));
    let line = |first: &Goal| {
        let same = goals.iter().filter(|g| (g.row, g.against) == (first.row, first.against));
        let reached: Vec<f64> = same.filter_map(|goal| goal.reached).collect();
        let median = Figures::of(&reached).map(|figures| figures.median);
        let least = reached.iter().copied().reduce(f64::min);
        let spread = least.zip(reached.iter().copied().reduce(f64::max));
        let spread = spread.filter(|_| reached.len() > 1);
        let spread = spread.map(|(least, most)| format!(" ({least:.2} to {most:.2})"));
        line(&Goal { reached: median, ..*first }) + &spread.unwrap_or_default()
    };
    firsts.map(line).collect()
}

/// Returns the line of a goal.
fn line(goal: &Goal) -> String {
    let (bar, word, is_met) = match goal.bar {
        GoalLimit::Wanted(bar) => (bar, "wanted", goal.reached.map(|times| times >= bar)),
        GoalLimit::Allowed(bar) => (bar, "allowed", goal.reached.map(|figure| figure <= bar)),
    };
    let verdict = match is_met {
        None => "absent",
        Some(true) => "met",
        Some(false) => "SHORT",
    };
    let reached = goal.reached.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.2}"));
    let (row, against) = (goal.row, goal.against);
    format!("  {row:<18} {against:<14} {bar:>6} {word:<7} {reached:>8}  {verdict}")
}

/// Formats a value with about four digits, or with all before the point.
pub(crate) fn short(value: f64) -> String {
    let decimals = match value {
        value if value >= 1000.0 => 0,
        value if value >= 100.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    if decimals == 0 { grouped(&text) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(bar: GoalLimit, reached: Option<f64>) -> String {
        let line = line(&Goal { row: "idle", against: "/s", bar, reached });
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_goal_is_judged_by_the_median_of_the_runs() {
        let goal =
            |against, reached| Goal { row: "spawn", against, bar: GoalLimit::Wanted(1.2), reached };
        let goals = [
            goal("tokio", Some(1.0)),
            goal("Node", None),
            goal("tokio", Some(1.3)),
            goal("Node", None),
        ];
        let lines = medians(&goals);
        assert!(lines[0].contains(" 1.15  SHORT (1.00 to 1.30)"), "{lines:?}");
        assert!(lines[1].ends_with(" -  absent"), "{lines:?}");
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_ratio_is_wanted_and_a_figure_is_allowed() {
        assert_eq!(words(GoalLimit::Wanted(1.05), Some(1.04)), "idle /s 1.05 wanted 1.04 SHORT");
        assert_eq!(words(GoalLimit::Allowed(0.0), Some(0.0)), "idle /s 0 allowed 0.00 met");
        assert_eq!(words(GoalLimit::Allowed(0.0), Some(0.2)), "idle /s 0 allowed 0.20 SHORT");
        assert_eq!(words(GoalLimit::Allowed(0.0), None), "idle /s 0 allowed - absent");
    }
}

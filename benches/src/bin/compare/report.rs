//! `report.json`: the figures for machines.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::figures::Figures;
use crate::measure::{LIMIT, OURS, Outcome};
use crate::rows::Row;
use crate::standing::Standing;

/// The report, which grows row by row.
#[derive(Debug)]
pub(crate) struct Report {
    machine: Value,
    rows: Vec<Value>,
    /// Procession's median of each row so far, if it has one.
    medians: BTreeMap<&'static str, Option<f64>>,
    /// One entry for each goal, with whether it is met.
    pub(crate) goals: Vec<Goal>,
}

/// A goal, and the figure that was reached.
#[derive(Debug)]
pub(crate) struct Goal {
    pub(crate) row: &'static str,
    pub(crate) against: &'static str,
    pub(crate) bar: GoalLimit,
    pub(crate) reached: Option<f64>,
}

/// What a figure is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum GoalLimit {
    /// At least this many times better.
    Wanted(f64),
    /// At most this much.
    Allowed(f64),
}

impl Report {
    pub(crate) fn new(machine: Value) -> Self {
        Self { machine, rows: Vec::new(), medians: BTreeMap::new(), goals: Vec::new() }
    }

    /// Adds a row, if procession has a figure there.
    pub(crate) fn add(&mut self, row: &Row, what: &str, outcome: &Outcome) {
        let ours = outcome.figures(OURS);
        self.goals.extend(row.goals.iter().map(|(against, wanted)| {
            let reached = outcome.ratio(row.better, against).map(|ratio| ratio.median);
            Goal { row: row.id, against, bar: GoalLimit::Wanted(*wanted), reached }
        }));
        self.add_allowed(row, ours.map(|ours| ours.median));
        let Some(ours) = ours else { return };
        let peers = row
            .peers
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), beside(row, outcome, name)?)));
        let limit = row.limit.and_then(|what| {
            let mut limit = beside(row, outcome, LIMIT)?;
            limit["name"] = json!(what);
            Some(limit)
        });
        let absent = outcome.absent().map(|(name, reason)| (name.to_owned(), json!(reason)));
        let standing = |standing: Option<Standing>| {
            standing.map(|standing| json!([standing.against, standing.verdict()]))
        };
        self.rows.push(json!({
            "id": row.id,
            "what": what,
            "unit": row.unit,
            "ours": object(ours),
            "limit": limit,
            "peers": peers.collect::<Map<_, _>>(),
            "best_peer": standing(Standing::of_best_peer(row, outcome)),
            "of_limit": standing(Standing::of_limit(row, outcome)),
            "absent": absent.collect::<Map<_, _>>(),
        }));
    }

    /// Adds what procession's own figure is compared with: a limit, and the figure of another row
    /// if that was run.
    fn add_allowed(&mut self, row: &Row, ours: Option<f64>) {
        self.medians.insert(row.id, ours);
        let goal = |against, bar, reached| Goal { row: row.id, against, bar, reached };
        let bound = row.allowed.map(|most| goal(row.unit, GoalLimit::Allowed(most), ours));
        let of_row = row.allowed_of_row.and_then(|(other, most)| {
            let ratio = self.medians.get(other)?.zip(ours).map(|(other, ours)| ours / other);
            Some(goal(other, GoalLimit::Allowed(most), ratio))
        });
        self.goals.extend(bound.into_iter().chain(of_row));
    }

    /// Writes the file.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let report = json!({ "machine": self.machine, "rows": self.rows });
        Ok(fs::write(file, serde_json::to_string_pretty(&report)? + "\n")?)
    }
}

/// Returns the figures of a contender, and how many times better procession is, with the interval.
fn beside(row: &Row, outcome: &Outcome, name: &str) -> Option<Value> {
    let mut figures = object(outcome.figures(name)?);
    let ratio = outcome.ratio(row.better, name);
    figures["times_better"] = json!(ratio.map(|ratio| ratio.median));
    figures["interval"] = json!(ratio.and_then(|ratio| ratio.interval));
    Some(figures)
}

fn object(figures: Figures) -> Value {
    let Figures { median, p10, p90 } = figures;
    json!({ "median": median, "p10": p10, "p90": p90 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::with_id;

    fn add(report: &mut Report, id: &str, all: Vec<(&'static str, Result<f64, String>)>) {
        let row = with_id(id).unwrap();
        let all =
            all.into_iter().map(|(name, figure)| (name, figure.map(|figure| vec![figure; 6])));
        report.add(row, row.what, &Outcome(all.collect()));
    }

    fn goal(report: &Report, row: &str, against: &str) -> Option<(GoalLimit, Option<f64>)> {
        let found = report.goals.iter().find(|goal| goal.row == row && goal.against == against);
        found.map(|goal| (goal.bar, goal.reached))
    }

    #[test]
    fn an_absent_peer_is_named_with_its_reason() {
        let mut report = Report::new(json!({}));
        let node = Err("node is not installed".to_owned());
        add(&mut report, "spawn", vec![(OURS, Ok(1.0)), ("tokio", Ok(2.0)), ("Node", node)]);
        let row = &report.rows[0];
        assert_eq!(row["absent"], json!({ "Node": "node is not installed" }));
        let tokio = json!({
            "median": 2.0, "p10": 2.0, "p90": 2.0, "times_better": 2.0, "interval": [2.0, 2.0],
        });
        assert_eq!(row["peers"], json!({ "tokio": tokio }));
        assert_eq!(row["best_peer"], json!(["tokio", "reached"]));
    }

    #[test]
    fn our_own_figures_are_held_against_their_bounds() {
        let mut report = Report::new(json!({}));
        add(&mut report, "memory-per-child", vec![(OURS, Ok(1500.0))]);
        add(&mut report, "idle", vec![(OURS, Ok(0.0))]);
        let memory = goal(&report, "memory-per-child", "bytes");
        assert_eq!(memory, Some((GoalLimit::Allowed(2048.0), Some(1500.0))));
        assert_eq!(goal(&report, "idle", "/s"), Some((GoalLimit::Allowed(0.0), Some(0.0))));
    }

    #[test]
    fn an_echo_beside_a_crowd_is_held_against_one_alone_where_both_were_run() {
        let mut report = Report::new(json!({}));
        add(&mut report, "echo-5k", vec![(OURS, Ok(6.0))]);
        assert_eq!(goal(&report, "echo-5k", "echo"), None);
        add(&mut report, "echo", vec![(OURS, Ok(5.0))]);
        add(&mut report, "echo-5k", vec![(OURS, Ok(6.0))]);
        assert_eq!(goal(&report, "echo-5k", "echo"), Some((GoalLimit::Allowed(1.15), Some(1.2))));
    }
}

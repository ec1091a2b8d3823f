//! `report.json`: the figures for machines.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::figures::Figures;
use crate::measure::{LIMIT, OURS, Outcome};
use crate::rows::Row;

/// The report as it grows.
#[derive(Debug)]
pub(crate) struct Report {
    machine: Value,
    rows: Vec<Value>,
    /// A line for each goal: whether it is met.
    pub(crate) goals: Vec<Goal>,
}

/// What was aimed at, and what came of it.
#[derive(Debug)]
pub(crate) struct Goal {
    pub(crate) row: &'static str,
    pub(crate) against: &'static str,
    pub(crate) wanted: f64,
    pub(crate) reached: Option<f64>,
}

impl Report {
    pub(crate) fn new(machine: Value) -> Self {
        Self { machine, rows: Vec::new(), goals: Vec::new() }
    }

    /// Adds a row, if we have a figure there.
    pub(crate) fn add(&mut self, row: &Row, outcome: &Outcome) {
        let ours = outcome.figures(OURS);
        let times = |name: &str| {
            let other = outcome.figures(name)?;
            row.better.times(ours?.median, other.median)
        };
        self.goals.extend(row.goals.iter().map(|(against, wanted)| Goal {
            row: row.id,
            against,
            wanted: *wanted,
            reached: times(against),
        }));
        self.goals.extend(row.goal_of_limit.map(|wanted| Goal {
            row: row.id,
            against: LIMIT,
            wanted,
            reached: times(LIMIT),
        }));
        let Some(ours) = ours else { return };
        let peers = row.peers.iter().filter_map(|name| {
            let mut peer = object(outcome.figures(name)?);
            peer.insert("times_better".to_owned(), json!(times(name)));
            Some(((*name).to_owned(), Value::Object(peer)))
        });
        let limit = row.limit.zip(outcome.figures(LIMIT));
        self.rows.push(json!({
            "id": row.id,
            "what": row.what,
            "unit": row.unit,
            "ours": object(ours),
            "limit": limit.map(|(name, limit)| json!({ "name": name, "median": limit.median })),
            "peers": peers.collect::<Map<_, _>>(),
            "of_limit": times(LIMIT),
        }));
    }

    /// Writes the file.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let report = json!({ "machine": self.machine, "rows": self.rows });
        Ok(fs::write(file, serde_json::to_string_pretty(&report)? + "\n")?)
    }
}

fn object(figures: Figures) -> Map<String, Value> {
    let Figures { median, p10, p90 } = figures;
    let pairs = [("median", median), ("p10", p10), ("p90", p90)];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

//! How costs grow: plots over resident memory, open descriptors, living children and bytes.

use std::path::Path;

use anyhow::{Context, Result};
use procession_benches::clock::float;

use crate::chart::{self, Captions, Line};
use crate::external::External;
use crate::measure::{self, LIMIT, OURS};
use crate::rows::{self, Drive, Row, Size};

struct Plot {
    /// Rows with the same unit, which the same processes measure.
    rows: &'static [&'static str],
    file: &'static str,
    title: &'static str,
    x: &'static str,
    steps: &'static [u64],
    /// Converts a step, which is the row's crowd or the bytes, to a size.
    size: fn(u64) -> Size,
    /// The contenders, beside procession and the limit.
    who: &'static [&'static str],
}

const PLOTS: &[Plot] = &[
    Plot {
        rows: &["spawn-1g"],
        file: "growth-memory.svg",
        title: "A spawn over resident memory: fd map, new session, pages of 4 KiB",
        x: "MiB resident",
        steps: &[0, 128, 256, 512, 1024],
        size: |step| Size { rounds: 5, count: 4, crowd: step },
        who: &["tokio", "command-fds", "portable-pty"],
    },
    Plot {
        rows: &["spawn-18k"],
        file: "growth-descriptors.svg",
        title: "A spawn over open descriptors",
        x: "descriptors open",
        steps: &[0, 1_000, 2_000, 5_000, 10_000, 18_000],
        size: |step| Size { rounds: 9, count: 30, crowd: step },
        who: &["procession (late mailbox)", "tokio", "std"],
    },
    Plot {
        rows: &["spawn-5k"],
        file: "growth-children.svg",
        title: "A spawn over live children",
        x: "children alive",
        steps: &[0, 500, 1_000, 2_000, 5_000],
        size: |step| Size { rounds: 9, count: 30, crowd: step },
        who: &["tokio", "std"],
    },
    Plot {
        rows: &["bulk-out-128k"],
        file: "growth-bytes.svg",
        title: "Reading what a child writes, spawn included, over the bytes that it writes",
        x: "MiB written",
        steps: &[1, 4, 16, 64, 256, 1024],
        size: |step| Size { rounds: 7, count: step << 20, crowd: 0 },
        who: &["tokio", "std"],
    },
    Plot {
        rows: &["crowd-spawn-1k", "crowd-echo-1k", "crowd-end-1k"],
        file: "growth-crowd.svg",
        title: "Each child of a crowd, over its size: two pipes, one processor",
        x: "children",
        steps: CROWDS,
        size: |step| Size { rounds: 3, count: 0, crowd: step },
        who: &["tokio"],
    },
    Plot {
        rows: &["crowd-memory-1k"],
        file: "growth-crowd-memory.svg",
        title: "Resident memory of the parent for each child of a crowd, over its size",
        x: "children",
        steps: CROWDS,
        size: |step| Size { rounds: 1, count: 0, crowd: step },
        who: &["tokio"],
    },
];

/// The sizes of crowds. A machine measures those that its limits allow.
const CROWDS: &[u64] = &[1_000, 2_000, 4_000, 6_000, 10_000, 20_000, 30_000];

/// Measures and draws all plots.
pub(crate) fn run(folder: &Path, programs: &Path) -> Result<()> {
    // No peer in another language takes part.
    let external = External::default();
    for plot in PLOTS {
        let rows: Option<Vec<&Row>> = plot.rows.iter().map(|id| rows::with_id(id)).collect();
        let rows = rows.filter(|rows| !rows.is_empty()).context("no such row")?;
        let unit = rows[0].unit;
        let mut lines: Vec<Line> = Vec::new();
        for step in plot.steps {
            let measured = Row { peers: plot.who, ..*rows[0] };
            let rounds = measure::rounds(&measured, (plot.size)(*step), programs, &external);
            for row in &rows {
                let outcome = rounds.of(row);
                for name in [OURS, LIMIT].iter().chain(plot.who) {
                    let Some(figures) = outcome.figures(name) else { continue };
                    println!("{} {step} {name} {:.3} {unit}", row.id, figures.median);
                    let point = (float(*step), figures.median);
                    let line = plot.line(row, name);
                    match lines.iter_mut().find(|(other, _)| *other == line) {
                        Some((_, points)) => points.push(point),
                        None => lines.push((line, vec![point])),
                    }
                }
            }
        }
        let captions = Captions { title: plot.title, x: plot.x, y: unit };
        chart::lines(&folder.join(plot.file), &captions, &lines)?;
    }
    Ok(())
}

impl Plot {
    /// Returns the name of a line.
    fn line(&self, row: &Row, contender: &str) -> String {
        match row.drive {
            Drive::Crowd(act) if self.rows.len() > 1 => format!("{contender}, {}", act.noun()),
            _ => contender.to_owned(),
        }
    }
}

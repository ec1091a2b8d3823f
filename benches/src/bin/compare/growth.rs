//! How costs grow: one plot each over resident memory, open descriptors, living children and bytes.

use std::path::Path;

use anyhow::{Context, Result};
use procession_benches::clock::float;

use crate::chart::{self, Captions, Line};
use crate::external::External;
use crate::measure::{self, LIMIT, OURS};
use crate::rows::{ROWS, Row, Size};

struct Plot {
    row: &'static str,
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
        row: "spawn-1g",
        file: "growth-memory.svg",
        title: "A spawn over resident memory: fd map, new session, pages of 4 KiB",
        x: "MiB resident",
        steps: &[0, 128, 256, 512, 1024],
        size: |step| Size { rounds: 5, count: 4, crowd: step },
        who: &["tokio", "command-fds", "portable-pty"],
    },
    Plot {
        row: "spawn-18k",
        file: "growth-descriptors.svg",
        title: "A spawn over open descriptors",
        x: "descriptors open",
        steps: &[0, 1_000, 2_000, 5_000, 10_000, 18_000],
        size: |step| Size { rounds: 9, count: 30, crowd: step },
        who: &["procession (late mailbox)", "tokio", "std"],
    },
    Plot {
        row: "spawn-5k",
        file: "growth-children.svg",
        title: "A spawn over live children",
        x: "children alive",
        steps: &[0, 500, 1_000, 2_000, 5_000],
        size: |step| Size { rounds: 9, count: 30, crowd: step },
        who: &["tokio", "std"],
    },
    Plot {
        row: "bulk-out-128k",
        file: "growth-bytes.svg",
        title: "Reading what a child writes, spawn included, over the bytes that it writes",
        x: "MiB written",
        steps: &[1, 4, 16, 64, 256, 1024],
        size: |step| Size { rounds: 7, count: step << 20, crowd: 0 },
        who: &["tokio", "std"],
    },
];

/// Measures and draws all plots.
pub(crate) fn run(folder: &Path, programs: &Path, external: &External) -> Result<()> {
    for plot in PLOTS {
        let row = ROWS.iter().find(|row| row.id == plot.row).context("no such row")?;
        let row = Row { peers: plot.who, ..*row };
        let mut lines: Vec<Line> = Vec::new();
        for step in plot.steps {
            let outcome = measure::row(&row, (plot.size)(*step), programs, external);
            for name in [OURS, LIMIT].iter().chain(plot.who) {
                let Some(figures) = outcome.figures(name) else { continue };
                println!("{} {step} {name} {:.3} {}", plot.row, figures.median, row.unit);
                let point = (float(*step), figures.median);
                match lines.iter_mut().find(|(other, _)| other == name) {
                    Some((_, points)) => points.push(point),
                    None => lines.push(((*name).to_owned(), vec![point])),
                }
            }
        }
        let captions = Captions { title: plot.title, x: plot.x, y: row.unit };
        chart::lines(&folder.join(plot.file), &captions, &lines)?;
    }
    Ok(())
}

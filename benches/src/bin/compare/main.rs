//! Measures procession against its peers and against the limit, row by row.
//!
//!     compare [--quick] [--only ID].. [--runs N] [--growth | --against PROGRAM]
//!     compare contend NAME ROW PROGRAMS COUNT CROWD
//!
//! Every contender of a row is a separate process (the Rust ones use the second form). It prepares
//! itself, and then waits for requests for rounds. The rounds of all contenders are interleaved, so
//! that other work of the machine affects all of them alike. `--runs` does all of this N times, and at
//! the end judges each goal by the median of its figures, and each row by the rounds of all runs.
//! `--against` measures procession alone, in this build and in another one.

mod against;
#[cfg(feature = "peers")]
mod chart;
mod contend;
mod external;
mod figures;
#[cfg(feature = "peers")]
mod growth;
mod machine;
mod markdown;
mod measure;
mod ratio;
mod report;
mod rows;
mod standing;
mod table;
mod turn;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use procession_benches::programs;

use crate::external::External;
use crate::measure::Outcome;
use crate::report::Report;
use crate::rows::Row;

/// The options of the command line.
#[derive(Debug, Default)]
struct Options {
    quick: bool,
    growth: bool,
    only: Vec<String>,
    runs: Option<usize>,
    against: Option<PathBuf>,
}

impl Options {
    /// Returns the rows that are wanted.
    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        rows::all().filter(|row| self.only.is_empty() || self.only.iter().any(|id| id == row.id))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((first, rest)) if first == "contend" => contend::run(rest),
        _ => options(&arguments).and_then(|options| compare(&options)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn options(arguments: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match (argument.as_str(), rest.as_slice().first()) {
            ("--quick", _) => options.quick = true,
            ("--growth", _) => options.growth = true,
            ("--only", Some(id)) if rows::with_id(id).is_some() => {
                options.only.push(id.clone());
                rest.next();
            }
            ("--runs", Some(runs)) => {
                options.runs = Some(runs.parse()?);
                rest.next();
            }
            ("--against", Some(program)) => {
                options.against = Some(program.into());
                rest.next();
            }
            _ => bail!(
                "usage: compare [--quick] [--only ID].. [--runs N] [--growth | --against PROGRAM]\n\
                 rows: {}",
                rows::all().map(|row| row.id).collect::<Vec<_>>().join(" ")
            ),
        }
    }
    Ok(options)
}

fn compare(options: &Options) -> Result<()> {
    machine::raise_descriptor_limit();
    let programs = programs::build()?;
    if let Some(other) = &options.against {
        return against::run(other, options.rows(), options.quick, options.runs, &programs);
    }
    let folder = programs::target()?.join("compare");
    let external = external::find(&folder, options.quick);
    if options.growth {
        #[cfg(feature = "peers")]
        return growth::run(&folder, &programs, &external);
        #[cfg(not(feature = "peers"))]
        bail!("the plots need the feature `peers`");
    }
    let runs = options.runs.unwrap_or(1);
    let mut goals = Vec::new();
    let mut pooled: Vec<(&Row, Outcome)> = Vec::new();
    for number in 1..=runs {
        println!("run {number} of {runs}");
        let (report, outcomes) = run(options, &folder, &programs, &external)?;
        goals.extend(report.goals);
        if pooled.is_empty() {
            pooled = outcomes;
        } else {
            pooled.iter_mut().zip(outcomes).for_each(|((_, all), (_, outcome))| all.add(outcome));
        }
    }
    if runs > 1 {
        table::print_medians(&goals);
        standing::print(&pooled);
    }
    Ok(())
}

/// Measures the rows that are wanted, once, and prints and writes the outcome.
fn run(
    options: &Options,
    folder: &Path,
    programs: &Path,
    external: &External,
) -> Result<(Report, Vec<(&'static Row, Outcome)>)> {
    let mut report = Report::new(machine::describe()?);
    let mut page = markdown::HEAD.to_owned();
    let mut outcomes = Vec::new();
    let rows: Vec<&Row> = options.rows().collect();
    for group in rows.chunk_by(|row, other| row.shares_processes(other)) {
        let size = group[0].size(options.quick);
        let rounds = measure::rounds(group[0], size, programs, external);
        for row in group {
            let (what, outcome) = (row.what(size), rounds.of(row));
            table::print(row, &what, &outcome);
            #[cfg(feature = "peers")]
            chart::bars(&folder.join(format!("{}.svg", row.id)), row, &what, &outcome)?;
            page.extend(markdown::line(row, &outcome));
            report.add(row, &what, &outcome);
            outcomes.push((*row, outcome));
        }
    }
    let file = folder.join("report.json");
    report.write(&file)?;
    fs::write(folder.join("table.md"), page)?;
    table::print_summary(&report);
    standing::print(&outcomes);
    println!("written: {} and beside it table.md and a plot of each row", file.display());
    Ok((report, outcomes))
}

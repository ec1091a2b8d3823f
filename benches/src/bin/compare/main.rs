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
    if options.growth {
        #[cfg(feature = "peers")]
        return growth::run(&folder, &programs);
        #[cfg(not(feature = "peers"))]
        bail!("the plots need the feature `peers`");
    }
    let external = external::find(&folder, options.rows());
    let runs = options.runs.unwrap_or(1);
    let mut goals = Vec::new();
    let mut pooled: Vec<(&Row, Outcome)> = Vec::new();
    for number in 1..=runs {
        println!("run {number} of {runs}");
        let outcomes = run(options, &programs, &external);
        goals.extend(report(options, &outcomes)?.goals);
        if pooled.is_empty() {
            pooled = outcomes;
        } else {
            pooled.iter_mut().zip(outcomes).for_each(|((_, all), (_, outcome))| all.add(outcome));
        }
        write(options, &folder, &pooled)?;
    }
    table::print_goals(&goals);
    standing::print(&pooled);
    println!("written to {}: report.json, table.md and a plot of each row", folder.display());
    Ok(())
}

/// Measures the rows that are wanted, once, and prints each.
fn run(options: &Options, programs: &Path, external: &External) -> Vec<(&'static Row, Outcome)> {
    let rows: Vec<&Row> = options.rows().collect();
    let mut outcomes = Vec::new();
    for group in rows.chunk_by(|row, other| row.shares_processes(other)) {
        let size = group[0].size(options.quick);
        let rounds = measure::rounds(group[0], size, programs, external);
        for row in group {
            let outcome = rounds.of(row);
            table::print(row, &row.what(size), &outcome);
            outcomes.push((*row, outcome));
        }
    }
    outcomes
}

/// Returns the report of some outcomes.
fn report(options: &Options, outcomes: &[(&'static Row, Outcome)]) -> Result<Report> {
    let mut report = Report::new(machine::describe()?);
    for (row, outcome) in outcomes {
        report.add(row, &row.what(row.size(options.quick)), outcome);
    }
    Ok(report)
}

/// Writes the report, the table, and a plot of each row.
fn write(options: &Options, folder: &Path, outcomes: &[(&'static Row, Outcome)]) -> Result<()> {
    report(options, outcomes)?.write(&folder.join("report.json"))?;
    let lines = outcomes.iter().filter_map(|(row, outcome)| markdown::line(row, outcome));
    fs::write(folder.join("table.md"), markdown::HEAD.to_owned() + &lines.collect::<String>())?;
    #[cfg(feature = "peers")]
    for (row, outcome) in outcomes {
        let what = row.what(row.size(options.quick));
        chart::bars(&folder.join(format!("{}.svg", row.id)), row, &what, outcome)?;
    }
    Ok(())
}

//! The task `compare`: procession against its peers and against the limit, measured here.
//!
//! The measuring is done by the program `compare` of the benches package, as a release build; this
//! hands its options on. `--runs N` runs it as often and judges each goal by the median of its
//! figures. `docs/performance.md` says how to read what it prints.

use std::collections::BTreeMap;
use std::fmt;
use std::iter;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::arguments::Arguments;

/// Measures every row, or those that the command line names.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let mut arguments = Arguments::given();
    let runs = arguments.option::<usize>("--runs")?;
    let options: Vec<String> = iter::from_fn(|| arguments.word()).collect();
    let binary = ["--package", "procession-benches", "--bin", "compare"];
    let options = options.as_slice();
    let command = || cmd!(sh, "cargo run --quiet --release --locked {binary...} -- {options...}");
    let Some(runs) = runs else { return Ok(command().run()?) };
    let mut goals = Goals::default();
    for run in 1..=runs {
        println!("run {run} of {runs}");
        let output = command().read()?;
        println!("{output}");
        goals.add(&output);
    }
    print!("{}", goals.table());
    Ok(())
}

/// The figures of each goal, by its row and peer, in the order in which they were printed first.
#[derive(Default)]
struct Goals {
    order: Vec<String>,
    reached: BTreeMap<String, (Bar, Vec<f64>)>,
}

/// What a figure is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bar {
    /// A ratio that is wanted, at least.
    Wanted(f64),
    /// A figure that is allowed, at most.
    Allowed(f64),
}

impl Goals {
    /// Adds the goals that one run has printed.
    fn add(&mut self, output: &str) {
        let lines = output.lines().skip_while(|line| *line != "goals").skip(1);
        let lines = lines.take_while(|line| !line.starts_with("written:"));
        for (name, bar, reached) in lines.filter_map(goal) {
            if !self.reached.contains_key(&name) {
                self.order.push(name.clone());
            }
            self.reached.entry(name).or_insert((bar, Vec::new())).1.extend(reached);
        }
    }

    /// A line for each goal: the median of its figures, and the least and the greatest.
    fn table(&self) -> String {
        let mut table = String::from("\nmedians of the runs (least to greatest)\n");
        for name in &self.order {
            let Some((bar, figures)) = self.reached.get(name) else { continue };
            table += &format!("  {name:<34} {bar} {}\n", verdict(*bar, figures));
        }
        table
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wanted(bar) => write!(f, "{bar:>5} wanted"),
            Self::Allowed(bar) => write!(f, "{bar:>5} allowed"),
        }
    }
}

impl Bar {
    fn is_met(self, median: f64) -> bool {
        match self {
            // A bar of exactly 1 is met by what is level with it.
            Self::Wanted(1.0) => median >= 0.95,
            Self::Wanted(bar) => median >= bar,
            Self::Allowed(bar) => median <= bar,
        }
    }
}

fn verdict(bar: Bar, figures: &[f64]) -> String {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(least), Some(greatest)) = (sorted.first(), sorted.last()) else {
        return format!("{:>8}  absent", "-");
    };
    let half = sorted.len() / 2;
    let median = match sorted.len() % 2 {
        0 => f64::midpoint(sorted[half - 1], sorted[half]),
        _ => sorted[half],
    };
    let word = if bar.is_met(median) { "met" } else { "SHORT" };
    format!("{median:>8.2} ({least:.2} to {greatest:.2})  {word}")
}

/// Takes `row peer .. bar "wanted"|"allowed" figure word` apart; `-` is no figure.
fn goal(line: &str) -> Option<(String, Bar, Option<f64>)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| matches!(*word, "wanted" | "allowed"))?;
    let bar = words.get(at.checked_sub(1)?)?.parse().ok()?;
    let bar = if words[at] == "wanted" { Bar::Wanted(bar) } else { Bar::Allowed(bar) };
    let reached = match *words.get(at + 1)? {
        "-" => None,
        figure => Some(figure.parse().ok()?),
    };
    let (row, peer) = words[..at - 1].split_first()?;
    Some((format!("{row:<18} {}", peer.join(" ")), bar, reached))
}

#[cfg(test)]
mod tests {
    use super::Goals;

    /// The line of the table that begins so.
    fn line(goals: &Goals, start: &str) -> String {
        let table = goals.table();
        let line = table.lines().find(|line| line.trim().starts_with(start));
        line.unwrap_or_else(|| panic!("no {start} in {table}")).to_owned()
    }

    #[test]
    fn a_goal_is_judged_by_the_median_of_the_runs() {
        let mut goals = Goals::default();
        for ratio in ["0.90", "0.96", "1.20"] {
            goals.add(&format!(
                "goals\n  run-all   xargs -P2    1 wanted   {ratio}  met\n  echo  Twisted  2 wanted \
                 1.99  SHORT\nwritten: x"
            ));
        }
        assert!(line(&goals, "run-all").contains("0.96 (0.90 to 1.20)  met"));
        assert!(line(&goals, "run-all").contains("xargs -P2"));
        assert!(line(&goals, "echo").ends_with("SHORT"));
    }

    #[test]
    fn an_absent_goal_is_listed_and_hides_none_that_follows() {
        let mut goals = Goals::default();
        let run = |spawn: &str| {
            format!(
                "goals\n  spawn  Twisted  1.3 wanted  {spawn}  absent\n  spawn  Node  2 wanted  -  \
                 absent\n  wake  tokio  1 wanted  1.10  met\nwritten: a wake b 1 wanted 9\n"
            )
        };
        goals.add(&run("-"));
        goals.add(&run("1.40"));
        assert!(line(&goals, "spawn              Twisted").contains("1.40 (1.40 to 1.40)  met"));
        assert!(line(&goals, "spawn              Node").ends_with("-  absent"));
        assert!(line(&goals, "wake").contains("1.10 (1.10 to 1.10)  met"));
    }

    #[test]
    fn of_an_even_number_of_runs_the_median_lies_between() {
        let mut goals = Goals::default();
        for ratio in ["1.00", "1.30"] {
            goals.add(&format!("goals\n  spawn  tokio  1.2 wanted  {ratio}  met\nwritten: x"));
        }
        assert!(line(&goals, "spawn").ends_with("1.15 (1.00 to 1.30)  SHORT"));
    }

    #[test]
    fn what_is_allowed_is_met_by_what_is_not_more() {
        let mut goals = Goals::default();
        goals.add(
            "goals\n  idle  procession  0 allowed  0.00  met\n  memory  procession  2048 allowed  \
             2049.00  SHORT\nwritten: x",
        );
        assert!(line(&goals, "idle").ends_with("met"));
        assert!(line(&goals, "memory").ends_with("SHORT"));
    }
}

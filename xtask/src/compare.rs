//! The task `compare`: procession against its peers and against the limit, measured here.
//!
//! The measuring is done by the program `compare` of the benches package, as a release build; this
//! hands its options on. `--runs N` runs it as often and judges each goal by the median of its
//! ratios. `docs/performance.md` says how to read what it prints.

use std::collections::BTreeMap;
use std::iter;

use anyhow::{Context, Result};
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

/// The ratios of each goal, by its row and peer, in the order in which they were printed first.
#[derive(Default)]
struct Goals {
    order: Vec<String>,
    ratios: BTreeMap<String, (f64, Vec<f64>)>,
}

impl Goals {
    /// Adds the goals that one run has printed.
    fn add(&mut self, output: &str) {
        let lines = output.lines().skip_while(|line| *line != "goals").skip(1);
        for (name, wanted, ratio) in lines.map_while(|line| goal(line).ok()) {
            if !self.ratios.contains_key(&name) {
                self.order.push(name.clone());
            }
            self.ratios.entry(name).or_insert((wanted, Vec::new())).1.push(ratio);
        }
    }

    /// A line for each goal: the median of its ratios, and the least and the greatest.
    fn table(&self) -> String {
        let mut table = String::from("\nmedians of the runs (least to greatest)\n");
        for name in &self.order {
            let Some((wanted, ratios)) = self.ratios.get(name) else { continue };
            let mut ratios = ratios.clone();
            ratios.sort_by(f64::total_cmp);
            let (least, greatest) = (ratios[0], ratios[ratios.len() - 1]);
            let median = ratios[ratios.len() / 2];
            // A bar of exactly 1 is met by what is level with it.
            let bar = if *wanted == 1.0 { 0.95 } else { *wanted };
            let word = if median >= bar { "met" } else { "SHORT" };
            table += &format!(
                "  {name:<34} {wanted:>5} wanted {median:>8.2} ({least:.2} to {greatest:.2})  {word}\n"
            );
        }
        table
    }
}

/// Takes `row peer .. wanted "wanted" ratio word` apart.
fn goal(line: &str) -> Result<(String, f64, f64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "wanted").context("no goal")?;
    let wanted = words.get(at.wrapping_sub(1)).context("no bar")?.parse()?;
    let ratio = words.get(at + 1).context("no ratio")?.parse()?;
    let row = words.first().context("no row")?;
    Ok((format!("{row:<18} {}", words[1..at - 1].join(" ")), wanted, ratio))
}

#[cfg(test)]
mod tests {
    use super::Goals;

    #[test]
    fn a_goal_is_judged_by_the_median_of_the_runs() {
        let mut goals = Goals::default();
        for ratio in ["0.90", "0.96", "1.20"] {
            goals.add(&format!(
                "goals\n  run-all   xargs -P2    1 wanted   {ratio}  met\n  echo  Twisted  2 wanted \
                 1.99  SHORT\nwritten: x"
            ));
        }
        let table = goals.table();
        let line = |start: &str| table.lines().find(|line| line.trim().starts_with(start)).unwrap();
        assert!(line("run-all").contains("0.96 (0.90 to 1.20)  met"), "{table}");
        assert!(line("run-all").contains("xargs -P2"), "{table}");
        assert!(line("echo").ends_with("SHORT"), "{table}");
    }
}

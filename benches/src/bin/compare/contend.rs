//! The contender's side: it prepares itself, reports that, and works one round for each line it
//! reads.

use std::io::{self, BufRead, Write};

use anyhow::{Result, bail};
use procession_benches::contenders;
use procession_benches::job::Job;

/// Runs a contender with the arguments `NAME ROW PROGRAMS COUNT CROWD`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [name, row, programs, count, crowd] = arguments else {
        bail!("usage: compare contend NAME ROW PROGRAMS COUNT CROWD");
    };
    let job = Job {
        row: row.clone(),
        programs: programs.into(),
        count: count.parse()?,
        crowd: crowd.parse()?,
    };
    let mut ready = match contenders::prepare(name, &job) {
        Ok(ready) => ready,
        Err(error) => return say(&format!("absent {error:#}")),
    };
    say(&ready.port.map_or_else(|| "ready".to_owned(), |port| format!("ready {port}")))?;
    for line in io::stdin().lock().lines() {
        line?;
        match (ready.round)() {
            Ok(value) => say(&format!("value {value:.9}"))?,
            Err(error) => say(&format!("absent {error:#}"))?,
        }
    }
    Ok(())
}

fn say(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", line.replace('\n', " "))?;
    Ok(out.flush()?)
}

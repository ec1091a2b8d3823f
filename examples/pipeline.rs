//! Runs programs in a pipeline: `pipeline COMMAND [ARG..] '|' COMMAND [ARG..] ..`.
//!
//! Each program reads what the previous one writes; the data does not pass through this program.
//! The first program reads this program's standard input, and the last one writes to its standard
//! output. Without arguments the words of the howto's sentence are sorted. If a program fails, the
//! exit status is 1, and the error names the first program that failed. A program that ends because
//! a later one stops reading (SIGPIPE) has not failed.

use std::io;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use procession::Pipeline;
use procession::prelude::*;

/// A pipeline that sorts the words of a sentence, one on each line.
const SENTENCE: [&str; 9] = [
    "echo",
    "accessing protocols through Twisted is fun!",
    "|",
    "tr",
    " ",
    "\\n",
    "|",
    "sort",
    "-f",
];

/// Builds the pipeline from its stages. Its ends, and all standard errors, are those of this
/// program.
fn pipeline(stages: &[&[String]]) -> Result<Pipeline> {
    let mut pipeline = Pipeline::new();
    for (stage, number) in stages.iter().zip(1..) {
        let (program, args) = stage.split_first().context("there is no program beside a `|`")?;
        let mut command = Command::new(program).args(args).child_fd(2, Fd::inherit(io::stderr()));
        if number == 1 {
            command = command.child_fd(0, Fd::inherit(io::stdin()));
        }
        if number == stages.len() {
            command = command.child_fd(1, Fd::inherit(io::stdout()));
        }
        pipeline = pipeline.stage(command);
    }
    Ok(pipeline)
}

fn run() -> Result<Stopped> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if args.is_empty() {
        args = SENTENCE.map(str::to_owned).to_vec();
    }
    let stages: Vec<_> = args.split(|arg| arg == "|").collect();

    run_main(async {
        let running = Handle::current().spawn_pipeline(pipeline(&stages)?)?;
        let ends = running.ended().await?;
        for (stage, end) in stages.iter().zip(ends) {
            match end {
                Err(why) if why.signal() != Some(Signal::PIPE) => bail!("{} {why}", stage[0]),
                _ => {}
            }
        }
        Ok(())
    })
}

fn main() -> ExitCode {
    procession_examples::end("pipeline", run())
}

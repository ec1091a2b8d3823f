//! Reads JSON values that a program writes, one a line, while it runs.
//!
//! `cargo run --example json_lines -- PROGRAM [ARGUMENT..]` prints the `message` of each value, as a reader of
//! `journalctl -o json`, `docker events --format json` or `cargo build --message-format json` would.

use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use procession::prelude::*;
use procession::{Keep, Stream};
use serde_json::Value;

/// The most bytes of a value. A longer one is an error, not half a value.
const MOST_BYTES: usize = 1 << 20;

async fn read(run: Run) -> Result<()> {
    let mut lines = run.max_line_bytes(MOST_BYTES).keep(Keep::nothing()).check().lines();
    while let Some(line) = lines.next().await {
        if line.stream == Stream::Stderr {
            eprintln!("{line}");
            continue;
        }
        ensure!(!line.is_cut(), "a value is longer than {MOST_BYTES} bytes");
        let value: Value =
            serde_json::from_slice(&line).with_context(|| format!("no JSON: {line}"))?;
        println!("{}", value["message"].as_str().unwrap_or("(no message)"));
    }
    lines.outcome().await?;
    Ok(())
}

fn run() -> Result<()> {
    let mut words = env::args_os().skip(1);
    let program = words.next().context("usage: json_lines PROGRAM [ARGUMENT..]")?;
    Reactor::new()?.run_main(read(Run::new(program).args(words)))?;
    Ok(())
}

fn main() -> ExitCode {
    procession_examples::end("json_lines", run())
}

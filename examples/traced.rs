//! What a program with the feature `tracing` sees of its children: a span for each, with its start, its signals
//! and its end, and the time limits and further attempts of runs. Arguments, variables and output are in none of
//! it.
//!
//! `cargo run --example traced`

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use procession::prelude::*;
use tracing_subscriber::fmt;

async fn work() -> Result<()> {
    Run::new("echo").arg("no secret of mine").await?;
    let late = Run::new("sleep").arg("100").timeout(Duration::from_millis(50)).await;
    let fails = Run::new("false").check().retry(2, Duration::from_millis(10)).await;
    ensure!(late.is_err() && fails.is_err(), "both fail");
    Ok(())
}

fn run() -> Result<()> {
    fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_writer(io::stderr)
        .init();
    Reactor::new()?.run_main(work())?;
    Ok(())
}

fn main() -> ExitCode {
    procession_examples::end("traced", run())
}

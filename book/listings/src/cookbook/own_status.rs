//! Ends with a status of its own if a run fails.

// ANCHOR: listing
use std::error::Error;
use std::process::{ExitCode, Termination};

use procession::{Run, run_main};

async fn work() -> Result<(), Box<dyn Error>> {
    Run::new("sh").args(["-c", "exit 3"]).check().await?;
    Ok(())
}

fn main() -> ExitCode {
    match run_main(work()) {
        Ok(stopped) => stopped.report(), // status 0, or the end by a signal
        Err(error) => {
            eprintln!("build: {error}");
            ExitCode::from(2)
        }
    }
}
// ANCHOR_END: listing

listing!();

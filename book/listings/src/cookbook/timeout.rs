//! Gives a program a limited time.

// ANCHOR: listing
use std::error::Error;
use std::time::Duration;

use procession::{OutputError, Run};

fn main() -> Result<(), Box<dyn Error>> {
    let build = Run::new("sh").args(["-c", "echo compiling; sleep 600"]);
    match build.timeout(Duration::from_millis(100)).output_blocking() {
        Ok(outcome) => println!("it {}", outcome.reason_text()),
        Err(OutputError::TimedOut { outcome, .. }) => {
            print!("gave up; its output so far: {}", outcome.stdout_utf8()?);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
// ANCHOR_END: listing

listing!();

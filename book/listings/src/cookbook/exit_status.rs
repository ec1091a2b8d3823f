//! Tells an exit status from a death by a signal.

// ANCHOR: listing
use procession::{OutputError, Run};

fn main() -> Result<(), OutputError> {
    for script in ["true", "exit 3", "kill -9 $$"] {
        let outcome = Run::new("sh").args(["-c", script]).output_blocking()?;
        match (outcome.exit_code(), outcome.signal()) {
            (Some(0), _) => println!("{script}: success"),
            (Some(code), _) => println!("{script}: status {code}"),
            (None, Some(signal)) => println!("{script}: died by {signal}"),
            (None, None) => println!("{script}: {}", outcome.reason_text()),
        }
    }
    Ok(())
}
// ANCHOR_END: listing

listing!();

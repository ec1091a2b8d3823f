//! Captures both outputs of a program, each for itself.

// ANCHOR: listing
use std::error::Error;

use procession::Run;

fn main() -> Result<(), Box<dyn Error>> {
    let script = "echo the result; echo a warning >&2";
    let outcome = Run::new("sh").args(["-c", script]).check().output_blocking()?;
    print!("stdout: {}", outcome.stdout_utf8()?);
    print!("stderr: {}", outcome.stderr_utf8()?);
    Ok(())
}
// ANCHOR_END: listing

listing!();

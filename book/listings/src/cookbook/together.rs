//! Captures both outputs of a program in one, in their order.

// ANCHOR: listing
use std::error::Error;

use procession::Run;

fn main() -> Result<(), Box<dyn Error>> {
    let script = "echo first; echo second >&2; echo third";
    let run = Run::new("sh").args(["-c", script]).merge_stderr().check();
    print!("{}", run.output_blocking()?.stdout_utf8()?);
    Ok(())
}
// ANCHOR_END: listing

listing!();

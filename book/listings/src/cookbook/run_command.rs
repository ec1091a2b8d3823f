//! Runs a program and prints its output.

// ANCHOR: listing
use std::error::Error;

use procession::Run;

fn main() -> Result<(), Box<dyn Error>> {
    let uname = Run::new("uname").arg("-s").check().output_blocking()?;
    println!("this system is {}", uname.stdout_utf8()?.trim());
    Ok(())
}
// ANCHOR_END: listing

listing!();

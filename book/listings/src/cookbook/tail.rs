//! Keeps only the end of a long output.

// ANCHOR: listing
use std::error::Error;

use procession::{Keep, Run};

fn main() -> Result<(), Box<dyn Error>> {
    let seq = Run::new("seq").arg("100000").keep(Keep::tail(4 << 10)).check();
    let outcome = seq.output_blocking()?;
    if let Some(gap) = outcome.stdout_gap {
        println!("({} bytes skipped)", gap.skipped_bytes);
    }
    // The first line may be the end of one.
    let lines: Vec<_> = outcome.stdout_utf8()?.lines().collect();
    for line in &lines[lines.len().saturating_sub(3)..] {
        println!("{line}");
    }
    Ok(())
}
// ANCHOR_END: listing

listing!();

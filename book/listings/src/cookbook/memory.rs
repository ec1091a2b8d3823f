//! Limits the memory of a program.

// ANCHOR: listing
use std::error::Error;

use procession::{Resource, Rlimit, Run};

fn main() -> Result<(), Box<dyn Error>> {
    let limit = Rlimit::new(256 << 20);
    // It asks for a buffer of 512 MiB.
    let args = ["if=/dev/zero", "of=/dev/null", "bs=536870912", "count=1"];
    let greedy = Run::new("dd").args(args);
    let greedy = greedy.command(|command| command.rlimit(Resource::AddressSpace, limit));
    let outcome = greedy.output_blocking()?;
    println!("dd {}", outcome.reason_text());
    print!("{}", outcome.stderr_utf8()?);
    Ok(())
}
// ANCHOR_END: listing

listing!();

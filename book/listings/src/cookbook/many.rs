//! Runs many programs, a limited number at once.

// ANCHOR: listing
use std::error::Error;

use procession::{Reactor, Run, Stopped, run_all};

fn main() -> Result<Stopped, Box<dyn Error>> {
    Reactor::new()?.run_main(async {
        let hash = |n| Run::new("cksum").stdin(format!("file {n}\n")).check();
        let at_once = std::thread::available_parallelism()?.get();
        let outcomes = run_all((0..8).map(hash), at_once).all_or_first_error().await?;
        for (n, outcome) in outcomes.iter().enumerate().take(2) {
            print!("file {n}: {}", outcome.stdout_utf8()?);
        }
        println!("{} in all", outcomes.len());
        Ok(())
    })
}
// ANCHOR_END: listing

listing!();

//! Reads the output of a program line by line, while it runs.

// ANCHOR: listing
use std::error::Error;

use procession::{Keep, Reactor, Run, Stopped};

fn main() -> Result<Stopped, Box<dyn Error>> {
    Reactor::new()?.run_main(async {
        let script = "for n in 1 2 3; do echo step $n; done";
        let build = Run::new("sh").args(["-c", script]).check();
        // The lines are all that is wanted: keep no copy of the output.
        let mut lines = build.keep(Keep::nothing()).lines();
        while let Some(line) = lines.next().await {
            println!("{}: {line}", line.stream);
        }
        lines.outcome().await?; // how it ended
        Ok(())
    })
}
// ANCHOR_END: listing

listing!();

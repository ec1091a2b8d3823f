//! Runs a pipeline of three programs.

// ANCHOR: listing
use std::error::Error;
use std::io;

use procession::Pipeline;
use procession::prelude::*;

fn main() -> Result<Stopped, Box<dyn Error>> {
    Reactor::new()?.run_main(async {
        // printf … | sort | uniq -c
        let pipeline = Pipeline::new()
            .stage(Command::new("printf").arg("pear\\napple\\npear\\n"))
            .stage(Command::new("sort"))
            .stage(Command::new("uniq").arg("-c").stdout(Fd::inherit(io::stdout())));
        let running = Handle::current().spawn_pipeline(pipeline)?;
        for end in running.ended().await? {
            end?; // as `set -o pipefail` would have it
        }
        Ok(())
    })
}
// ANCHOR_END: listing

listing!();

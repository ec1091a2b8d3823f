//! Shows the progress of many programs.

// ANCHOR: listing
use std::error::Error;

use procession::{Reactor, Run, Stopped, run_all};

fn main() -> Result<Stopped, Box<dyn Error>> {
    Reactor::new()?.run_main(async {
        let scripts = ["true", "exit 3", "true", "true"];
        let runs = scripts.map(|script| Run::new("sh").args(["-c", script]).check());
        let results = run_all(runs, 2)
            .on_progress(|now| {
                let ended = now.done + now.failed;
                println!("{ended} of {} ended, {} running", now.total, now.running);
            })
            .on_result(|index, result| {
                if let Err(error) = result {
                    println!("job {index}: {error}");
                }
            });
        results.all().await?;
        Ok(())
    })
}
// ANCHOR_END: listing

listing!();

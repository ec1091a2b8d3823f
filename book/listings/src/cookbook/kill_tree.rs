//! Ends a child and everything that it has started.

// ANCHOR: listing
use std::error::Error;
use std::time::Duration;

use procession::prelude::*;

fn main() -> Result<Stopped, Box<dyn Error>> {
    Reactor::new()?.run_main(async {
        let script = "sleep 600 & sleep 600 & echo started; wait";
        // An owned child leads a process group, and `terminate` ends the whole group.
        let build = Command::new("sh").args(["-c", script]).owned(true);
        let mut build = Handle::current().spawn_child(build)?;
        build.stdout().next().await; // both children of the shell run now

        // SIGTERM, and after five seconds SIGKILL to what is left.
        let grace = Duration::from_secs(5);
        let ended = build.process().terminate(Signal::TERM, grace).await?;
        println!("the shell {ended}; nothing is left: {}", ended.is_gone());
        Ok(())
    })
}
// ANCHOR_END: listing

listing!();

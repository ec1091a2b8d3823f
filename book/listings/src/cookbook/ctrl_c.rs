//! Ends all children when the program is interrupted.

// ANCHOR: listing
use std::error::Error;

use procession::{Reactor, Run, Stopped, run_all};

fn main() -> Result<Stopped, Box<dyn Error>> {
    let server = |_| {
        let server = Run::new("sh").args(["-c", "sleep 600 & echo $$ $!; wait"]).check();
        server.for_each_line(|line| println!("{line}"))
    };
    let servers = run_all((0..2).map(server), 2);
    // At SIGINT, SIGTERM or SIGHUP this drops the future and ends the children's groups.
    // Then the program dies by that signal.
    Reactor::new()?.run_main(async {
        servers.all_or_first_error().await?;
        Ok(())
    })
}
// ANCHOR_END: listing

listing!();

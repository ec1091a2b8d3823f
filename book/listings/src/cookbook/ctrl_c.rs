//! Ends all children when the program is interrupted.

// ANCHOR: listing
use std::error::Error;

use procession::{Reactor, Run, Stopped, run_all};

fn main() -> Result<Stopped, Box<dyn Error>> {
    let server = || Run::new("sh").args(["-c", "sleep 600 & echo $$ $!; wait"]);
    let servers = (0..2).map(|_| {
        server().check().for_each_line(|line| println!("{}", String::from_utf8_lossy(&line)))
    });
    let servers = run_all(servers, 2);
    // At SIGINT, SIGTERM or SIGHUP this drops the future, ends the groups of all children, and then
    // the program dies by that signal.
    Reactor::new()?.run_main(async {
        servers.all_or_first_error().await?;
        Ok(())
    })
}
// ANCHOR_END: listing

listing!();

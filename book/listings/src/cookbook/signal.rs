//! Sends a signal to a child.

// ANCHOR: listing
use std::error::Error;

use procession::prelude::*;

const SERVER: &str = "
trap 'echo reloaded; exit' HUP
echo ready
while sleep 0.01; do :; done
";

fn main() -> Result<Stopped, Box<dyn Error>> {
    Reactor::new()?.run_main(async {
        let server = Command::new("sh").args(["-c", SERVER]).owned(true);
        let mut server = Handle::current().spawn_child(server)?;
        server.stdout().next().await; // it says that it is ready

        server.process().signal(Signal::HUP)?;
        print!("{}", String::from_utf8_lossy(&server.stdout().collect().await));
        server.ended().await?;
        Ok(())
    })
}
// ANCHOR_END: listing

listing!();

//! Starts a program that lives on after this one.

// ANCHOR: listing
use std::error::Error;

use procession::{Command, Fd, FileMode};

fn main() -> Result<(), Box<dyn Error>> {
    let log = std::env::temp_dir().join("daemon.log");
    // It waits until this program is gone.
    let script = "while kill -0 $1; do sleep 0.01; done; echo the parent is gone";
    let daemon = Command::new("sh")
        .args(["-c", script, "sh", &std::process::id().to_string()])
        .new_session() // no terminal: neither Ctrl-C nor a closed window reaches it
        .current_dir("/") // it keeps no file system busy
        .stdin(Fd::null())
        .stdout(Fd::file(&log, FileMode::Append))
        .stderr(Fd::null())
        .spawn()?;
    println!("started {}", daemon.pid());
    Ok(())
}
// ANCHOR_END: listing

listing!();

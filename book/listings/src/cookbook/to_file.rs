//! Sends both outputs of a program to a file.

// ANCHOR: listing
use std::error::Error;
use std::fs;

use procession::{Fd, FileMode, Run};

fn main() -> Result<(), Box<dyn Error>> {
    let log = std::env::temp_dir().join("build.log");
    let build = Run::new("sh").args(["-c", "echo compiling; echo a warning >&2"]);
    let build = build.command(|command| {
        // >>build.log 2>&1
        command.stdout(Fd::file(&log, FileMode::Append)).stderr(Fd::same_as(1))
    });
    build.check().output_blocking()?;
    print!("{}", fs::read_to_string(&log)?);
    Ok(())
}
// ANCHOR_END: listing

listing!();

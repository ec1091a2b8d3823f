//! Runs a program on a pseudo-terminal and captures what it prints.

// ANCHOR: listing
use std::error::Error;

use procession::{Command, Pty, Run, Stdin};

fn main() -> Result<(), Box<dyn Error>> {
    let script = "test -t 1 && echo on a terminal; stty size";
    let size = Pty::new().size(24, 80); // rows, columns
    let command = Command::new("sh").args(["-c", script]).pty(size);
    // The terminal is the input too, so `Run` must not replace it by /dev/null.
    let run = Run::from(command).stdin(Stdin::as_in_command()).check();
    let outcome = run.output_blocking()?;
    for line in outcome.stdout_utf8()?.lines() {
        println!("{line}"); // `lines` also removes the carriage returns
    }
    Ok(())
}
// ANCHOR_END: listing

listing!();

//! Starts a child without an event loop, and talks to it.

// ANCHOR: listing
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use procession::{Command, Fd, end_children_with_program};

fn main() -> Result<(), Box<dyn Error>> {
    end_children_with_program(); // on Ctrl-C too
    let sort = Command::new("sort").stderr(Fd::inherit(std::io::stderr())).owned(true);
    let mut sort = sort.spawn()?;
    let mut input = File::from(sort.take(0)?);
    for word in ["pear", "apple"] {
        writeln!(input, "{word}")?;
    }
    drop(input); // end of file: `sort` begins
    for line in BufReader::new(File::from(sort.take(1)?)).lines() {
        println!("{}", line?);
    }
    sort.wait()??;
    Ok(())
}
// ANCHOR_END: listing

listing!();

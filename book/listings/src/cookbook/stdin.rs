//! Feeds a program text, and reads its answer.

// ANCHOR: listing
use std::error::Error;
use std::io::{self, Read};

use procession::{Run, Stdin};

fn main() -> Result<(), Box<dyn Error>> {
    let sort = Run::new("sort").stdin("pear\napple\n").check();
    print!("{}", sort.output_blocking()?.stdout_utf8()?);

    // Anything that implements `Read` is read while the program runs.
    let reader = io::repeat(b'x').take(1_000_000);
    let count = Run::new("wc").arg("-c").stdin(Stdin::reader(reader)).check();
    println!("{} bytes", count.output_blocking()?.stdout_utf8()?.trim());
    Ok(())
}
// ANCHOR_END: listing

listing!();

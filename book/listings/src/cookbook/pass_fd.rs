//! Passes descriptors of any number to a child.

// ANCHOR: listing
use std::error::Error;
use std::fs::File;
use std::io::Write;

use procession::{Command, Fd};

fn main() -> Result<(), Box<dyn Error>> {
    let script = "read word <&3; echo $word has ${#word} letters >&4; head -n 1 <&5";
    let mut child = Command::new("sh")
        .args(["-c", script])
        .child_fd(3, Fd::to_child()) // a pipe to the child
        .child_fd(4, Fd::from_child()) // a pipe from the child
        .child_fd(5, File::open("Cargo.toml")?) // any descriptor
        .spawn()?;
    File::from(child.take(3)?).write_all(b"swordfish\n")?;
    let output = child.output()?;
    print!("4: {}", String::from_utf8_lossy(output.bytes(4)));
    print!("1: {}", output.stdout_utf8()?);
    Ok(())
}
// ANCHOR_END: listing

listing!();

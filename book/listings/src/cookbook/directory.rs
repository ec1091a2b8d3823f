//! Starts a program in a directory.

// ANCHOR: listing
use std::error::Error;

use procession::Run;

fn main() -> Result<(), Box<dyn Error>> {
    let pwd = Run::new("pwd").current_dir("/").check().output_blocking()?;
    print!("it ran in {}", pwd.stdout_utf8()?);

    let nowhere = Run::new("pwd").current_dir("/no/such/directory");
    if let Err(error) = nowhere.output_blocking() {
        println!("{error}");
    }
    Ok(())
}
// ANCHOR_END: listing

listing!();

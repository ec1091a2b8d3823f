//! Runs a program as another user.

// ANCHOR: listing
use procession::{OutputError, Run};

fn main() -> Result<(), OutputError> {
    let id = Run::new("id").arg("-un").command(|command| command.user("nobody"));
    match id.check().output_blocking() {
        Ok(outcome) => print!("it ran as {}", String::from_utf8_lossy(&outcome.stdout)),
        Err(OutputError::Spawn(error)) => println!("{:?}: {error}", error.step()),
        Err(error) => return Err(error),
    }
    Ok(())
}
// ANCHOR_END: listing

listing!();

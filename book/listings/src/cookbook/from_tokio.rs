//! Starts children in a tokio program.

// ANCHOR: listing
use std::time::Duration;

use procession::Fd;
use procession::tokio::{Command, Signal, Stdio};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut command = Command::new("sh"); // was: tokio::process::Command
    command.args(["-c", "read word <&3; echo got $word; sleep 600 & wait"]);
    command.stdout(Stdio::piped()).child_fd(3, Fd::to_child()).owned(true);
    let mut child = command.spawn()?;

    child.take_writer(3)?.write_all(b"swordfish\n").await?;
    let stdout = child.stdout.take().ok_or("stdout is a pipe")?;
    if let Some(line) = BufReader::new(stdout).lines().next_line().await? {
        println!("{line}");
    }
    // The shell and its `sleep`. The drop of `child` would do it too, by KILL.
    let ended = child.terminate(Signal::TERM, Duration::from_secs(5)).await?;
    println!("nothing is left: {}", ended.is_gone());
    Ok(())
}
// ANCHOR_END: listing

listing!();

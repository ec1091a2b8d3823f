//! Children in a tokio program, without a reactor: `in_tokio`.
//!
//! The program filters text through a child, with one task that writes and one that reads. It reads
//! a descriptor of a number of its own. Then it gives up a child that takes too long: it leads a group,
//! so the drop kills the whole group, and a task of the runtime reaps the child.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use procession::Fd;
use procession::tokio::{Child, Command, Stdio};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_millis(100);

/// Passes text through `tr`. The output is read while the input is written, so neither can get
/// stuck, whatever the size of the text.
async fn shout(text: String) -> Result<String> {
    let mut command = Command::new("tr");
    command.args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn()?;
    let mut stdin = child.stdin.take().context("stdin is a pipe")?;
    let writer = tokio::spawn(async move { stdin.write_all(text.as_bytes()).await });
    let mut shouted = String::new();
    child.stdout.take().context("stdout is a pipe")?.read_to_string(&mut shouted).await?;
    writer.await??;
    anyhow::ensure!(child.wait().await?.success(), "tr has failed");
    Ok(shouted)
}

/// Waits for the end of a child, and for the last line that it writes to descriptor 3.
async fn last_line(mut child: Child) -> Result<String> {
    let mut lines = BufReader::new(child.take_reader(3)?).lines();
    let mut last = String::new();
    while let Some(line) = lines.next_line().await? {
        last = line;
    }
    child.wait().await?;
    Ok(last)
}

/// Starts a shell whose descriptor 3 is a pipe. With its children it forms a group.
fn shell(script: &str) -> Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", script]).child_fd(3, Fd::from_child()).owned(true);
    Ok(command.spawn()?)
}

async fn program() -> Result<()> {
    println!("{}", shout("hello from tr".to_owned()).await?);
    let status = last_line(shell("echo working >&3; echo done >&3")?).await?;
    println!("the last status is {status:?}");
    let endless = shell("sleep 600 & wait")?;
    match timeout(PATIENCE, last_line(endless)).await {
        Ok(line) => println!("it ended, and said {:?}", line?),
        Err(_) => println!("gave up: the shell and its sleep are killed"),
    }
    Ok(())
}

fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(program())
}

fn main() -> ExitCode {
    procession_examples::end("in_tokio", run())
}

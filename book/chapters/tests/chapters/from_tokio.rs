//! Children on tokio.

use std::error::Error;
use std::time::Duration;

// ANCHOR: port
use procession::tokio::{Command, Stdio}; // was: tokio::process::Command, std::process::Stdio
use tokio::io::{AsyncBufReadExt, BufReader};

async fn count_lines() -> Result<usize, Box<dyn Error>> {
    let mut child = Command::new("seq").arg("1000").stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
    let mut count = 0;
    while lines.next_line().await?.is_some() {
        count += 1;
    }
    assert!(child.wait().await?.success());
    Ok(count)
}
// ANCHOR_END: port

// ANCHOR: tree
/// A limit that ends the whole tree, not only the shell.
async fn with_a_limit(script: &str, limit: Duration) -> Result<bool, Box<dyn Error>> {
    let mut shell = Command::new("sh");
    let mut shell = shell.args(["-c", script]).owned(true).spawn()?;
    if tokio::time::timeout(limit, shell.wait()).await.is_ok() {
        return Ok(true);
    }
    shell.terminate(procession::Signal::TERM, Duration::from_secs(2)).await?;
    Ok(false)
}
// ANCHOR_END: tree

// ANCHOR: fds
/// A descriptor besides 0, 1 and 2.
async fn status() -> Result<String, Box<dyn Error>> {
    use tokio::io::AsyncReadExt;

    let mut shell = Command::new("sh");
    let mut shell =
        shell.args(["-c", "echo done >&3"]).child_fd(3, procession::Fd::from_child()).spawn()?;
    let mut said = String::new();
    shell.take_reader(3)?.read_to_string(&mut said).await?;
    shell.wait().await?;
    Ok(said)
}
// ANCHOR_END: fds

// ANCHOR: std
fn blocking() -> Result<String, Box<dyn Error>> {
    // std: Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn(), a thread
    // that writes, and wait_with_output(), without a time limit.
    let sort = procession::Run::new("sort").stdin("b\na\n").timeout(Duration::from_secs(5));
    Ok(sort.check().output_blocking()?.stdout_utf8()?.to_owned())
}
// ANCHOR_END: std

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

#[test]
fn the_lines_are_counted() {
    assert_eq!(block_on(count_lines()).unwrap(), 1000);
}

#[test]
fn the_tree_ends_at_its_limit() {
    assert!(block_on(with_a_limit("true", Duration::from_secs(60))).unwrap());
    assert!(!block_on(with_a_limit("sleep 600 & wait", Duration::from_millis(50))).unwrap());
}

#[test]
fn a_descriptor_of_its_own_number_is_read() {
    assert_eq!(block_on(status()).unwrap(), "done\n");
}

#[test]
fn a_blocking_run_has_a_limit() {
    assert_eq!(blocking().unwrap(), "a\nb\n");
}
